/**
 * When and in which order the messages of an attack come: a small genome beside its program. Pure.
 *
 *     messages --order--> --bursts of so many, then a gap--> --one jump of the clock--> session
 */
import type { Random } from "../../runtime/index.ts";
import { below, oneOf } from "../population/chance.ts";
import type { Session } from "./defence.ts";

/** See the header. All times in ms. */
export interface Schedule {
  readonly order: "made" | "reversed" | "repeated";
  /** Messages that come at one time. */
  readonly burst: number;
  readonly gapMs: number;
  /** Behind this message the clock jumps; none where there are fewer. */
  readonly jumpAfter: number;
  readonly jumpMs: number;
}

/** Messages of one attack, as many as the arbiter keeps. */
export const TURNS_MAX = 20;
const ORDERS = ["made", "reversed", "repeated"] as const;
/** Round times, where limits are written. */
const TIMES_MS: readonly number[] = [0, 1, 100, 999, 1_000, 1_001, 5_000, 10_000, 60_000, 3_600_000, 86_400_000];

/** One message each second. */
export const PLAIN: Schedule = { order: "made", burst: 1, gapMs: 1_000, jumpAfter: TURNS_MAX, jumpMs: 0 };

/** The session that messages make; at most `TURNS_MAX`. */
export function timed(messages: readonly unknown[], { order, burst, gapMs, jumpAfter, jumpMs }: Schedule): Session {
  const some = messages.slice(0, TURNS_MAX);
  const ordered = order === "made" ? some : order === "reversed" ? some.toReversed() : [...some, ...some];
  return ordered.slice(0, TURNS_MAX).map((message, index) => ({
    message,
    at: Math.floor(index / burst) * gapMs + (index > jumpAfter ? jumpMs : 0),
  }));
}

/** The schedule with one of its parts drawn anew, or a time moved by a little. */
export function rescheduled(schedule: Schedule, random: Random): Schedule {
  const time = oneOf(random, TIMES_MS) ?? 0;
  switch (below(random, 6)) {
    case 0:
      return { ...schedule, order: oneOf(random, ORDERS) ?? "made" };
    case 1:
      return { ...schedule, burst: 1 + below(random, 6) };
    case 2:
      return { ...schedule, gapMs: time };
    case 3:
      return { ...schedule, gapMs: Math.max(0, schedule.gapMs + below(random, 3) - 1) };
    case 4:
      return { ...schedule, gapMs: Math.floor(schedule.gapMs / (1 + below(random, 4))) };
    default:
      return { ...schedule, jumpAfter: below(random, TURNS_MAX), jumpMs: time };
  }
}
