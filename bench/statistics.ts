/**
 * What is said about a set of samples. Pure: numbers in, numbers out.
 *
 * Definitions
 * 1. Percentiles are nearest rank: the smallest sample that at least that share of all samples does not exceed. It is
 *    always a sample that happened, never an interpolation. Below 100 samples the p99 is therefore the worst sample.
 * 2. The median is the middle sample, or the mean of the two in the middle.
 * 3. Spread is the width of the middle half (75th less 25th percentile) as a share of the median: 0 when all agree.
 * 4. A ratio of two measurements is the ratio of their medians.
 */
import assert from "node:assert/strict";

/** What is printed of a set of samples, in their unit. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
  /** Share of the median, see definition 3. */
  readonly spread: number;
}

/** 0.07 * 100 is a little more than 7 in binary; the rank is 7 all the same. */
const RANK_TOLERANCE = 1e-9;

/** Everything that is printed of these samples. At least one is required. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = sortedCopy(samples);
  return {
    count: sorted.length,
    min: percentileOfSorted(sorted, 0),
    median: medianOfSorted(sorted),
    p99: percentileOfSorted(sorted, 0.99),
    max: percentileOfSorted(sorted, 1),
    spread: spreadOfSorted(sorted),
  };
}

/** The middle sample, or the mean of the two in the middle. At least one sample is required. */
export function median(samples: readonly number[]): number {
  return medianOfSorted(sortedCopy(samples));
}

/** The nearest-rank percentile for a share from 0 (the least) to 1 (the greatest). At least one sample is required. */
export function percentile(samples: readonly number[], share: number): number {
  return percentileOfSorted(sortedCopy(samples), share);
}

/** The width of the middle half as a share of the median. At least one sample is required. */
export function spread(samples: readonly number[]): number {
  return spreadOfSorted(sortedCopy(samples));
}

/** How many times `base` the other measurement is: median by median. */
export function ratioOfMedians(samples: readonly number[], base: readonly number[]): number {
  return median(samples) / median(base);
}

function sortedCopy(samples: readonly number[]): Float64Array {
  assert.ok(samples.length > 0, "nothing was sampled");
  assert.ok(samples.every(Number.isFinite), "a sample is not a number");
  return Float64Array.from(samples).toSorted();
}

function medianOfSorted(sorted: Float64Array): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2;
}

function percentileOfSorted(sorted: Float64Array, share: number): number {
  assert.ok(share >= 0 && share <= 1, `a percentile is a share from 0 to 1, not ${share}`);
  const rank = Math.ceil(share * sorted.length - RANK_TOLERANCE);
  return at(sorted, Math.max(0, rank - 1));
}

function spreadOfSorted(sorted: Float64Array): number {
  const width = percentileOfSorted(sorted, 0.75) - percentileOfSorted(sorted, 0.25);
  return width === 0 ? 0 : width / medianOfSorted(sorted);
}

function at(sorted: Float64Array, index: number): number {
  const sample = sorted[index];
  assert.ok(sample !== undefined, `no sample ${index} of ${sorted.length}`);
  return sample;
}
