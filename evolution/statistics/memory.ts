/**
 * Does the shadow need too much memory, or ever more of it? Judged from checkpoints: heap after a collection, or less what may be garbage,
 * of both versions after the same requests.
 *
 * 1. Too much: the ratio of the medians is above 1.25, and the shadow is above the champion so often that the sign
 *    test's p is below .01.
 * 2. A leak: over the last 20 checkpoints the shadow's lead over the champion rises (Mann 1945, Kendall 1975), and
 *    its heap, continued along its slope (Theil 1950, Sen 1968) over the horizon, would pass 80 % of the limit. The
 *    lead, because state that grows makes both grow, and that is no fault of the candidate.
 * 3. Both may be asked after each checkpoint. The sign test's p is valid at every look; a trend of more than 4
 *    standard deviations is ever seen in the last 20 of up to 100 unrelated checkpoints in about 0.1 % of harmless
 *    runs, one of 2.33 in 28 %.
 * 4. Checkpoints of one process are related, so these limits are no promise as those of the other tests are: what
 *    carries the decision is the size (1.25 times, 80 %), and the tests keep noise out.
 */
import { logHarmEvidence } from "./harm.ts";
import { between, within } from "./range.ts";

/** Heap bytes of both versions at one checkpoint. */
export interface MemorySample {
  readonly champion: number;
  readonly shadow: number;
}

/** What memory is judged against. */
export interface MemoryLimits {
  /** The isolate's limit. */
  readonly heapBytes: number;
  /** How many more requests the heap has to last for. */
  readonly horizonRequests: number;
  /** Requests between two checkpoints. */
  readonly requestsPerSample: number;
  /** A lead over the champion up to this may be garbage that was not collected yet. Default 0: every look follows a collection. */
  readonly leadBytesMin?: number;
  /** So may a growth up to this, over the checkpoints of a trend. Default 0. */
  readonly growthBytesMin?: number;
}

/** The judgement with its figures. All are finite. */
export interface MemoryVerdict {
  readonly isHarmful: boolean;
  /** One sentence. */
  readonly reason: string;
  /** Median of the shadow over median of the champion; 1 for no samples. */
  readonly ratio: number;
  /** See signTestP. */
  readonly signP: number;
  /** Mann-Kendall z of the shadow's lead over the last 20 checkpoints; 0 below 10 checkpoints. */
  readonly trendZ: number;
  /**
   * Theil-Sen slope of the shadow's heap over the last 20 checkpoints, in bytes per request; 0 below 10 checkpoints.
   */
  readonly slopeBytes: number;
}

const SAMPLES_MIN = 10;
const TREND_SAMPLES = 20;
const RATIO_MAX = 1.25;
const SIGN_P_MAX = 0.01;
const TREND_Z_MAX = 4;
const HEAP_SHARE_MAX = 0.8;

/**
 * The verdict over all checkpoints so far, oldest first; at least 10 are needed to find harm. Time grows with the
 * number of checkpoints times its logarithm. RangeError for sizes that are not positive.
 */
export function memoryVerdict(samples: readonly MemorySample[], limits: MemoryLimits): MemoryVerdict {
  for (const { champion, shadow } of samples) {
    within("a champion's heap", champion, 1, Number.MAX_SAFE_INTEGER);
    within("a shadow's heap", shadow, 1, Number.MAX_SAFE_INTEGER);
  }
  between("heapBytes", limits.heapBytes, 0, Infinity);
  between("requestsPerSample", limits.requestsPerSample, 0, Infinity);
  within("horizonRequests", limits.horizonRequests, 0, Number.MAX_VALUE);
  const figures = figuresOf(samples, limits);
  return { ...judged(samples, figures, limits), ...figures };
}

/**
 * Mann and Kendall's statistic for a rising trend, standard normal (about, from 10 values on) when there is none: the
 * concordant minus the discordant pairs, over their standard deviation with Kendall's correction for ties, one step
 * nearer to 0 for continuity. 0 when all are equal. Time grows with the square of the number of values.
 */
export function mannKendallZ(values: readonly number[]): number {
  let score = 0;
  for (const [index, later] of values.entries())
    for (let earlier = 0; earlier < index; earlier++) score += Math.sign(later - (values[earlier] ?? later));
  const variance = (tieTerm(values.length) - tieSum(values)) / 18;
  return score === 0 ? 0 : (score - Math.sign(score)) / Math.sqrt(variance);
}

/**
 * Median of the slopes between any two values, per step: up to 29 % of wild values do not move it. 0 below two.
 * Quadratic, too.
 */
export function theilSenSlope(values: readonly number[]): number {
  const slopes: number[] = [];
  for (const [index, later] of values.entries())
    for (let earlier = 0; earlier < index; earlier++)
      slopes.push((later - (values[earlier] ?? later)) / (index - earlier));
  return slopes.length === 0 ? 0 : median(slopes);
}

/**
 * One-sided sign test: 1/E of the harm test over "above" and "below", at most 1. Being above for reasons of chance
 * alone ever gives a value of p or less with probability p at most, however often one looks. Nine of nine give .0098.
 */
export function signTestP(counts: { readonly above: number; readonly below: number }): number {
  return Math.exp(-Math.max(0, logHarmEvidence({ shadowOnly: counts.above, championOnly: counts.below })));
}

type Figures = Pick<MemoryVerdict, "ratio" | "signP" | "trendZ" | "slopeBytes">;

function figuresOf(samples: readonly MemorySample[], limits: MemoryLimits): Figures {
  const ratio =
    samples.length === 0
      ? 1
      : median(samples.map(({ shadow }) => shadow)) / median(samples.map(({ champion }) => champion));
  const signP = signTestP({
    above: samples.filter(({ champion, shadow }) => shadow > champion).length,
    below: samples.filter(({ champion, shadow }) => shadow < champion).length,
  });
  if (samples.length < SAMPLES_MIN) return { ratio, signP, trendZ: 0, slopeBytes: 0 };
  const recent = samples.slice(-TREND_SAMPLES);
  return {
    ratio,
    signP,
    trendZ: mannKendallZ(recent.map(({ champion, shadow }) => shadow - champion)),
    slopeBytes: theilSenSlope(recent.map(({ shadow }) => shadow)) / limits.requestsPerSample,
  };
}

function judged(
  samples: readonly MemorySample[],
  { ratio, signP, trendZ, slopeBytes }: Figures,
  limits: MemoryLimits,
): { readonly isHarmful: boolean; readonly reason: string } {
  const last = samples.at(-1);
  if (last === undefined || samples.length < SAMPLES_MIN)
    return { isHarmful: false, reason: `${samples.length} of the ${SAMPLES_MIN} checkpoints that a verdict needs` };
  if (ratio > RATIO_MAX && signP < SIGN_P_MAX && leadOf(samples) > (limits.leadBytesMin ?? 0))
    return {
      isHarmful: true,
      reason: `the heap is ${ratio.toFixed(2)} times the champion's (p ${signP.toPrecision(2)})`,
    };
  const share = (last.shadow + slopeBytes * limits.horizonRequests) / limits.heapBytes;
  const growth = slopeBytes * limits.requestsPerSample * Math.min(samples.length - 1, TREND_SAMPLES - 1);
  if (trendZ > TREND_Z_MAX && share > HEAP_SHARE_MAX && growth > (limits.growthBytesMin ?? 0))
    return { isHarmful: true, reason: leakReason(slopeBytes, share, limits) };
  return { isHarmful: false, reason: `the heap is ${ratio.toFixed(2)} times the champion's, and no leak is seen` };
}

/** By how much the median of the shadow exceeds the champion's. */
function leadOf(samples: readonly MemorySample[]): number {
  return median(samples.map(({ shadow }) => shadow)) - median(samples.map(({ champion }) => champion));
}

function leakReason(slopeBytes: number, share: number, { horizonRequests }: MemoryLimits): string {
  const growth = `the heap grows by ${Math.round(slopeBytes)} bytes per request`;
  return `${growth} and would be ${Math.round(share * 100)} % of its limit after ${horizonRequests} more`;
}

/** 18 times the variance of the score of n values without ties. */
function tieTerm(n: number): number {
  return n * (n - 1) * (2 * n + 5);
}

/** What ties take off: the same term for each group of equal values. */
function tieSum(values: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const value of values) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  return [...sizes.values()].reduce((sum, size) => sum + tieTerm(size), 0);
}

/** The middle value, or the mean of the two middle ones, of a list that is not empty. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (upper + lower) / 2;
}
