/** What the watch of a job tells, and when, of a gauge that says what the test says. */
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { JOB_LIMITS } from "../../sandbox/index.ts";
import type { JobLook } from "../../sandbox/job-gauge.ts";
import { JobWatch, type JobVerdict } from "../../sandbox/job-watch.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const QUIET: JobLook = { bytes: 0, processCount: 1, threadCount: 1 };

/** A watch of a job that may run for a second, and what it has told. */
function watched(): {
  watch: JobWatch;
  clock: SimulatedClock;
  told: JobVerdict[];
  show: (look: Partial<JobLook>) => void;
} {
  const clock = new SimulatedClock();
  const told: JobVerdict[] = [];
  let shown = QUIET;
  const watch = new JobWatch({
    clock,
    limits: { ...JOB_LIMITS, processesMax: 4, memoryMb: 1, wallMs: 1_000 },
    gauge: { look: () => shown, isGone: () => false, close: () => {} },
    said: () => ({ bytes: 0, isWaiting: false }),
    tell: (verdict) => void told.push(verdict),
  });
  return { watch, clock, told, show: (look) => (shown = { ...QUIET, ...look }) };
}

describe("the watch of a job", () => {
  it("tells of too many threads, where nothing else limits them", () => {
    const { watch, clock, told, show } = watched();
    show({ threadCount: 64 });
    clock.advance(200);
    assert.deepEqual(told, []);
    show({ threadCount: 65 });
    clock.advance(200);
    assert.deepEqual(told, [{ reason: "processes", detail: "it had 65 threads, over the limit of 64" }]);
    watch.stop();
  });

  it("tells once that its time is over, and goes on looking at what it takes", () => {
    const { watch, clock, told, show } = watched();
    clock.advance(1_500);
    assert.deepEqual(
      told.map(({ reason }) => reason),
      ["wall"],
    );
    show({ bytes: 2 ** 21 });
    clock.advance(1_500);
    assert.deepEqual(
      told.map(({ reason }) => reason),
      ["wall", "memory"],
    );
    watch.stop();
  });
});
