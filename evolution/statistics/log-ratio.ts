/**
 * Is the shadow slower? The mean of y = ln(cost of the shadow / cost of the champion) with a half-width that may be
 * looked at after every pair: a one-sided asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and
 * Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", 2021, Robbins' normal mixture over
 * one side):
 *
 *     h = s sqrt(2 (t r^2 + 1) / (t^2 r^2) ln(1 + sqrt(t r^2 + 1) / (2 alpha)))
 *     r = sqrt((-2 ln a + ln(-2 ln a + 1)) / 500),  a = 2 alpha
 *
 * Why the 1 under the logarithm: the mixture over positive drifts is 2 Phi(z) e^(z^2/2) / sqrt(t r^2 + 1), and with
 * z^2/2 = ln(1 + y/2) it is at least y, because Phi(z) >= 1 - e^(-z^2/2) / 2.
 *
 * 1. One-sided: `mean - halfWidth` bounds the mean from below, and `mean + halfWidth` from above, each with its own
 *    alpha.
 * 2. Asymptotic: the variance is estimated, so nothing is said before 100 pairs, and its limit is the one promised
 *    only as the pairs become many. What is rare and large is not seen by a mean of logarithms: count slow requests
 *    with harm.ts as well.
 * 3. Pairs are taken as unrelated, given the past.
 */
import { between, within } from "./range.ts";

/** Before this many pairs the half-width is Infinity. */
export const LOG_RATIO_PAIRS_MIN = 100;
/** The pairs at which the bound is tightest. */
const TUNED_PAIRS = 500;
/** More than the logarithm of the largest double over the smallest. */
const LOG_RATIO_MAX = 1_500;

/** Count, mean and sum of squared deviations (Welford 1962). Plain data; states are never changed, only replaced. */
export interface LogRatioState {
  readonly pairs: number;
  readonly mean: number;
  readonly deviations: number;
}

/** Nothing seen yet. */
export function emptyLogRatio(): LogRatioState {
  return { pairs: 0, mean: 0, deviations: 0 };
}

/** The state after one more pair with log ratio `y` (natural logarithm, finite). RangeError beyond -1,500 to 1,500. */
export function addLogRatio(state: LogRatioState, y: number): LogRatioState {
  within("log ratio", y, -LOG_RATIO_MAX, LOG_RATIO_MAX);
  const pairs = state.pairs + 1;
  const mean = state.mean + (y - state.mean) / pairs;
  return { pairs, mean, deviations: state.deviations + (y - state.mean) * (y - mean) };
}

/**
 * The mean log ratio and the half-width of a one-sided bound at error limit `alpha` (0 to 1/2, both excluded),
 * `Infinity` below 100 pairs. Too slow when mean - halfWidth is above the margin; proved fast enough when mean +
 * halfWidth is below it.
 */
export function logRatioBounds(
  state: LogRatioState,
  alpha: number,
): { readonly mean: number; readonly halfWidth: number; readonly pairs: number } {
  between("alpha", alpha, 0, 0.5);
  const { pairs, mean } = state;
  if (pairs < LOG_RATIO_PAIRS_MIN) return { mean, halfWidth: Infinity, pairs };
  const deviation = Math.sqrt(state.deviations / (pairs - 1));
  return { mean, halfWidth: deviation * unitHalfWidth(pairs, alpha), pairs };
}

/** The half-width for a standard deviation of 1. */
function unitHalfWidth(pairs: number, alpha: number): number {
  const strictness = -2 * Math.log(2 * alpha);
  const spread = (pairs * (strictness + Math.log1p(strictness))) / TUNED_PAIRS; // t r^2
  const logBound = Math.log1p(Math.sqrt(spread + 1) / (2 * alpha));
  return Math.sqrt((2 * (spread + 1) * logBound) / (pairs * spread));
}
