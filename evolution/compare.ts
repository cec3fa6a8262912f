/**
 * When two replies are the same: equal text, or equal values whatever the order of their keys.
 */
import { isDeepStrictEqual } from "node:util";
import { decode } from "../sandbox/index.ts";

/** True when two encoded values are equal. Texts a candidate made up are refused by the codec and are never equal. */
export function isSameReply(expected: string, actual: string): boolean {
  if (expected === actual) return true;
  const bytesMax = Math.max(expected.length, actual.length) * 4;
  try {
    return isDeepStrictEqual(decode(expected, { bytesMax }), decode(actual, { bytesMax }));
  } catch {
    return false; // text that does not decode equals nothing but itself
  }
}
