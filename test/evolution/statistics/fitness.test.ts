/**
 * The fitness bet: known values, the martingale in exact sums, limits and power at every look, and what shrinking is
 * worth.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  addFitness,
  emptyFitness,
  logFitnessEvidence,
  meanGain,
  shrunkGain,
} from "../../../evolution/statistics/fitness.ts";
import type { FitnessState } from "../../../evolution/statistics/fitness.ts";
import {
  assertAlarmsWithin,
  assertNear,
  assertSame,
  Draws,
  firstStep,
  mean,
  median,
  repeated,
  percent,
  SEED,
  share,
} from "./simulation.ts";

describe("the evidence of a gain", () => {
  it("bets nothing on the first pair, then mean over second moment, at most half", () => {
    const first = addFitness(emptyFitness(), 0.1);
    assert.equal(logFitnessEvidence(first), 0);
    const second = addFitness(first, -0.2); // stake .1 / (1/4 + .01)
    assertSame(logFitnessEvidence(second), Math.log(1 - (0.1 / 0.26) * 0.2));
    const third = addFitness(second, 1); // the mean is below 0: nothing
    assertSame(logFitnessEvidence(third), logFitnessEvidence(second));
    const fourth = addFitness(third, 0.5); // .9 / (1/4 + 1.05) is more than half
    assertSame(logFitnessEvidence(fourth) - logFitnessEvidence(third), Math.log(1.25));
  });

  it("expects to win nothing where the mean is the floor, and to lose below it, whatever came before", () => {
    const draws = new Draws(1);
    for (const floor of [0, -0.01, 0.3]) {
      let state = emptyFitness({ floor });
      for (let number = 0; number < 300; number++) {
        const wins = (gain: number) =>
          Math.exp(logFitnessEvidence(addFitness(state, gain)) - logFitnessEvidence(state));
        // A gain of 1 with probability p and of -1 otherwise has the mean 2 p - 1.
        const p = (floor + 1) / 2;
        assertSame(p * wins(1) + (1 - p) * wins(-1), 1);
        assert.ok((p - 0.1) * wins(1) + (1.1 - p) * wins(-1) <= 1 + 1e-12);
        state = addFitness(state, draws.is(0.8) ? 1 : -draws.uniform());
      }
      assert.ok(logFitnessEvidence(state) > 5, "it did bet");
    }
  });

  it("does not depend on who says that gains are the other way round: equal pairs are no evidence for either", () => {
    const state = fed(10_000, () => 0);
    assert.equal(logFitnessEvidence(state), 0);
    assert.equal(meanGain(state), 0);
    assert.equal(shrunkGain(state), 0);
  });

  it("has no NaN at the ends of the range and after a billion pairs", () => {
    for (const gain of [-1, 0, 1])
      for (const floor of [-0.5, 0, 0.5]) {
        let state = emptyFitness({ floor });
        for (let number = 0; number < 500; number++) state = addFitness(state, gain);
        for (const value of [logFitnessEvidence(state), meanGain(state), shrunkGain(state)])
          assert.ok(Number.isFinite(value));
      }
    const many: FitnessState = { pairs: 1e9, floor: 0, gains: 1e9, squares: 1e9, logWealth: 1e9 * Math.log(1.5) };
    assertSame(logFitnessEvidence(addFitness(many, -1)), 1e9 * Math.log(1.5) + Math.log(0.5));
    assertSame(shrunkGain(many), 1, 8);
  });

  it("survives a journal, and is not changed by what is added", () => {
    const state = Object.freeze(fed(40, Math.sin));
    const restored: FitnessState = JSON.parse(JSON.stringify(state));
    assert.deepEqual(addFitness(restored, 0.4), addFitness(state, 0.4));
  });

  it("gains beyond -1 and 1, floors beyond one half, NaN and fewer than one candidate are refused", () => {
    for (const gain of [-1.1, 1.1, Number.NaN, Infinity])
      assert.throws(() => addFitness(emptyFitness(), gain), RangeError);
    for (const floor of [-0.6, 0.6, Number.NaN]) assert.throws(() => emptyFitness({ floor }), RangeError);
    for (const candidates of [0, Number.NaN])
      assert.throws(() => shrunkGain(emptyFitness(), { candidates }), RangeError);
  });
});

describe(`gains, looked at after every pair (SEED=${SEED})`, () => {
  const noises = {
    normal: (draws: Draws) => 0.2 * draws.normal(),
    // Mostly a small gain, seldom a large loss: mean 0.
    skewed: (draws: Draws) => (draws.is(0.1) ? -0.9 : 0.1),
  };
  for (const [name, noise] of Object.entries(noises))
    it(`no gain at all, with ${name} noise, is accepted in at most .05 of the runs of 5,000`, (t) => {
      const draws = new Draws(name.length);
      const results = repeated(1_000, () => pairsUntilWin(() => noise(draws), 20));
      t.diagnostic(`accepted ${percent(results)}`);
      assertAlarmsWithin(0.05, results);
    });

  for (const [candidates, gain, pairs] of [
    [1, 0.02, 593],
    [1, 0.05, 158],
    [1, 0.1, 72],
    [50, 0.02, 1_391],
    [50, 0.05, 362],
    [50, 0.1, 158],
  ] as const)
    it(`a gain of ${gain} is accepted for one of ${candidates} after a median of about ${pairs} pairs`, (t) => {
      const draws = new Draws(pairs);
      const results = repeated(300, () => pairsUntilWin(() => gain + 0.2 * draws.normal(), 20 * candidates));
      t.diagnostic(`accepted ${percent(results)}, median ${median(results)}`);
      assert.ok(share(results) > 0.99);
      assertNear(median(results), pairs, 0.25);
    });
});

describe(`the bet as a proof of no harm, margin one point (SEED=${SEED})`, () => {
  it("a shadow that is worse by the margin passes in at most .05 of the runs", (t) => {
    const draws = new Draws(5);
    const results = repeated(600, () => pairsUntilNoHarm(draws, 0.01, 0.02));
    t.diagnostic(`passed ${percent(results)}`);
    assertAlarmsWithin(0.05, results);
  });

  for (const [champion, shadow, pairs] of [
    [0, 0, 608],
    [0.005, 0.005, 812],
    [0.03, 0.01, 283],
  ] as const)
    it(`from ${champion} to ${shadow} it takes a median of about ${pairs} pairs`, (t) => {
      const draws = new Draws(pairs);
      const results = repeated(300, () => pairsUntilNoHarm(draws, champion, shadow));
      t.diagnostic(`passed ${percent(results)}, median ${median(results)}`);
      assertNear(median(results), pairs, 0.25);
    });
});

describe(`the shrunk gain (SEED=${SEED})`, () => {
  it("is the plain mean where the evidence is strong, and 0 where the mean is within its own error", () => {
    const strong = fed(10_000, (number) => 0.3 + 0.01 * Math.sin(number));
    assertSame(shrunkGain(strong), meanGain(strong), 5);
    const weak = fed(100, (number) => (number % 2 === 0 ? 0.9 : -0.85));
    assert.ok(meanGain(weak) > 0.02);
    assert.equal(shrunkGain(weak), 0);
  });

  it("keeps the sign of a loss, and never exceeds the mean", () => {
    const state = fed(200, (number) => -0.1 + 0.2 * Math.sin(number));
    assert.ok(shrunkGain(state) < 0 && shrunkGain(state) > meanGain(state));
    assert.ok(shrunkGain(state, { candidates: 50 }) > shrunkGain(state));
  });

  it("is nearer to the truth than the mean where a trial stopped at a good moment", (t) => {
    const draws = new Draws(6);
    for (const gain of [0.02, 0.05]) {
      const states = Array.from({ length: 300 }, () => atWin(() => gain + 0.2 * draws.normal(), 20));
      const [plain, shrunk] = [mean(states.map(meanGain)), mean(states.map((state) => shrunkGain(state)))];
      t.diagnostic(`true ${gain}, mean ${plain.toFixed(4)}, shrunk ${shrunk.toFixed(4)}`);
      assert.ok(Math.abs(shrunk - gain) < Math.abs(plain - gain));
    }
  });

  it("is nearer to the truth than the mean for the best of 50 candidates, whose gains differ by .02", (t) => {
    const draws = new Draws(7);
    const winners = Array.from({ length: 60 }, () => bestOf(50, draws));
    const truth = mean(winners.map(({ gain }) => gain));
    const plain = mean(winners.map(({ state }) => meanGain(state)));
    const shrunk = mean(winners.map(({ state }) => shrunkGain(state, { candidates: 50 })));
    t.diagnostic(`true ${truth.toFixed(4)}, mean ${plain.toFixed(4)}, shrunk ${shrunk.toFixed(4)}`);
    assert.ok(Math.abs(shrunk - truth) < Math.abs(plain - truth) / 2);
  });
});

function fed(pairs: number, gain: (number: number) => number): FitnessState {
  let state = emptyFitness();
  for (let number = 1; number <= pairs; number++) state = addFitness(state, gain(number));
  return state;
}

function clipped(gain: number): number {
  return Math.max(-1, Math.min(1, gain));
}

function pairsUntilWin(gain: () => number, evidence: number): number {
  const state = atWin(gain, evidence);
  return logFitnessEvidence(state) >= Math.log(evidence) ? state.pairs : Infinity;
}

function atWin(gain: () => number, evidence: number): FitnessState {
  let state = emptyFitness();
  firstStep(5_000, () => {
    state = addFitness(state, clipped(gain()));
    return logFitnessEvidence(state) >= Math.log(evidence);
  });
  return state;
}

function pairsUntilNoHarm(draws: Draws, champion: number, shadow: number): number {
  let state = emptyFitness({ floor: -0.01 });
  return firstStep(10_000, () => {
    state = addFitness(state, Number(draws.is(champion)) - Number(draws.is(shadow)));
    return logFitnessEvidence(state) >= Math.log(20);
  });
}

/** The candidate with the strongest evidence after 300 pairs each, and its true gain. */
function bestOf(candidates: number, draws: Draws): { gain: number; state: FitnessState } {
  const all = Array.from({ length: candidates }, () => {
    const gain = 0.02 * draws.normal();
    return { gain, state: fed(300, () => clipped(gain + 0.2 * draws.normal())) };
  });
  return all.reduce((best, each) => (each.state.logWealth > best.state.logWealth ? each : best));
}
