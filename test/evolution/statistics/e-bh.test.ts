/**
 * The e-BH procedure: small cases by hand, its invariances, and its false discovery rate among candidates fed the
 * same requests.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eBenjaminiHochberg } from "../../../evolution/statistics/e-bh.ts";
import { addFitness, emptyFitness, logFitnessEvidence } from "../../../evolution/statistics/fitness.ts";
import { Draws, mean, SEED } from "./simulation.ts";

const logs = (values: readonly number[]) => values.map(Math.log);

describe("e-BH", () => {
  for (const [shows, values, expected] of [
    ["nothing among none", [], []],
    ["one candidate at 1/alpha", [20], [0]],
    ["one candidate just below", [19.9], []],
    ["the strongest of two at 2/alpha", [1, 40.1], [1]],
    ["both of two at 1/alpha each, though neither reaches 2/alpha", [20.1, 20.1], [0, 1]],
    ["the second stands in for a first that falls short", [39, 25], [0, 1]],
    ["nobody where the strongest fall short of each step", [30, 19, 10], []],
    ["three of four, in the order of the list", [27, 1, 28, 29], [0, 2, 3]],
    ["all where all are certain", [Infinity, Infinity], [0, 1]],
    ["the certain one among those without evidence", [0, Infinity, 0], [1]],
  ] as const)
    it(`takes ${shows}`, () => assert.deepEqual(eBenjaminiHochberg(logs(values), 0.05), expected));

  it("takes the same candidates in whatever order they come", () => {
    const draws = new Draws(1);
    for (let round = 0; round < 50; round++) {
      const values = Array.from({ length: 30 }, () => 8 * draws.uniform() ** 2);
      const turned = [...values.slice(11), ...values.slice(0, 11)];
      const expected = eBenjaminiHochberg(values, 0.05).map((index) => (index + 19) % 30);
      assert.deepEqual(
        eBenjaminiHochberg(turned, 0.05),
        expected.toSorted((a, b) => a - b),
      );
    }
  });

  it("more evidence for one, or a larger alpha, never takes anybody out", () => {
    const draws = new Draws(2);
    for (let round = 0; round < 50; round++) {
      const values = Array.from({ length: 20 }, () => 8 * draws.uniform());
      const before = eBenjaminiHochberg(values, 0.05);
      const after = eBenjaminiHochberg(values.with(round % 20, 9), 0.05);
      const looser = eBenjaminiHochberg(values, 0.1);
      assert.ok(before.every((index) => after.includes(index) && looser.includes(index)));
    }
  });

  it("evidence that is NaN, and limits that are no probabilities, are refused", () => {
    assert.throws(() => eBenjaminiHochberg([1, Number.NaN], 0.05), RangeError);
    for (const alpha of [0, 1, Number.NaN]) assert.throws(() => eBenjaminiHochberg([1], alpha), RangeError);
  });
});

describe(`50 candidates that are fed the same requests (SEED=${SEED})`, () => {
  it("5 with a gain of .05 are found after 1,000 pairs, and at most .05 of what is taken is false", (t) => {
    const rounds = generations(25, { gain: 0.05, better: 5, pairs: 1_000 });
    const { found, wrong, falseShare } = rounds;
    t.diagnostic(`found ${found} of 5, wrong ${wrong}, false discovery rate ${falseShare}`);
    assert.ok(found > 4.8);
    assert.ok(falseShare <= 0.05);
  });

  it("where nobody is better, somebody is taken in at most .05 of the generations", (t) => {
    const { falseShare } = generations(60, { gain: 0, better: 0, pairs: 500 });
    t.diagnostic(`false discovery rate ${falseShare}`);
    assert.ok(falseShare <= 0.05);
  });
});

interface Generation {
  readonly gain: number;
  readonly better: number;
  readonly pairs: number;
}

/** Half of the noise is the request's own, which all candidates share. */
function generations(rounds: number, { gain, better, pairs }: Generation) {
  const draws = new Draws(3 + better);
  const results = Array.from({ length: rounds }, () => {
    const states = Array.from({ length: 50 }, () => emptyFitness());
    for (let pair = 0; pair < pairs; pair++) {
      const shared = draws.normal();
      for (const [index, state] of states.entries()) {
        const noise = 0.2 * Math.SQRT1_2 * (shared + draws.normal());
        states[index] = addFitness(state, Math.max(-1, Math.min(1, (index < better ? gain : 0) + noise)));
      }
    }
    const taken = eBenjaminiHochberg(states.map(logFitnessEvidence), 0.05);
    const wrong = taken.filter((index) => index >= better).length;
    return { found: taken.length - wrong, wrong, falseShare: wrong / Math.max(1, taken.length) };
  });
  return {
    found: mean(results.map(({ found }) => found)),
    wrong: mean(results.map(({ wrong }) => wrong)),
    falseShare: mean(results.map(({ falseShare }) => falseShare)),
  };
}
