/**
 * What the bench prints, for people and for its exit code.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Machine } from "../../bench/machine.ts";
import { areBarsMet, renderReport } from "../../bench/report.ts";
import type { Report } from "../../bench/report.ts";
import { barAtLeast, barBelowMs, barMedianMs, barWithin, barWorstMs } from "../../bench/suite.ts";
import { duration, figure, ratio, times } from "../../bench/suite.ts";

const machine: Machine = {
  cpu: "a fine processor",
  cores: 2,
  memoryGib: 8,
  system: "linux",
  load: 0.5,
  node: "26.0.0",
  packages: { lmdb: "1.2.3" },
  commit: "abc1234",
};
const slow = duration("crash -> answer", [10, 20, 150]);
const quick = duration("crash -> answer", [10, 20, 30]);
const reportOf = (bars: Report["suites"][number]["bars"]): Report => ({
  machine,
  isQuick: false,
  suites: [
    {
      suite: "first",
      durationMs: 1_500,
      figures: [quick, duration("call", [0.0251], "µs"), figure("rate", "calls/s", [1_000, 2_000, 3_000])],
      ratios: [ratio("large / small", [3], [2])],
      bars,
      notes: ["a note"],
    },
  ],
});

describe("a bar", () => {
  it("on a p99 is met below the limit only", () => {
    assert.equal(barBelowMs(quick, 100).isMet, true);
    assert.equal(barBelowMs(slow, 100).isMet, false);
    assert.equal(barBelowMs(duration("exactly", [100]), 100).isMet, false);
  });
  it("on a ratio is met up to the limit", () => {
    assert.equal(barWithin(ratio("a / b", [4], [2]), 2).isMet, true);
    assert.equal(barWithin(ratio("a / b", [4.1], [2]), 2).isMet, false);
  });
  it("on a ratio that is to be large is met from the limit on", () => {
    assert.equal(barAtLeast(ratio("a / b", [4], [2]), { bar: 2 }).isMet, true);
    assert.equal(barAtLeast(ratio("a / b", [3.9], [2]), { bar: 2 }).isMet, false);
  });
  it("on a median is judged in milliseconds, whatever the figure is told in", () => {
    assert.equal(barMedianMs(duration("a", [0.5, 0.5, 9], "µs"), { bar: 0.5 }).isMet, true);
    assert.equal(barMedianMs(duration("a", [0.1, 0.6, 9], "µs"), { bar: 0.5 }).isMet, false);
    assert.equal(barMedianMs(duration("a", [0.1, 0.6, 9]), { bar: 0.5 }).isMet, false);
  });
  it("on the worst sample sees a single one", () => {
    const hundred = Array.from({ length: 200 }, (_, index) => (index === 0 ? 11 : 1));
    assert.equal(barWorstMs(duration("a", hundred), { bar: 10 }).isMet, false);
    assert.equal(barWorstMs(duration("a", hundred), { bar: 11 }).isMet, true);
  });
  it("names its aim beside the limit, and is not judged by it", () => {
    const bar = barWithin(ratio("a / b", [4], [2]), { bar: 2, aim: 1.1 });
    assert.equal(bar.limit, "within 2×, aim 1.1×");
    assert.equal(bar.isMet, true);
  });
  it("that is missed is seen by whoever asks whether all are met", () => {
    assert.equal(areBarsMet(reportOf([barBelowMs(quick, 100)])), true);
    assert.equal(areBarsMet(reportOf([barBelowMs(quick, 100), barBelowMs(slow, 100)])), false);
  });
});

describe("a ratio as text", () => {
  it("has two decimals as long as they count", () => {
    assert.deepEqual([1.234, 99.994, 2_500.4].map(times), ["1.23×", "99.99×", "2,500×"]);
  });
});

describe("the report", () => {
  const text = renderReport(reportOf([barBelowMs(quick, 100), barBelowMs(slow, 100)]));
  for (const [what, pattern] of [
    ["the machine", /a fine processor, 2 cores, 8\.0 GiB, linux, load 0\.50/],
    ["the code", /commit abc1234, Node 26\.0\.0, lmdb 1\.2\.3/],
    ["a figure with median, p99, spread and count", /crash -> answer +20\.0 ms +30\.0 +±50 % +3$/m],
    ["a duration in the unit asked for", /call +25\.1 µs/],
    ["a rate with its slow end", /rate +2,000 calls\/s +least 1,000/],
    ["a ratio", /large \/ small +1\.50×/],
    ["a bar that is met", /under 100 ms +p99 30\.0 ms of 3 +met$/m],
    ["a bar that is missed", /under 100 ms +p99 150\.0 ms of 3 +NOT MET$/m],
    ["notes", /- a note/],
  ] as const) {
    it(`shows ${what}`, () => assert.match(text, pattern));
  }
});
