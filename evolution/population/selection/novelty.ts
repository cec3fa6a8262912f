/**
 * Novelty (Lehman and Stanley 2011): how far a behaviour is from its nearest neighbours. Behaviour is what a program scores on each
 * case: two that pass different halves of the cases are as far apart as can be, whatever their means.
 */
import type { Scored } from "./lexicase.ts";

const NEIGHBOURS = 5;

/** Mean distance of each to its nearest neighbours among all of them, from 0 to 1, in their order. Quadratic in the pool. */
export function noveltiesOf(pool: readonly Scored[], cases: readonly number[]): readonly number[] {
  return pool.map((one) => {
    const distances = pool.filter((other) => other !== one).map((other) => distance(one, other, cases));
    const nearest = distances.toSorted((a, b) => a - b).slice(0, NEIGHBOURS);
    return nearest.length === 0 ? 0 : nearest.reduce((sum, each) => sum + each, 0) / nearest.length;
  });
}

function distance(one: Scored, other: Scored, cases: readonly number[]): number {
  if (cases.length === 0) return 0;
  const sum = cases.reduce((total, each) => total + Math.abs((one.scores[each] ?? 0) - (other.scores[each] ?? 0)), 0);
  return sum / cases.length;
}
