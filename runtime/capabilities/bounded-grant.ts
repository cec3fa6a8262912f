/**
 * Lists and records at the door of a verb, counted before any entry is looked at: an agent's message may have a hundred thousand,
 * and a complaint about each of them would keep everybody else waiting for seconds.
 */
import { z } from "zod";

/** A list of at most so many. */
export function listOf<Item>(item: z.ZodType<Item>, countMax: number): z.ZodType<Item[]> {
  const isFew = (given: unknown): boolean => !Array.isArray(given) || given.length <= countMax;
  return z.unknown().refine(isFew, `at most ${countMax} values`).pipe(z.array(item));
}

/** A record of at most so many. */
export function recordOf<Value>(
  key: z.ZodType<string, string>,
  value: z.ZodType<Value>,
  countMax: number,
): z.ZodType<Record<string, Value>> {
  const isFew = (given: unknown): boolean =>
    typeof given !== "object" || given === null || Object.keys(given).length <= countMax;
  return z.unknown().refine(isFew, `at most ${countMax} entries`).pipe(z.record(key, value));
}
