/**
 * The cascade: who fails the first cases is not asked the rest (successive halving, Jamieson and Talwalkar 2016). The best third
 * of each rung goes on, and two by chance: the first cases may mislead.
 */
import type { Random } from "../../runtime/index.ts";
import { shuffled } from "./chance.ts";

/** Fewer cases than this are asked at once: to load a program costs as much as a few calls. */
const ONE_RUNG_MAX = 12;
const FIRST_RUNG_MIN = 4;
const LUCKY_COUNT = 2;

/** After how many cases a rung ends; the last one is all of them. 500 cases: 25, 100, 500. */
export function rungsOf(caseCount: number): readonly number[] {
  if (caseCount <= ONE_RUNG_MAX) return [caseCount];
  const first = Math.max(FIRST_RUNG_MIN, Math.ceil(caseCount / 20));
  const second = Math.max(first * 2, Math.ceil(caseCount / 5));
  return second < caseCount ? [first, second, caseCount] : [first, caseCount];
}

/** Who goes on to the next rung, in the order given. Ties at the border go to the earlier one. */
export function goesOn<T>(climbers: readonly T[], scoreOf: (climber: T) => number, random: Random): readonly T[] {
  const ranked = climbers
    .map((climber, index) => ({ climber, index, score: scoreOf(climber) }))
    .toSorted((a, b) => b.score - a.score || a.index - b.index);
  const third = Math.ceil(climbers.length / 3);
  const lucky = shuffled(random, ranked.slice(third)).slice(0, LUCKY_COUNT);
  return [...ranked.slice(0, third), ...lucky].toSorted((a, b) => a.index - b.index).map(({ climber }) => climber);
}
