/**
 * Latency or fitness of two versions that saw different requests: a bound for each arm at half of alpha, and the
 * bounds together hold the difference. Each arm is the asymptotic sequence of log-ratio.ts over its own values, so
 * the arms may grow at any pace, as under a ramp or a bandit.
 *
 * 1. Nothing is said before both arms have 100 values.
 * 2. Values of one session are related: under sticky assignment give one value per session (its first, or its mean).
 */
import { addLogRatio, emptyLogRatio, logRatioBounds } from "./log-ratio.ts";
import type { LogRatioState } from "./log-ratio.ts";
import { between } from "./range.ts";

/** Both arms. Plain data; states are never changed, only replaced. */
export interface TwoSampleState {
  readonly champion: LogRatioState;
  readonly shadow: LogRatioState;
}

/** Nothing seen yet. */
export function emptyTwoSample(): TwoSampleState {
  return { champion: emptyLogRatio(), shadow: emptyLogRatio() };
}

/**
 * The state after one more request: `value` is ln(CPU ms) for latency, the fitness itself for fitness; -1,500 to 1,500.
 */
export function addTwoSample(
  state: TwoSampleState,
  request: { readonly isShadows: boolean; readonly value: number },
): TwoSampleState {
  return request.isShadows
    ? { champion: state.champion, shadow: addLogRatio(state.shadow, request.value) }
    : { champion: addLogRatio(state.champion, request.value), shadow: state.shadow };
}

/**
 * The difference of the means, shadow minus champion, and the half-width of a one-sided bound at error limit `alpha`
 * (0 to 1/2, both excluded): Infinity until both arms have 100 values. `requests` is the smaller arm's number. Of
 * latency the difference is the logarithm of the ratio.
 */
export function twoSampleBounds(
  state: TwoSampleState,
  alpha: number,
): { readonly difference: number; readonly halfWidth: number; readonly requests: number } {
  between("alpha", alpha, 0, 0.5);
  const champion = logRatioBounds(state.champion, alpha / 2);
  const shadow = logRatioBounds(state.shadow, alpha / 2);
  return {
    difference: shadow.mean - champion.mean,
    halfWidth: champion.halfWidth + shadow.halfWidth,
    requests: Math.min(champion.pairs, shadow.pairs),
  };
}
