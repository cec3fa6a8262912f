/**
 * Tokens spent per agent, as pure functions: at most so many in any minute, and in any day. Time is cut into slots; the slots
 * that a window touches are counted whole, so it is never more than the limit and sometimes a little less. (A token bucket
 * that is full lets twice its size through in its period.)
 *
 *     before a call   enough for what it may cost?  -> that is booked
 *     after it        what it did cost              -> the difference is booked
 */

/** Tokens by the number of their slot. */
export type Spent = ReadonlyMap<number, number>;

/** A window and what may be spent in it. */
export interface TokenLimit {
  readonly windowMs: number;
  readonly tokensMax: number;
}

/** A window has so many slots. */
const SLOTS = 60;

/** `nowMs` never goes back. Negative tokens are given back. What fell out of the window is forgotten. */
export function spend(spent: Spent, limit: TokenLimit, { nowMs, tokens }: { nowMs: number; tokens: number }): Spent {
  const slot = slotOf(limit, nowMs);
  const kept = [...spent].filter(([number]) => number >= slot - SLOTS);
  const next = new Map(kept);
  next.set(slot, (next.get(slot) ?? 0) + tokens);
  return next;
}

/** What is left in the window; below 0 where calls cost more than was booked for them. */
export function left(spent: Spent, limit: TokenLimit, nowMs: number): number {
  const slot = slotOf(limit, nowMs);
  let total = 0;
  for (const [number, tokens] of spent) if (number >= slot - SLOTS) total += tokens;
  return limit.tokensMax - total;
}

function slotOf({ windowMs }: TokenLimit, nowMs: number): number {
  return Math.floor((nowMs / windowMs) * SLOTS);
}
