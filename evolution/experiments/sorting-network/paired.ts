/**
 * The paired test of two arms: Wilcoxon's signed ranks, exact, one-sided (Wilcoxon 1945; Hollander and Wolfe, Nonparametric Statistical
 * Methods, 3.1). Pairs without a difference are left out, equal differences share their ranks.
 */

/** What a paired test says. */
export interface PairedTest {
  /** Pairs with a difference. */
  readonly pairs: number;
  /** Pairs in which the first is lower. */
  readonly lower: number;
  /** How likely ranks like these are, or more extreme ones, when neither arm is lower: small when the first is. */
  readonly p: number;
}

/** Tests whether values of the first are lower than those of the second, pair by pair. */
export function pairedTest(first: readonly number[], second: readonly number[]): PairedTest {
  const differences = first.map((value, at) => value - (second[at] ?? value)).filter((each) => each !== 0);
  const ranks = doubledRanks(differences.map(Math.abs));
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  const positive = ranks.reduce((sum, rank, at) => sum + ((differences[at] ?? 0) > 0 ? rank : 0), 0);
  // ways[s]: sign patterns whose positive ranks sum to s, as a share of all patterns.
  let ways = new Float64Array(total + 1);
  ways[0] = 1;
  for (const rank of ranks) ways = ways.map((share, sum) => (share + (sum >= rank ? (ways[sum - rank] ?? 0) : 0)) / 2);
  return {
    pairs: differences.length,
    lower: differences.filter((each) => each < 0).length,
    p: ways.subarray(0, positive + 1).reduce((sum, share) => sum + share, 0),
  };
}

/** Twice the rank of each, so that shared ranks are whole. */
function doubledRanks(sizes: readonly number[]): readonly number[] {
  const ordered = sizes.toSorted((a, b) => a - b);
  return sizes.map((size) => ordered.indexOf(size) + ordered.lastIndexOf(size) + 2);
}
