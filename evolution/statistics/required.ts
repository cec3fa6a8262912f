/**
 * How many pairs a decision needs at the very least, when everything goes well: for showing progress, and for
 * refusing at the start a trial whose budget cannot end it.
 */
import { between, within } from "./range.ts";

/**
 * Pairs before which the bet cannot prove, at `alpha`, that failures rise by less than `margin` (0 to 1/2), if no pair ever differs:
 * up to a dozen fewer than it takes.
 */
export function noHarmPairsMin(limits: { readonly alpha: number; readonly margin: number }): number {
  const alpha = between("alpha", limits.alpha, 0, 1);
  const margin = between("margin", limits.margin, 0, 1);
  return fitnessPairsMin({ evidence: 1 / alpha, gain: 0, floor: -margin });
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
