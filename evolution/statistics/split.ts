/**
 * Is the shadow worse on traffic of its own? When traffic is split, each failure asks whose it was: under "not worse"
 * it is the shadow's with probability at most w, its share of the traffic at that moment, whatever came before:
 *
 *     M = mean over g in {.1, .3, .6, .9} of the product over failures of (1 + (g/w) (1[the shadow's] - w))
 *
 * Four gamblers bet shares of their wealth against that claim; the mean of their wealths is a supermartingale that
 * begins at 1, so it reaches 1/alpha with probability at most alpha (Ville 1939; a mixture of martingales, Robbins
 * 1970).
 *
 * 1. Valid at every look and under any share that is fixed before the request: ramps, and bandits too.
 * 2. Failures must not come in crowds of one owner. Under sticky assignment a session that fails fails on the same
 *    side again, and the claim "with probability w, whatever came before" is wrong for harmless shadows. So count
 *    each session's first failure only.
 * 3. Nobody loses everything: at most 9/10 are staked, so one failure of the champion is no end.
 */
import { between } from "./range.ts";

/** Parts of what could be staked at most, 1/w. */
const STAKES = [0.1, 0.3, 0.6, 0.9] as const;

/** Natural logarithms of the gamblers' wealths. Plain data; states are never changed, only replaced. */
export interface SplitState {
  readonly failures: number;
  readonly logWealths: readonly number[];
}

/** No failure seen yet. */
export function emptySplit(): SplitState {
  return { failures: 0, logWealths: STAKES.map(() => 0) };
}

/**
 * The state after one more failure (the first of its session, where assignment is sticky). `shadowShare` is the share
 * of traffic that went to the shadow when the request came, between 0 and 1, both excluded: where one side has all of
 * the traffic there is nothing to compare. RangeError elsewhere.
 */
export function addSplitFailure(
  state: SplitState,
  failure: { readonly isShadows: boolean; readonly shadowShare: number },
): SplitState {
  const share = between("shadowShare", failure.shadowShare, 0, 1);
  const logFactor = (stake: number) => Math.log1p(failure.isShadows ? (stake * (1 - share)) / share : -stake);
  return {
    failures: state.failures + 1,
    logWealths: STAKES.map((stake, index) => (state.logWealths[index] ?? 0) + logFactor(stake)),
  };
}

/** Natural logarithm of the evidence M that the shadow is worse: compare with ln(1/alpha). */
export function logSplitEvidence(state: SplitState): number {
  const largest = Math.max(...state.logWealths);
  const sum = state.logWealths.reduce((total, logWealth) => total + Math.exp(logWealth - largest), 0);
  return largest + Math.log(sum / state.logWealths.length);
}
