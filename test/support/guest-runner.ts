/**
 * A child process that hosts isolates for tests of the guest: isolated-vm needs `--no-node-snapshot`, which the test runner's
 * own processes do not have. It does what a cell does at its core, and lets a test run scripts in an isolate's realm besides.
 */
import ivm from "isolated-vm";
import { strayText } from "../../sandbox/lane.ts";
import { ARTIFACT_FILE, ENTER_GLOBAL, PRELUDE_FILE, RESUME_TEXT, STRAY } from "../../sandbox/protocol.ts";

/** What a test asks for. `sequence` comes back with the answer. */
export type Request = { readonly sequence: number } & (
  | { readonly op: "open"; readonly prelude: string; readonly code: string }
  /** Enters the guest, and again while it says "resume". */
  | { readonly op: "enter"; readonly isolate: number; readonly text: string }
  /** Runs a script in the realm of the guest, as agent code could; its value as JSON. */
  | { readonly op: "run"; readonly isolate: number; readonly code: string }
  | { readonly op: "close"; readonly isolate: number }
);
/** What the runner answers to the request with the same `sequence`. */
export interface Response {
  readonly sequence: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Hosted {
  readonly isolate: ivm.Isolate;
  readonly context: ivm.Context;
  readonly enter: ivm.Reference<(text: string) => string>;
}

const TIMEOUT_MS = 2000;
const RESUMES_MAX = 16;
const hosted = new Map<number, Hosted>();
let opened = 0;

process.on("message", (request: Request) => {
  try {
    process.send?.({ sequence: request.sequence, value: perform(request) } satisfies Response);
  } catch (error) {
    process.send?.({ sequence: request.sequence, error: String(error) } satisfies Response);
  }
});

function perform(request: Request): unknown {
  if (request.op === "open") return open(request.prelude, request.code);
  const one = hosted.get(request.isolate);
  if (one === undefined) throw new Error("no such isolate");
  if (request.op === "enter") return enter(one, request.text);
  if (request.op === "run") return one.context.evalSync(`JSON.stringify((${request.code}))`, { timeout: TIMEOUT_MS });
  hosted.delete(request.isolate);
  one.isolate.dispose();
  return undefined;
}

function open(prelude: string, code: string): number {
  const isolate = new ivm.Isolate({ memoryLimit: 64 });
  const context = isolate.createContextSync();
  isolate.compileScriptSync(prelude, { filename: PRELUDE_FILE }).runSync(context, { timeout: TIMEOUT_MS });
  const enterGuest = context.global.getSync(ENTER_GLOBAL, { reference: true });
  context.global.deleteSync(ENTER_GLOBAL);
  isolate.compileScriptSync(code, { filename: ARTIFACT_FILE }).runSync(context, { timeout: TIMEOUT_MS });
  hosted.set(++opened, { isolate, context, enter: enterGuest });
  return opened;
}

/** A stray rejection is thrown in place of the answer; the guest is told of it, and says its answer again. */
function enter(one: Hosted, text: string): string {
  let next = text;
  for (let count = 0; count < RESUMES_MAX; count++) {
    const output = tryEnter(one, next);
    if (typeof output !== "string") throw new Error(`the guest returned ${typeof output}`);
    if (output[0] !== STRAY && output !== RESUME_TEXT) return output;
    next = output;
  }
  throw new Error("the guest never stops resuming");
}

function tryEnter(one: Hosted, text: string): unknown {
  try {
    return one.enter.applySync(undefined, [text], { timeout: TIMEOUT_MS });
  } catch (error) {
    if (String(error).includes("timed out")) throw error;
    return strayText(error);
  }
}
