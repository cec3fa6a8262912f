/**
 * The client's counting: every request ends in exactly one column, and percentiles are values that were measured.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endingOf } from "../../../evolution/demo/client.ts";
import type { Ending } from "../../../evolution/demo/tally.ts";
import { countEnding, newPhase, percentile, reportOf } from "../../../evolution/demo/tally.ts";
import { RuntimeError } from "../../../runtime/index.ts";

function phaseOf(name: string, endings: readonly Ending[]): ReturnType<typeof newPhase> {
  const phase = newPhase(name);
  for (const ending of endings) {
    phase.asked += 1;
    countEnding(phase, ending);
  }
  return phase;
}

describe("a phase", () => {
  it("counts answers with their latencies, refusals by code, and losses", () => {
    const phase = phaseOf("one", [
      { type: "answered", ms: 3 },
      { type: "refused", code: "A" },
      { type: "refused", code: "A" },
      { type: "refused", code: "B" },
      { type: "lost" },
      { type: "answered", ms: 1 },
    ]);
    assert.deepEqual(reportOf("one", [phase]), {
      name: "one",
      asked: 6,
      answered: 2,
      refused: 3,
      refusedByCode: { A: 2, B: 1 },
      lost: 1,
      p50Ms: 1,
      p99Ms: 3,
      maxMs: 3,
    });
  });

  it("adds up with others, and percentiles are taken over all of them", () => {
    const slow = phaseOf("slow", [{ type: "answered", ms: 100 }]);
    const fast = phaseOf(
      "fast",
      [1, 2, 3].map((ms) => ({ type: "answered", ms })),
    );
    const { asked, answered, p50Ms, maxMs } = reportOf("all", [slow, fast]);
    assert.deepEqual({ asked, answered, p50Ms, maxMs }, { asked: 4, answered: 4, p50Ms: 2, maxMs: 100 });
  });
});

describe("a percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  for (const [percent, value] of [
    [1, 1],
    [50, 50],
    [99, 99],
    [100, 100],
  ] as const) {
    it(`${percent} of 1 to 100 is ${value}`, () => assert.equal(percentile(hundred, percent), value));
  }

  it("of nothing is 0, and of one value that value", () => {
    assert.equal(percentile([], 50), 0);
    assert.equal(percentile([7], 1), 7);
    assert.equal(percentile([7], 99), 7);
  });
});

describe("the end of a request", () => {
  it("is a refusal with the error's code", () => {
    const error = new RuntimeError("RUNTIME_HANDLER_THREW", "it threw");
    assert.deepEqual(endingOf(error), { type: "refused", code: "RUNTIME_HANDLER_THREW" });
  });

  it("is a loss when no answer came in time", () => {
    assert.deepEqual(endingOf(new RuntimeError("RUNTIME_CALL_TIMEOUT", "nothing came")), { type: "lost" });
  });

  it("that has no code is a bug and is thrown on", () => {
    const bug = new TypeError("x is not a function");
    assert.throws(() => endingOf(bug), bug);
  });
});
