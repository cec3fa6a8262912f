/**
 * Is the shadow better? A bet against "the mean gain is at most the floor", with gain = fitness of the shadow minus
 * fitness of the champion on the same request, -1 to 1, and a floor of 0 for a win:
 *
 *     E = product of (1 + l_i g_i),   l_i = clip(m_{i-1} / q_{i-1}, 0, 1/2),   g = gain - floor
 *     m = sum g / i,  q = (1/4 + sum g^2) / i,  both over the pairs before
 *
 * A gambler who starts with 1 and bets the share l on each pair (Waudby-Smith and Ramdas, "Estimating means of
 * bounded random variables by betting", 2024; the share is theirs, mean over second moment, which approximates
 * Kelly's). While the claim holds no bet is worth more than its stake, so his wealth E ever reaches 1/alpha with
 * probability at most alpha (Ville 1939).
 *
 * 1. Valid at every look. Promote at E >= 1/alpha; among K candidates at E >= K/alpha, or by e-bh.ts.
 * 2. The share comes from the pairs before its own. At most half is staked, so E never reaches 0 and one bad pair is
 *    no end.
 * 3. A floor below 0 turns the same bet into a proof that the shadow is not worse by more than that: the cheap form of
 *    no-harm.ts where only the answer is wanted and no interval.
 */
import { within } from "./range.ts";

const STAKE_MAX = 0.5;

/** The sums. Plain data; states are never changed, only replaced. */
export interface FitnessState {
  readonly pairs: number;
  /** What the mean gain has to exceed. */
  readonly floor: number;
  /** Of the gains themselves. */
  readonly gains: number;
  /** Of (gain - floor)^2. */
  readonly squares: number;
  /** Natural logarithm of the gambler's wealth. */
  readonly logWealth: number;
}

/** Nothing seen yet. `floor` (-0.5 to 0.5, 0 by default) is what the mean gain has to be proved to exceed. */
export function emptyFitness(options: { readonly floor?: number } = {}): FitnessState {
  const floor = within("floor", options.floor ?? 0, -0.5, 0.5);
  return { pairs: 0, floor, gains: 0, squares: 0, logWealth: 0 };
}

/** The state after one more pair with this gain, -1 to 1. RangeError elsewhere. */
export function addFitness(state: FitnessState, gain: number): FitnessState {
  within("gain", gain, -1, 1);
  const { pairs, floor } = state;
  const surplus = gain - floor;
  return {
    pairs: pairs + 1,
    floor,
    gains: state.gains + gain,
    squares: state.squares + surplus * surplus,
    logWealth: state.logWealth + Math.log1p(stake(state) * surplus),
  };
}

/**
 * Natural logarithm of the evidence E that the mean gain exceeds the floor: compare with ln(1/alpha), or ln(K/alpha).
 */
export function logFitnessEvidence(state: FitnessState): number {
  return state.logWealth;
}

/** The plain mean of the gains, 0 for no pairs: too good on average for a winner, because it was chosen for it. */
export function meanGain(state: FitnessState): number {
  return state.pairs === 0 ? 0 : state.gains / state.pairs;
}

/**
 * The gain to report for the winner of `candidates` (1 by default): the mean times max(0, 1 - (1 + ln candidates) v /
 * mean^2), v the estimated variance of the mean. For one candidate it is the positive-part shrinkage towards 0 of
 * James and Stein (1961), in one dimension, and takes off what stopping at a good moment has added; 1 + ln K is about
 * the square of the standard errors by which the luckiest of K equal candidates is ahead. RangeError for fewer than 1
 * candidate.
 */
export function shrunkGain(state: FitnessState, options: { readonly candidates?: number } = {}): number {
  const candidates = within("candidates", options.candidates ?? 1, 1, Number.MAX_SAFE_INTEGER);
  const mean = meanGain(state);
  if (mean === 0) return 0;
  const { pairs, floor } = state;
  const secondMoment = (0.25 + state.squares) / pairs;
  const variance = Math.max(0, secondMoment - (mean - floor) ** 2) / pairs;
  return mean * Math.max(0, 1 - ((1 + Math.log(candidates)) * variance) / (mean * mean));
}

/** The share of the wealth that goes on the next pair. */
function stake({ pairs, floor, gains, squares }: FitnessState): number {
  const surplus = gains - pairs * floor;
  return Math.max(0, Math.min(STAKE_MAX, surplus / (0.25 + squares)));
}
