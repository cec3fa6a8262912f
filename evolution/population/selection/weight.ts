/**
 * How likely a program becomes a parent where one number decides (Darwin Gödel Machine, Zhang and others 2025): the better, the
 * likelier, around the middle of the pool; and the fewer children it has, the likelier.
 */

/** Steepness around the middle, as published. */
const STEEPNESS = 10;

/** A weight above 0. `score` and `middle` (the pool's median score) from 0 to 1. */
export function parentWeight(score: number, middle: number, children: number): number {
  return 1 / (1 + Math.exp(-STEEPNESS * (score - middle))) / (1 + children);
}
