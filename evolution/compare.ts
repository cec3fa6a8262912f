/**
 * When two replies are the same: equal text, or equal values whatever the order of their keys.
 *
 * A candidate writes one of the two, so the time must be linear in their length, whatever they are. Node compares Sets and
 * Maps of objects by trying each with each (half a minute for one reply of 400 KB); they are therefore first put into a
 * form in which primitive keys are looked up and objects stand in their order.
 */
import { isDeepStrictEqual } from "node:util";
import { decode } from "../sandbox/index.ts";

/** True when two encoded values are equal. Texts a candidate made up are refused by the codec and are never equal. */
export function isSameReply(expected: string, actual: string): boolean {
  if (expected === actual) return true;
  const bytesMax = Math.max(expected.length, actual.length) * 4;
  try {
    return isSameValue(decode(expected, { bytesMax }), decode(actual, { bytesMax }));
  } catch {
    return false; // text that does not decode equals nothing but itself
  }
}

/** True when two values that the codec gave, or that a user's function made of such, are equal. Linear in their size. */
export function isSameValue(expected: unknown, actual: unknown): boolean {
  return isDeepStrictEqual(comparable(expected), comparable(actual));
}

/** Linear in the size of the value; its depth is bounded by the codec. */
function comparable(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(comparable);
  if (value instanceof Map) return keyed("map", value);
  if (value instanceof Set)
    return keyed(
      "set",
      [...value].map((item) => [item, true] as const),
    );
  if (Object.prototype.toString.call(value) !== "[object Object]") return value; // dates and bytes have no parts to order
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]));
}

/** No record looks like this: what was decoded as a Map is never left as one. */
function keyed(kind: "map" | "set", entries: Iterable<readonly [unknown, unknown]>): unknown {
  const byPrimitive = new Map<unknown, unknown>();
  const byObject: unknown[] = [];
  for (const [key, item] of entries) {
    if (typeof key === "object" && key !== null) byObject.push([comparable(key), comparable(item)]);
    else byPrimitive.set(key, comparable(item));
  }
  return { kind, byPrimitive, byObject };
}
