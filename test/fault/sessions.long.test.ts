/** Streaming sessions under a storm of crashes, the bounded form; see sessions.ts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { seed } from "../support/random-runs.ts";
import { tempFolder } from "../support/temp-vault.ts";
import { GapDetector } from "./gap-detector.ts";
import { runSessions } from "./sessions.ts";

describe("streaming sessions", () => {
  it("lose and repeat nothing while one of them crashes every 25 ms", { timeout: 100_000 }, async (t) => {
    const vault = join(tempFolder(t), "vault");
    const report = await runSessions({
      seed,
      vault,
      sessions: 100,
      rate: 4,
      quietMs: 500,
      stormMs: 6_000,
      everyMs: 25,
    });
    const { wrong, acknowledged, heard, crashes } = report;
    t.diagnostic(`${acknowledged} events, crashes: ${JSON.stringify([...crashes])}, SEED=${seed}`);
    assert.deepEqual(wrong, []);
    assert.equal(heard, acknowledged);
    assert.deepEqual([...crashes.keys()].toSorted(), ["cell killed", "heap", "loop", "throw"]);
  });
});

describe("the gap detector", () => {
  for (const [what, numbers, complaints] of [
    ["what is complete", [1, 2, 3], []],
    ["a gap, once", [1, 3, 4], ["x: 3 comes where 2 should"]],
    ["a repeat", [1, 2, 2, 3], ["x: 2 comes where 3 should"]],
    ["a start that is missing", [2], ["x: 2 comes where 1 should"]],
    ["what is no number", [1, "2", 3], ["x: 2 comes where 2 should"]],
  ] as const) {
    it(`says what is wrong with ${what}`, () => {
      const wrong: string[] = [];
      const detector = new GapDetector("x", wrong);
      for (const no of numbers) detector.take(no);
      assert.deepEqual(wrong, complaints);
    });
  }
});
