/**
 * Refusals at the door of every statistic: a number outside its range is a mistake of the caller, and a NaN that
 * slipped into a sum would make every later look silent.
 */

/** Returns `value`; throws RangeError when it is not a number from `low` to `high`, both included. */
export function within(name: string, value: number, low: number, high: number): number {
  if (value >= low && value <= high) return value;
  throw new RangeError(`${name} is ${value}: it must be a number from ${low} to ${high}`);
}

/** Returns `value`; throws RangeError when it is not strictly between `low` and `high`. */
export function between(name: string, value: number, low: number, high: number): number {
  if (value > low && value < high) return value;
  throw new RangeError(`${name} is ${value}: it must be a number between ${low} and ${high}, both excluded`);
}

/** Returns `value`; throws RangeError when it is not a whole number of at least 0 that a double can count. */
export function count(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${name} is ${value}: it must be a whole number of at least 0`);
}
