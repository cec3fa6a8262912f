/** The fewest pairs that a decision can need: never more than the tests themselves need in their best case. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addFitness, emptyFitness, logFitnessEvidence } from "../../../evolution/statistics/fitness.ts";
import { fitnessPairsMin, noHarmPairsMin } from "../../../evolution/statistics/required.ts";
import { firstStep } from "./simulation.ts";

describe("the fewest pairs", () => {
  for (const [alpha, margin, pairs] of [
    [0.05, 0.01, 608],
    [0.05, 0.05, 124],
    [0.01, 0.01, 931],
  ] as const)
    it(`to prove no harm at a margin of ${margin} and alpha ${alpha} are the ${pairs} at which the bet passes, or up to a dozen fewer`, () => {
      let state = emptyFitness({ floor: -margin });
      const passed = firstStep(3_000, () => {
        state = addFitness(state, 0);
        return logFitnessEvidence(state) >= Math.log(1 / alpha);
      });
      assert.equal(passed, pairs);
      const least = noHarmPairsMin({ alpha, margin });
      assert.ok(least <= passed && passed - least <= 12, `${least} of ${passed}`);
    });

  for (const [evidence, gain, floor] of [
    [20, 1, 0],
    [20, 0.3, 0],
    [1_000, 0.05, 0],
    [20, 0, -0.01],
    [20, 0.02, 0],
  ] as const)
    it(`until ${evidence} at a gain of ${gain} over ${floor} are what the bet needs for that very gain, or up to a dozen fewer`, () => {
      let state = emptyFitness({ floor });
      const passed = firstStep(10_000, () => {
        state = addFitness(state, gain);
        return logFitnessEvidence(state) >= Math.log(evidence);
      });
      const least = fitnessPairsMin({ evidence, gain, floor });
      assert.ok(least <= passed && passed - least <= 12, `${least} of ${passed}`);
    });

  it("the first pair stakes nothing, so even the greatest gain needs two", () => {
    assert.equal(fitnessPairsMin({ evidence: 1.49, gain: 1 }), 2);
    const once = addFitness(emptyFitness(), 1);
    assert.equal(logFitnessEvidence(once), 0);
    assert.ok(logFitnessEvidence(addFitness(once, 1)) >= Math.log(1.49));
  });

  it("a gain that does not exceed the floor is never proved", () => {
    assert.equal(fitnessPairsMin({ evidence: 20, gain: 0 }), Infinity);
    assert.equal(fitnessPairsMin({ evidence: 20, gain: 0.1, floor: 0.1 }), Infinity);
  });

  it("what is out of range is refused", () => {
    for (const alpha of [0, 1, Number.NaN]) assert.throws(() => noHarmPairsMin({ alpha, margin: 0.01 }), RangeError);
    for (const margin of [0, 1, Number.NaN]) assert.throws(() => noHarmPairsMin({ alpha: 0.05, margin }), RangeError);
    assert.throws(() => fitnessPairsMin({ evidence: 0.5, gain: 0.1 }), RangeError);
    assert.throws(() => fitnessPairsMin({ evidence: 20, gain: 1.1 }), RangeError);
    assert.throws(() => fitnessPairsMin({ evidence: 20, gain: 0.1, floor: 0.6 }), RangeError);
  });
});
