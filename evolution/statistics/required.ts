/**
 * How many pairs a decision needs at the very least, when everything goes well: for showing progress, and for
 * refusing at the start a trial whose budget cannot end it.
 */
import { between, within } from "./range.ts";

/**
 * Pairs until noHarmInterval's `high` is below `margin` if no pair ever differs: the first n with 4 ln(2/alpha) / n <
 * margin.
 */
export function noHarmPairsMin(limits: { readonly alpha: number; readonly margin: number }): number {
  between("alpha", limits.alpha, 0, 1);
  between("margin", limits.margin, 0, 1);
  return Math.floor((4 * Math.log(2 / limits.alpha)) / limits.margin) + 1;
}

/**
 * Pairs before which the fitness bet cannot reach `evidence` (1/alpha, or K/alpha) if every pair shows this `gain`
 * exactly, with the bet's own `floor` (0 by default): the first stake is 0 and no later one more than half. Infinity
 * when the gain does not exceed the floor. A noisy gain needs more.
 */
export function fitnessPairsMin(limits: {
  readonly evidence: number;
  readonly gain: number;
  readonly floor?: number;
}): number {
  within("evidence", limits.evidence, 1, Number.MAX_VALUE);
  const surplus = within("gain", limits.gain, -1, 1) - within("floor", limits.floor ?? 0, -0.5, 0.5);
  return surplus <= 0 ? Infinity : 1 + Math.ceil(Math.log(limits.evidence) / Math.log1p(surplus / 2));
}
