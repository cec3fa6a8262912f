/** Memory: the trend statistics by hand, each verdict, and false alarms and power over simulated heaps. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mannKendallZ, memoryVerdict, signTestP, theilSenSlope } from "../../../evolution/statistics/memory.ts";
import type { MemorySample } from "../../../evolution/statistics/memory.ts";
import {
  assertAlarmsWithin,
  assertSame,
  Draws,
  firstStep,
  median,
  percent,
  repeated,
  SEED,
  share,
} from "./simulation.ts";

const MB = 1_000_000;
const limits = { heapBytes: 128 * MB, horizonRequests: 10_000, requestsPerSample: 100 };
const rising = (length: number) => Array.from({ length }, (_, index) => index);

describe("Mann and Kendall's trend", () => {
  it("of 20 rising values is (190 - 1) / sqrt(950), of falling ones the negative", () => {
    assertSame(mannKendallZ(rising(20)), 189 / Math.sqrt(950));
    assertSame(mannKendallZ(rising(20).toReversed()), -189 / Math.sqrt(950));
  });

  it("counts no tied pair and takes their groups off the variance: 1 1 2 2 gives 3 / sqrt(120 / 18)", () => {
    assertSame(mannKendallZ([1, 1, 2, 2]), 3 / Math.sqrt(120 / 18));
  });

  it("is 0 for equal values, one value and none", () => {
    for (const values of [[5, 5, 5, 5], [7], []]) assert.equal(mannKendallZ(values), 0);
  });

  it("knows only the order: any rising function of the values has the same trend", () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
    assert.equal(mannKendallZ(values.map((value) => Math.exp(value))), mannKendallZ(values));
  });
});

describe("Theil and Sen's slope", () => {
  it("of a line is its slope, and stays so with a fifth of wild values", () => {
    const line = rising(20).map((step) => 5 + 3 * step);
    assertSame(theilSenSlope(line), 3);
    const wild = line.map((value, index) => (index % 5 === 2 ? 1e6 : value));
    assertSame(theilSenSlope(wild), 3, 1);
  });

  it("is the median of all slopes: 1 2 4 gives 1, 2 and 1.5", () => assertSame(theilSenSlope([1, 2, 4]), 1.5));

  it("is 0 below two values", () => {
    assert.equal(theilSenSlope([]), 0);
    assert.equal(theilSenSlope([3]), 0);
  });
});

describe("the sign test", () => {
  it("is one over the evidence of harm, and never above 1", () => {
    assertSame(signTestP({ above: 10, below: 0 }), 11 / 2_047);
    assertSame(signTestP({ above: 9, below: 0 }), 10 / 1_023);
    assert.equal(signTestP({ above: 0, below: 9 }), 1);
    assert.equal(signTestP({ above: 0, below: 0 }), 1);
  });
});

describe("the verdict on memory", () => {
  const steady = (shadow: number, length = 20): MemorySample[] =>
    rising(length).map((step) => ({ champion: 20 * MB + (step % 3) * 1_000, shadow: shadow + (step % 4) * 1_000 }));

  it("equal heaps are fine", () => {
    const verdict = memoryVerdict(steady(20 * MB), limits);
    assert.equal(verdict.isHarmful, false);
    assertSame(verdict.ratio, 1, 3);
    assert.match(verdict.reason, /1\.00 times the champion's, and no leak is seen/);
  });

  it("half as much again, always, is too much, with ten checkpoints and not with nine", () => {
    assert.match(
      memoryVerdict(steady(30 * MB, 10), limits).reason,
      /^the heap is 1\.50 times the champion's \(p 0\.0054\)$/,
    );
    assert.equal(memoryVerdict(steady(30 * MB, 10), limits).isHarmful, true);
    const early = memoryVerdict(steady(30 * MB, 9), limits);
    assert.deepEqual([early.isHarmful, early.reason], [false, "9 of the 10 checkpoints that a verdict needs"]);
    assertSame(early.ratio, 1.5, 3);
  });

  it("a fifth more, however surely, is not too much", () => {
    const verdict = memoryVerdict(steady(24 * MB, 100), limits);
    assert.ok(verdict.signP < 1e-6);
    assert.equal(verdict.isHarmful, false);
  });

  it("what grows by 10 kB per request and would fill the limit is a leak", () => {
    const leaking = rising(20).map((step) => ({ champion: 20 * MB, shadow: 15 * MB + step * MB }));
    const verdict = memoryVerdict(leaking, limits);
    assert.equal(verdict.isHarmful, true);
    assert.equal(verdict.slopeBytes, 10_000);
    assertSame(verdict.trendZ, 189 / Math.sqrt(950));
    assert.equal(
      verdict.reason,
      "the heap grows by 10000 bytes per request and would be 105 % of its limit after 10000 more",
    );
  });

  it("the same growth is none of the candidate's where the champion grows alike", () => {
    const growing = rising(40).map((step) => ({
      champion: 20 * MB + step * MB,
      shadow: 20 * MB + step * MB + (step % 3) * 1_000,
    }));
    const verdict = memoryVerdict(growing, limits);
    assert.equal(verdict.isHarmful, false);
    assert.equal(verdict.slopeBytes, 10_000);
  });

  it("a higher median alone is not too much: with six checkpoints above and four below it may be chance", () => {
    const wild = rising(10).map((step) => ({ champion: 20 * MB, shadow: (step < 6 ? 30 : 10) * MB }));
    const verdict = memoryVerdict(wild, limits);
    assert.equal(verdict.ratio, 1.5);
    assert.equal(verdict.isHarmful, false);
  });

  it("what grew at first and has been steady for 20 checkpoints has no trend and no slope", () => {
    const settled = rising(60).map((step) => ({ champion: 60 * MB, shadow: (20 + Math.min(step, 40)) * MB }));
    const verdict = memoryVerdict(settled, limits);
    assert.deepEqual([verdict.trendZ, verdict.slopeBytes], [0, 0]);
    assert.equal(memoryVerdict(settled.slice(0, 40), limits).isHarmful, true);
  });

  it("growth that leaves room enough over the horizon is no leak", () => {
    const slow = rising(20).map((step) => ({ champion: 20 * MB, shadow: 20 * MB + step * 10_000 }));
    const verdict = memoryVerdict(slow, limits);
    assert.ok(verdict.trendZ > 6);
    assert.equal(verdict.isHarmful, false);
  });

  it("no checkpoints at all are no harm, with finite figures", () => {
    assert.deepEqual(memoryVerdict([], limits), {
      isHarmful: false,
      reason: "0 of the 10 checkpoints that a verdict needs",
      ratio: 1,
      signP: 1,
      trendZ: 0,
      slopeBytes: 0,
    });
  });

  it("sizes that are not positive numbers are refused", () => {
    for (const bytes of [0, -1, Number.NaN, Infinity]) {
      assert.throws(() => memoryVerdict([{ champion: bytes, shadow: 1 }], limits), RangeError);
      assert.throws(() => memoryVerdict([{ champion: 1, shadow: bytes }], limits), RangeError);
      assert.throws(() => memoryVerdict([], { ...limits, heapBytes: bytes }), RangeError);
      assert.throws(() => memoryVerdict([], { ...limits, requestsPerSample: bytes }), RangeError);
    }
    assert.throws(() => memoryVerdict([], { ...limits, horizonRequests: -1 }), RangeError);
  });
});

describe(`memory, judged after each of 100 checkpoints (SEED=${SEED})`, () => {
  it("unrelated noise passes the trend's limit anywhere in at most .002 of the runs", (t) => {
    const draws = new Draws(1);
    const runs = repeated(500, () => {
      const lead = Array.from({ length: 100 }, () => draws.normal());
      return firstStep(81, (number) => mannKendallZ(lead.slice(number - 1, number + 19)) > 4);
    });
    t.diagnostic(`passed ${percent(runs)}`);
    assertAlarmsWithin(0.002, runs);
  });

  // Related noise looks like trends: these limits are what was seen, not what was promised.
  for (const [memory, limit] of [
    [0, 0.01],
    [0.5, 0.03],
    [0.8, 0.12],
  ] as const)
    it(`a harmless shadow at half of the limit, noise of 3 % with correlation ${memory}, is flagged in at most ${limit} of the runs`, (t) => {
      const draws = new Draws(20 + memory * 10);
      const results = repeated(100, () => checkpointsUntilHarm(draws, { memory, leak: 0 }));
      t.diagnostic(`flagged ${percent(results)}`);
      assertAlarmsWithin(limit, results);
    });

  it("a leak that would fill the rest of the limit is found in every run", (t) => {
    const draws = new Draws(3);
    const results = repeated(60, () => checkpointsUntilHarm(draws, { memory: 0.5, leak: 1 }));
    t.diagnostic(`found ${percent(results)}, median ${median(results)} checkpoints`);
    assert.equal(share(results), 1);
    assert.ok(median(results) <= 25);
  });
});

/** Heaps around 64 MB with noise of 2 MB that remembers; the shadow leaks `leak` MB between two checkpoints. */
function checkpointsUntilHarm(
  draws: Draws,
  { memory, leak }: { readonly memory: number; readonly leak: number },
): number {
  const samples: MemorySample[] = [];
  let [champion, shadow] = [0, 0];
  return firstStep(100, (number) => {
    champion = memory * champion + Math.sqrt(1 - memory ** 2) * draws.normal();
    shadow = memory * shadow + Math.sqrt(1 - memory ** 2) * draws.normal();
    samples.push({ champion: (64 + 2 * champion) * MB, shadow: (64 + 2 * shadow + leak * number) * MB });
    return memoryVerdict(samples, limits).isHarmful;
  });
}
