/**
 * Outcomes as texts: to compare behaviour, and to keep what a program did wrong. What is in them was said by a candidate; it was
 * bounded by the runner, and is bounded once more here.
 */
import { decode, encode } from "../../sandbox/index.ts";
import type { CallOutcome } from "./program-runner.ts";

/** Bytes of one value: what a runner lets through, and more. */
const VALUE_BYTES_MAX = 1 << 20;
/** Characters of an outcome that mutators are shown. */
const SHOWN_MAX = 4_096;

/** Equal for outcomes that are the same behaviour. Which limit ended a call is chance, so all limits are one. */
export function behaviourText(outcome: CallOutcome): string {
  switch (outcome.kind) {
    case "returned":
      return `=${encode(outcome.value, { bytesMax: VALUE_BYTES_MAX })}`;
    case "threw":
      return `!${outcome.message}`;
    case "fuel":
    case "exceeded":
    case "unfit":
      return outcome.kind;
  }
}

/** An outcome as it is shown and kept: what is too long is cut, and says so. */
export function shownOutcome(outcome: CallOutcome): CallOutcome {
  switch (outcome.kind) {
    case "returned": {
      const text = behaviourText(outcome);
      if (text.length <= SHOWN_MAX) return outcome;
      return {
        kind: "returned",
        value: `(a value of ${text.length} characters, beginning with ${text.slice(1, 200)})`,
      };
    }
    case "threw":
      return { kind: "threw", message: outcome.message.slice(0, SHOWN_MAX) };
    case "unfit":
      return { kind: "unfit", reason: outcome.reason.slice(0, SHOWN_MAX) };
    case "fuel":
    case "exceeded":
      return outcome;
  }
}

/** A shown outcome as text, and back. A text of its own: values may be nested as deep as a text may be. */
export function writeOutcome(outcome: CallOutcome): readonly [kind: string, text: string] {
  switch (outcome.kind) {
    case "returned":
      return [outcome.kind, encode(outcome.value, { bytesMax: VALUE_BYTES_MAX })];
    case "threw":
      return [outcome.kind, outcome.message];
    case "exceeded":
      return [outcome.kind, outcome.code];
    case "unfit":
      return [outcome.kind, outcome.reason];
    case "fuel":
      return [outcome.kind, ""];
  }
}

/** What `writeOutcome` wrote. */
export function readOutcome([kind, text]: readonly [kind: string, text: string]): CallOutcome {
  switch (kind) {
    case "returned":
      return { kind, value: decode(text, { bytesMax: VALUE_BYTES_MAX }) };
    case "threw":
      return { kind, message: text };
    case "exceeded":
      return { kind, code: text };
    case "unfit":
      return { kind, reason: text };
    default:
      return { kind: "fuel" };
  }
}
