/** What a turn had logged that ran out of time: asked of its guest once more, before the isolate is thrown away. */
import type { Isolate } from "./isolate.ts";
import { SAY } from "./protocol.ts";

/** The guest only joins texts; the limit is for what its agent may have left behind in the queue of microtasks. */
const SAY_MS_MAX = 20;

/** On this thread. "" where the guest cannot say it any more. */
export function saidBy(isolate: Isolate): string {
  try {
    return honest(isolate.enterSync(SAY, SAY_MS_MAX));
  } catch {
    return ""; // stopped once more, or out of memory: then its last lines are lost
  }
}

/** On a thread of isolated-vm's pool. */
export async function saidSoon(isolate: Isolate): Promise<string> {
  try {
    return honest(await isolate.enter(SAY, SAY_MS_MAX));
  } catch {
    return ""; // as above
  }
}

function honest(text: unknown): string {
  return typeof text === "string" && text.startsWith(SAY) ? text : "";
}
