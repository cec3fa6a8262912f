/**
 * `crypto.getRandomValues` and `crypto.randomUUID`: from the turn's own chance, so that a turn that is run again says the same
 * again. There is no `crypto.subtle`.
 */

import {
  define,
  freeze,
  isView,
  NativeTypeError,
  NativeUint8Array,
  toStringTag,
  viewLength,
  viewTag,
} from "../primordials.ts";
import { bytesOf } from "./bytes.ts";
import { domException } from "./dom-exception.ts";

/** Bytes of one call, as everywhere. */
const BYTES_MAX = 65_536;
const HEX = "0123456789abcdef";

/** The object. `word` gives 32 random bits. */
export function cryptoObject(word: () => number): object {
  const crypto = {
    getRandomValues(view: unknown): unknown {
      const bytes = wholeBytes(view);
      fill(bytes, word);
      return view;
    },
    randomUUID(): string {
      const bytes = new NativeUint8Array(16);
      fill(bytes, word);
      return uuidOf(bytes);
    },
  };
  define(crypto, toStringTag, "Crypto", { writable: false });
  return freeze(crypto);
}

function wholeBytes(view: unknown): Uint8Array {
  switch (isView(view) ? viewTag(view) : undefined) {
    case "Int8Array":
    case "Uint8Array":
    case "Uint8ClampedArray":
    case "Int16Array":
    case "Uint16Array":
    case "Int32Array":
    case "Uint32Array":
    case "BigInt64Array":
    case "BigUint64Array":
      break;
    default:
      throw new NativeTypeError("getRandomValues takes a typed array of integers");
  }
  const bytes = bytesOf(view);
  if (viewLength(bytes) > BYTES_MAX) throw domException(`at most ${BYTES_MAX} bytes at once`, "QuotaExceededError");
  return bytes;
}

function fill(bytes: Uint8Array, word: () => number): void {
  const length = viewLength(bytes);
  for (let index = 0; index < length; index += 4) {
    const bits = word();
    for (let byte = 0; byte < 4 && index + byte < length; byte++) bytes[index + byte] = bits >>> (8 * byte);
  }
}

/** RFC 9562, version 4. */
function uuidOf(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < 16; index++) {
    let byte = bytes[index] ?? 0;
    if (index === 6) byte = (byte & 0x0f) | 0x40;
    if (index === 8) byte = (byte & 0x3f) | 0x80;
    if (index === 4 || index === 6 || index === 8 || index === 10) text += "-";
    text += `${HEX[byte >> 4] ?? ""}${HEX[byte & 15] ?? ""}`;
  }
  return text;
}
