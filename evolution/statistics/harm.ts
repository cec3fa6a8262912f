/**
 * Is the shadow worse? Evidence from pairs that saw the same request and of which one failed and the other did not.
 *
 * A pair in which both failed, or none, says nothing about the difference. Of the others, under "not worse", each
 * falls to the shadow with probability at most theta0, whatever came before:
 *
 *     E = integral over t from theta0 to 1 of t^b (1-t)^c dt / ((1-theta0) theta0^b (1-theta0)^c)
 *
 * with b pairs in which only the shadow failed and c in which only the champion did: the likelihood of all the worse
 * worlds together, uniformly weighted, against the worst of the harmless ones. Under "not worse" it is a
 * supermartingale that begins at 1, so it ever reaches 1/alpha with probability at most alpha (Ville 1939; the
 * mixture is Robbins', 1970).
 *
 * 1. Valid at every look and at any stopping time: fail as soon as E >= 1/alpha.
 * 2. Exact for any counts, no normal approximation; no NaN up to 1e9 pairs.
 * 3. It can only accuse. A small E is no proof of harmlessness: that is no-harm.ts.
 */
import { count, within } from "./range.ts";
import { logBetaKernel, logIncompleteBeta } from "./special.ts";

/** Pairs of which exactly one failed. Plain data; states are never changed, only replaced. */
export interface HarmState {
  /** Pairs in which the shadow failed and the champion did not. */
  readonly shadowOnly: number;
  /** Pairs in which the champion failed and the shadow did not. */
  readonly championOnly: number;
}

/** Nothing seen yet. */
export function emptyHarm(): HarmState {
  return { shadowOnly: 0, championOnly: 0 };
}

/** The state after one more pair. */
export function addHarm(
  state: HarmState,
  pair: { readonly didShadowFail: boolean; readonly didChampionFail: boolean },
): HarmState {
  if (pair.didShadowFail === pair.didChampionFail) return state;
  const { shadowOnly, championOnly } = state;
  return pair.didShadowFail
    ? { shadowOnly: shadowOnly + 1, championOnly }
    : { shadowOnly, championOnly: championOnly + 1 };
}

/**
 * Natural logarithm of the evidence E that the shadow is worse: 0 for no pairs; compare with ln(1/alpha).
 *
 * `timesAllowed` (1 by default) is how many failures of its own the shadow may have for each of the champion's own:
 * theta0 = timesAllowed / (1 + timesAllowed). Failures that both share are not counted on either side, so above 1
 * this is stricter than the same factor between the two failure rates. RangeError for counts that are none, and
 * outside 1e-6 to 1e6.
 */
export function logHarmEvidence(state: HarmState, options: { readonly timesAllowed?: number } = {}): number {
  const b = count("shadowOnly", state.shadowOnly);
  const c = count("championOnly", state.championOnly);
  const times = within("timesAllowed", options.timesAllowed ?? 1, 1e-6, 1e6);
  if (b + c === 0) return 0;
  const share = times / (1 + times);
  const rest = 1 / (1 + times);
  // The integral is B(b+1, c+1) times the probability that a Beta(b+1, c+1) variable exceeds theta0, which is what
  // 1 - that variable, a Beta(c+1, b+1) one, has below 1 - theta0.
  return logIncompleteBeta(rest, c + 1, b + 1) - logBetaKernel(rest, c + 1, b + 1) + Math.log(share);
}
