/**
 * Thompson's share: how likely it is that the candidate does better than the champion, by seeded draws from what is
 * known of both. (Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 25, 1933.)
 *
 * The draws of a share depend on counts that were made before it is used and on the seed, and on nothing of the request that
 * is then assigned: the martingale of `statistics/split.ts` is valid under any such share.
 */
import { seededRandom } from "../../runtime/index.ts";
import type { Random } from "../../runtime/index.ts";

/** A candidate never gets more: the champion's answers are what it is measured against. */
const SHARE_MAX = 0.5;
/** Nor less, as long as it is not rolled back: without requests nothing is learned. */
const SHARE_MIN = 0.01;
/** Draws behind one share; its error is below four points. */
const DRAWS = 200;

/** Requests of one version and what they lack: 1 for each that failed, or 1 minus its fitness. */
export interface ArmCounts {
  readonly requests: number;
  readonly loss: number;
}

/** The candidate's share for the requests to come: 0.01 to 0.5. Repeats exactly for the same counts and seed (32 bits). */
export function thompsonShare(
  arms: { readonly candidate: ArmCounts; readonly champion: ArmCounts },
  seed: number,
): number {
  const random = seededRandom(seed);
  let wins = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const candidate = drawBeta(1 + arms.candidate.loss, 1 + successesOf(arms.candidate), random);
    const champion = drawBeta(1 + arms.champion.loss, 1 + successesOf(arms.champion), random);
    if (candidate < champion) wins += 1;
  }
  return Math.min(SHARE_MAX, Math.max(SHARE_MIN, wins / DRAWS));
}

function successesOf({ requests, loss }: ArmCounts): number {
  return Math.max(0, requests - loss);
}

/** One draw of Beta(a, b), a, b >= 1: of two Gamma draws the first one's part. */
function drawBeta(a: number, b: number, random: Random): number {
  const first = drawGamma(a, random);
  return first / (first + drawGamma(b, random));
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; for shape >= 1 it refuses under 5 % of its tries. */
function drawGamma(shape: number, random: Random): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = drawNormal(random);
    const cube = (1 + c * normal) ** 3;
    if (cube > 0 && Math.log(uniform(random)) < 0.5 * normal * normal + d - d * cube + d * Math.log(cube))
      return d * cube;
  }
}

/** Box and Muller, 1958. */
function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(uniform(random))) * Math.cos(2 * Math.PI * uniform(random));
}

/** In (0, 1]: its logarithm is finite. */
function uniform(random: Random): number {
  return (random.next32() + 1) / 2 ** 32;
}
