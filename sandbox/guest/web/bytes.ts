/** The bytes of whatever holds bytes, without asking it: an agent may have changed its prototypes. */

import { bufferByteLength, isView, NativeTypeError, NativeUint8Array, spanOf } from "../primordials.ts";

/** A view of the bytes of an ArrayBuffer or of a view; of a DataView, too. Throws a TypeError for anything else. */
export function bytesOf(input: unknown): Uint8Array {
  if (typeof input !== "object" || input === null)
    throw new NativeTypeError("bytes must be an ArrayBuffer or a view of one");
  if (isView(input)) {
    const span = spanOf(input);
    return new NativeUint8Array(span[0], span[1], span[2]);
  }
  // Throws where it is no ArrayBuffer: the cast cannot lie.
  return new NativeUint8Array(input as ArrayBuffer, 0, bufferByteLength(input as ArrayBuffer));
}
