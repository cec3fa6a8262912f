/**
 * The definitions of bench/statistics.ts, each on numbers that can be checked by eye, and as properties.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { median, percentile, ratioOfMedians, spread, summarize } from "../../bench/statistics.ts";

const samples = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });

describe("the median", () => {
  it("is the middle sample of an odd number", () => assert.equal(median([9, 1, 5]), 5));
  it("is the mean of the two middle samples of an even number", () => assert.equal(median([9, 1, 5, 6]), 5.5));
  it("sorts by size and not by text", () => assert.equal(median([10, 9, 100]), 10));
  it("leaves the samples in their order", () => {
    const given = [3, 1, 2];
    median(given);
    assert.deepEqual(given, [3, 1, 2]);
  });
});

describe("a percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  for (const [share, expected] of [
    [0, 1],
    [0.07, 7],
    [0.5, 50],
    [0.501, 51],
    [0.99, 99],
    [1, 100],
  ] as const) {
    it(`${share} of 1 to 100 is ${expected}`, () => assert.equal(percentile(hundred, share), expected));
  }
  it("0.99 of fewer than 100 samples is the worst", () => assert.equal(percentile([1, 2, 1_000], 0.99), 1_000));
  it("is refused outside 0 to 1", () => assert.throws(() => percentile([1], 99), /share from 0 to 1/));
  it("is a sample, and at least that share of all samples does not exceed it", () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
        const found = percentile(all, share);
        const atMost = all.filter((sample) => sample <= found).length;
        assert.ok(all.includes(found));
        assert.ok(atMost >= share * all.length - 1e-9);
      }),
    );
  });
});

describe("the spread", () => {
  it("is 0 when all samples agree", () => assert.equal(spread([4, 4, 4]), 0));
  it("is 0 when all samples are 0", () => assert.equal(spread([0, 0]), 0));
  it("is the middle half as a share of the median", () => assert.equal(spread([10, 20, 30, 40]), 20 / 25));
  it("does not see a single outlier", () => assert.equal(spread([10, 10, 10, 10, 9_999]), 0));
});

describe("a summary", () => {
  it("holds all of it, from least to greatest", () => {
    assert.deepEqual(summarize([3, 1, 2]), { count: 3, min: 1, median: 2, p99: 3, max: 3, spread: 1 });
  });
  it("never puts the median outside of least and greatest", () => {
    fc.assert(
      fc.property(samples, (all) => {
        const { min, median: middle, p99, max, count } = summarize(all);
        assert.ok(min <= middle && middle <= max && p99 <= max && count === all.length);
      }),
    );
  });
  it("of nothing is refused", () => assert.throws(() => summarize([]), /nothing was sampled/));
  it("of what is no number is refused", () => assert.throws(() => summarize([1, Number.NaN]), /not a number/));
});

describe("a ratio", () => {
  it("compares medians, so one outlier on either side changes nothing", () => {
    assert.equal(ratioOfMedians([4, 4, 400], [2, 2, 900]), 2);
  });
});
