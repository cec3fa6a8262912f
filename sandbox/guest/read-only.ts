/** What the author of a `reads: true` handler is told: by us, and where the engine refused a write deep inside the frozen state. */

import type { GuestFault } from "../protocol.ts";
import { assign, indexOf, NativeTypeError } from "./primordials.ts";

/** V8's words for writing to a frozen object (src/common/message-template.h). */
const WORDS = ["read only property", "object is not extensible", "Cannot delete property", "Cannot redefine property"];
const WHY = "this handler is declared reads: true, so it sees the state frozen";

/** The same fault, with the reason in the message when it is the engine's refusal to write in a handler that only reads. */
export function explainReadOnly(fault: GuestFault, reads: boolean): GuestFault {
  if (!reads || fault.name !== "TypeError" || fault.code !== undefined) return fault;
  for (let index = 0; index < WORDS.length; index++) {
    if (indexOf(fault.message, WORDS[index] ?? "") < 0) continue;
    return { ...fault, message: `${fault.message} (${WHY})`, code: "SANDBOX_STATE_READONLY" };
  }
  return fault;
}

/** The refusal of a write in a handler that only reads: a TypeError, as for any frozen object, with a code. */
export function readOnly(what: string): TypeError {
  const error = new NativeTypeError(`${what}: ${WHY}`);
  return assign(error, { code: "SANDBOX_STATE_READONLY" });
}
