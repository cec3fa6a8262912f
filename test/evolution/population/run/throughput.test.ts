/** The measurement itself: it runs what it says, and its figures are figures. How large they are is a benchmark's business. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { measureThroughput } from "../../../../evolution/population/run/throughput.ts";

describe("the throughput of a runner", () => {
  for (const hasTypes of [false, true]) {
    it(`is measured on programs ${hasTypes ? "with" : "without"} types`, async () => {
      const measured = await measureThroughput({ programs: 30, workers: 2, hasTypes });
      const { programs, perSecond, ownCpuMs, p50Ms, p99Ms } = measured;
      assert.equal(programs, 30);
      for (const figure of [perSecond, ownCpuMs, p50Ms]) assert.ok(figure > 0, JSON.stringify(measured));
      assert.ok(p99Ms >= p50Ms);
    });
  }
});
