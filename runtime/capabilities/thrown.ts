/** What an agent is told of whatever a capability threw: a code and a bounded text, whatever the thing is. */
import { RuntimeError } from "../errors.ts";

/** As an agent sees it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Units of UTF-16: a long sentence, but no page. */
const MESSAGE_UNITS_MAX = 1_024;
const CODE = /^RUNTIME_(?:CAPABILITY_[A-Z_]+|DEADLINE_EXCEEDED)$/;
/** Two or more names behind slashes, where no word or other slash stands before them: no URL, but a file of this machine. Stars may stand in it for a secret. */
const PATH = /(?<![\w/:.])(?:file:\/\/)?(?:\/[\w.@+~*-]+){2,}|\b[A-Za-z]:\\[^\s"']+/g;

/**
 * Judges what was thrown. `scrub` takes the secrets out of its text, before anything else is done to it: half a secret, or one
 * with a changed middle, would not be found any more. Never throws: things that cannot even be looked at are told as such.
 */
export function refusalOf(thrown: unknown, scrub: (text: string) => string): Refusal {
  try {
    if (thrown instanceof RuntimeError && CODE.test(thrown.code)) {
      return { code: thrown.code, message: bounded(scrub(thrown.message)) };
    }
    return { code: "RUNTIME_CAPABILITY_FAILED", message: bounded(textOf(thrown, scrub)) };
  } catch {
    return { code: "RUNTIME_CAPABILITY_FAILED", message: "it threw something that cannot be read" };
  }
}

/** Only the message of an error: a stack is about our code, and other values are nobody's to show. */
function textOf(thrown: unknown, scrub: (text: string) => string): string {
  if (!(thrown instanceof Error))
    return `it threw ${thrown === null ? "null" : `a value of type ${typeof thrown}`}, not an Error`;
  const { message } = thrown;
  return typeof message === "string" && message !== ""
    ? scrub(message).replaceAll(PATH, "(path)")
    : "it threw an Error without a message";
}

function bounded(message: string): string {
  const text = message.toWellFormed();
  return text.length <= MESSAGE_UNITS_MAX ? text : `${text.slice(0, MESSAGE_UNITS_MAX).toWellFormed()} …`;
}
