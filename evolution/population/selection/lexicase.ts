/**
 * Epsilon-lexicase selection (La Cava, Spector and Danai 2016), semi-dynamic: cases are asked in an order by chance, and each
 * leaves only those within epsilon of the best one left. Who alone can do one hard thing is chosen now and then, whatever its mean.
 */
import type { Random } from "../../../runtime/index.ts";
import { below, oneOf, shuffled } from "../chance.ts";

/** Share of the cases that one generation looks at: as good as all of them (Hernandez and others 2019), ... */
const SAMPLE_SHARE = 0.1;
/** ... unless they are few. */
const SAMPLE_MIN = 16;

/** Cases that a generation selects by: their places, in order. */
export function sampledCases(caseCount: number, random: Random): readonly number[] {
  const all = Array.from({ length: caseCount }, (_, index) => index);
  const count = Math.max(SAMPLE_MIN, Math.ceil(caseCount * SAMPLE_SHARE));
  if (count >= caseCount) return all;
  return shuffled(random, all)
    .slice(0, count)
    .toSorted((a, b) => a - b);
}

/** How far from the best counts as the best, per case: the median absolute deviation of all scores. */
export function epsilonsOf(pool: readonly Scored[], cases: readonly number[]): ReadonlyMap<number, number> {
  return new Map(cases.map((each) => [each, deviation(pool.map(({ scores }) => scores[each] ?? 0))]));
}

/** What selection looks at. */
export interface Scored {
  /** Per case, 0 to 1. */
  readonly scores: readonly number[];
}

/** One of the pool; `undefined` of an empty one. At most pool times cases steps. */
export function lexicase<T extends Scored>(
  pool: readonly T[],
  epsilons: ReadonlyMap<number, number>,
  random: Random,
): T | undefined {
  let left = pool;
  for (const test of shuffled(random, [...epsilons.keys()])) {
    if (left.length <= 1) break;
    const best = left.reduce((max, { scores }) => Math.max(max, scores[test] ?? 0), 0);
    const least = best - (epsilons.get(test) ?? 0);
    left = left.filter(({ scores }) => (scores[test] ?? 0) >= least);
  }
  return oneOf(random, left);
}

/** `count` different ones, chosen one after the other; all of a smaller pool. */
export function lexicaseSome<T extends Scored>(
  pool: readonly T[],
  count: number,
  epsilons: ReadonlyMap<number, number>,
  random: Random,
): readonly T[] {
  const left = [...pool];
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) {
    const one = lexicase(left, epsilons, random) ?? left[below(random, left.length)];
    if (one === undefined) break;
    chosen.push(one);
    left.splice(left.indexOf(one), 1);
  }
  return chosen;
}

function deviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

function median(values: readonly number[]): number {
  const ordered = [...values].toSorted((a, b) => a - b);
  const half = ordered.length >> 1;
  const upper = ordered[half] ?? 0;
  return ordered.length % 2 === 1 ? upper : ((ordered[half - 1] ?? 0) + upper) / 2;
}
