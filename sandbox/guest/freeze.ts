/** Freezing a decoded value through and through, so that a handler that only reads cannot write by accident. */

import { freeze, isArray, keysOf } from "./primordials.ts";

/** Freezes a decoded value that holds no instances (Date, Map, Set, bytes): their insides cannot be frozen. */
export function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  // A decoded value is a tree of at most 64 levels; one that shares branches is only walked again.
  freeze(value);
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) deepFreeze(value[index]);
    return;
  }
  const keys = keysOf(value);
  for (let index = 0; index < keys.length; index++) {
    deepFreeze((value as Readonly<Record<string, unknown>>)[keys[index] ?? ""]); // neither array nor instance: a record
  }
}
