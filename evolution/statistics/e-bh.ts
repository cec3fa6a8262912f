/**
 * Which of many candidates are better? The e-BH procedure of Wang and Ramdas, "False discovery rate control with
 * e-values" (2022): sort the evidence, and take the k strongest for the largest k whose k-th has E >= K / (alpha k).
 *
 * 1. At most alpha of what it takes is false on average, however the candidates depend on each other, as shadows that
 *    are fed the same requests do.
 * 2. Each E is read once, at one moment (fixed, or a stopping time of all candidates together). Not the best value it
 *    ever had: for maxima over time the limit does not hold.
 */
import { between } from "./range.ts";

/**
 * Indices, ascending, of the discoveries among natural logarithms of e-values, at false discovery rate `alpha` (0 to
 * 1, both excluded). -Infinity is no evidence at all; NaN is a RangeError.
 */
export function eBenjaminiHochberg(logEValues: readonly number[], alpha: number): readonly number[] {
  between("alpha", alpha, 0, 1);
  for (const value of logEValues) if (Number.isNaN(value)) throw new RangeError("an e-value is NaN");
  const threshold = Math.log(logEValues.length / alpha);
  const strongestFirst = logEValues.map((logE, index) => ({ logE, index })).toSorted(byEvidence);
  const last = strongestFirst.findLastIndex(({ logE }, rank) => logE >= threshold - Math.log(rank + 1));
  return strongestFirst
    .slice(0, last + 1)
    .map(({ index }) => index)
    .toSorted((a, b) => a - b);
}

/** Descending, and by index among equals; two infinities of a sign are equal. */
function byEvidence(a: { logE: number; index: number }, b: { logE: number; index: number }): number {
  return a.logE === b.logE ? a.index - b.index : b.logE - a.logE;
}
