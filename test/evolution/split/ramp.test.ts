/** How the share grows, and when it is taken away. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RampSigns } from "../../../evolution/split/ramp.ts";
import { bottom, counted, nextMove, raised, shareAt } from "../../../evolution/split/ramp.ts";
import { thompsonShare } from "../../../evolution/split/thompson.ts";

const rules = { steps: [0.05, 0.2, 0.5], turnsMin: 200 };
const calm: RampSigns = { logHarm: 0, logHarmMax: Math.log(100), isLeaning: false };

describe("a ramp", () => {
  test("climbs step by step, each with its own requests, and is then done", () => {
    let ramp = bottom;
    const seen: string[] = [];
    for (let request = 1; request <= 600; request++) {
      ramp = counted(ramp);
      const move = nextMove(ramp, calm, rules);
      if (move !== "stay") seen.push(`${move} after ${request} at ${shareAt(ramp, rules)}`);
      if (move === "up") ramp = raised(ramp);
    }
    assert.deepEqual(seen, ["up after 200 at 0.05", "up after 400 at 0.2", "done after 600 at 0.5"]);
  });

  test("goes back at once on harm, also before its first request", () => {
    assert.equal(nextMove(bottom, { ...calm, logHarm: Math.log(100) }, rules), "back");
    assert.equal(nextMove({ step: 2, own: 3 }, { ...calm, logHarm: Infinity }, rules), "back");
  });

  test("waits while a sign is open, goes on when it is gone, and gives up when it stays", () => {
    const signs = { ...calm, logHarm: Math.log(100) / 2 + 0.01 };
    assert.equal(nextMove({ step: 0, own: 200 }, signs, rules), "stay");
    assert.equal(nextMove({ step: 0, own: 200 }, { ...calm, isLeaning: true }, rules), "stay");
    assert.equal(nextMove({ step: 0, own: 300 }, calm, rules), "up");
    assert.equal(nextMove({ step: 0, own: 1_000 }, signs, rules), "stuck");
  });

  test("never goes up on fewer requests than a step takes, whatever the signs", () => {
    assert.equal(nextMove({ step: 0, own: 199 }, calm, rules), "stay");
  });
});

describe("Thompson's share", () => {
  const share = (candidate: [number, number], champion: [number, number], seed = 1): number =>
    thompsonShare(
      {
        candidate: { requests: candidate[0], loss: candidate[1] },
        champion: { requests: champion[0], loss: champion[1] },
      },
      seed,
    );

  test("repeats for its seed and counts, and stays between 1 and 50 %", () => {
    assert.equal(share([100, 10], [100, 11], 42), share([100, 10], [100, 11], 42));
    assert.equal(share([1_000, 500], [1_000, 1]), 0.01);
    assert.equal(share([1_000, 1], [1_000, 500]), 0.5);
    assert.equal(share([0, 0], [1_000, 900]), 0.5);
  });

  test("falls as the candidate's failures rise (seed 1)", () => {
    const shares = [10, 14, 18, 22].map((failures) => share([100, failures], [100, 10]));
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    );
    assert.ok((shares.at(-1) ?? 1) < 0.1, String(shares));
  });

  test("draws Beta variables: the part of draws below another's is what the densities give (seed 3)", () => {
    // For Beta(1, 1) against Beta(1, 1 + n) the first is the smaller with probability 1 / (n + 2).
    const shares = Array.from({ length: 50 }, (_, seed) => share([0, 0], [3, 0], 3 + seed));
    const mean = shares.reduce((sum, each) => sum + each, 0) / shares.length;
    assert.ok(Math.abs(mean - 1 / 5) < 0.02, String(mean));
  });
});
