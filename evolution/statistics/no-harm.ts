/**
 * Is the shadow proved to be no worse? An interval for the mean difference d (shadow minus champion, -1 to 1) that
 * holds at all looks together.
 *
 * The predictable plug-in empirical-Bernstein confidence sequence of Waudby-Smith and Ramdas, "Estimating means of
 * bounded random variables by betting" (2024; there PrPl-EB), for x = (d + 1) / 2:
 *
 *     lambda_i = min(1/2, sqrt(2 ln(2/alpha) / (s2_{i-1} i ln(1+i))))      m_i  = (1/2 + sum x) / (i + 1)
 *     psi(l)   = (-ln(1-l) - l) / 4,  v_i = 4 (x_i - m_{i-1})^2            s2_i = (1/4 + sum (x_j - m_j)^2) / (i + 1)
 *     interval = (sum(lambda x) -/+ (ln(2/alpha) + sum(v psi(lambda)))) / sum(lambda)
 *
 * 1. With probability 1 - alpha all intervals, from the first look to the last, hold the mean at once. No assumption
 *    but the range, and that the mean given the past stays the same; where it moves, they hold its average, weighted
 *    with lambda.
 * 2. lambda comes from the pairs before its own, never from the pair it weighs.
 * 3. The alpha of the state tunes lambda, so it is fixed before the first pair. Reading at another alpha is valid as
 *    well, only a little wider than it could be.
 */
import { between, within } from "./range.ts";

/** No lambda is larger: psi grows without limit towards 1. The authors' choice is 1/2 or 3/4. */
const LAMBDA_MAX = 0.5;

/** The sums. Plain data; states are never changed, only replaced. */
export interface NoHarmState {
  readonly pairs: number;
  /** The error limit that lambda is tuned for. */
  readonly alpha: number;
  /** Of d itself. */
  readonly differences: number;
  /** Of (x - m)^2, each with the mean that includes it. */
  readonly deviations: number;
  readonly lambdas: number;
  /** Of lambda (x - 1/2): the middle is taken off, so that many equal pairs lose no digits. */
  readonly weighted: number;
  /** Of v psi(lambda). */
  readonly penalty: number;
}

/** Nothing seen yet; `alpha`, 0.05 by default, is the error limit at which it will be read. */
export function emptyNoHarm(options: { readonly alpha?: number } = {}): NoHarmState {
  const alpha = between("alpha", options.alpha ?? 0.05, 0, 1);
  return { pairs: 0, alpha, differences: 0, deviations: 0, lambdas: 0, weighted: 0, penalty: 0 };
}

/**
 * The state after one more pair with this difference, from -1 (only the champion failed) to 1. RangeError elsewhere.
 */
export function addNoHarm(state: NoHarmState, difference: number): NoHarmState {
  within("difference", difference, -1, 1);
  const { alpha } = state;
  const pairs = state.pairs + 1;
  const offset = difference / 2; // x - 1/2
  const meanBefore = state.differences / 2 / pairs; // m - 1/2, the pseudo-pair at 1/2 included
  const variance = (0.25 + state.deviations) / pairs;
  const lambda = Math.min(LAMBDA_MAX, Math.sqrt((2 * Math.log(2 / alpha)) / (variance * pairs * Math.log1p(pairs))));
  const differences = state.differences + difference;
  const meanAfter = differences / 2 / (pairs + 1);
  return {
    pairs,
    alpha,
    differences,
    deviations: state.deviations + (offset - meanAfter) ** 2,
    lambdas: state.lambdas + lambda,
    weighted: state.weighted + lambda * offset,
    penalty: state.penalty + (offset - meanBefore) ** 2 * (-Math.log1p(-lambda) - lambda),
  };
}

/**
 * The interval for the mean of d at this look, within -1 and 1, with the plain mean (0 for no pairs). The shadow is
 * proved to be no worse than by a margin as soon as `high` is below it; it is proved worse when `low` is above.
 */
export function noHarmInterval(
  state: NoHarmState,
  alpha: number,
): { readonly low: number; readonly high: number; readonly mean: number; readonly pairs: number } {
  between("alpha", alpha, 0, 1);
  const { pairs } = state;
  if (pairs === 0) return { low: -1, high: 1, mean: 0, pairs };
  const middle = (2 * state.weighted) / state.lambdas;
  const half = (2 * (Math.log(2 / alpha) + state.penalty)) / state.lambdas;
  return {
    low: clipped(middle - half),
    high: clipped(middle + half),
    mean: state.differences / pairs,
    pairs,
  };
}

function clipped(value: number): number {
  return Math.max(-1, Math.min(1, value));
}
