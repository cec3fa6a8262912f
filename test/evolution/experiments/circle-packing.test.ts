/** Circle packing: the judge is exact, the optimiser stays feasible and finds what is known, the search repeats for a seed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { circlePacking } from "../../../evolution/experiments/circle-packing.ts";
import { moves, randomLayout } from "../../../evolution/experiments/circle-packing/moves.ts";
import { judge, shrunk, sumOfRadii, worstViolation } from "../../../evolution/experiments/circle-packing/packing.ts";
import { refine } from "../../../evolution/experiments/circle-packing/refine.ts";
import { LayoutSearch } from "../../../evolution/experiments/circle-packing/search.ts";
import { seededRandom } from "../../../runtime/random.ts";

const quarters = [0.25, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25, 0.75, 0.25, 0.75, 0.75, 0.25];
const thorough = { muEnd: 1e-15, stepsMax: 200 };

describe("judging a packing", () => {
  it("four quarters that touch are feasible", () => {
    assert.deepEqual(judge(Float64Array.from(quarters)), { isFeasible: true, sum: 1 });
  });

  for (const [title, at, value] of [
    ["a radius larger by its last bit", 2, 0.25 + 2 ** -54],
    ["a centre moved by its last bit", 0, 0.25 - 2 ** -54],
    ["a radius of zero", 5, 0],
    ["a negative radius", 5, -0.1],
    ["a coordinate that is no number", 1, Number.NaN],
    ["an endless radius", 2, Number.POSITIVE_INFINITY],
    ["a radius too small to be told from none", 2, 1e-30],
  ] as const) {
    it(`refuses ${title}`, () => {
      const packing = Float64Array.from(quarters);
      packing[at] = value;
      const verdict = judge(packing);
      assert.equal(verdict.isFeasible, false);
      assert.ok(verdict.breach);
    });
  }

  it("refuses what is no list of circles", () => {
    assert.equal(judge(new Float64Array(0)).isFeasible, false);
    assert.equal(judge(Float64Array.of(0.5, 0.5)).isFeasible, false);
  });

  it("an overlap that doubles round away is seen", () => {
    // 0.1 + 0.2 rounds up in doubles; the exact sum of the two radii is a little more than the distance of 0.3.
    const touching = Float64Array.of(0.3, 0.5, 0.1, 0.6, 0.5, 0.2);
    const exact = BigInt(0.6 * 2 ** 60) - BigInt(0.3 * 2 ** 60) < BigInt(0.1 * 2 ** 60) + BigInt(0.2 * 2 ** 60);
    assert.equal(judge(touching).isFeasible, !exact);
  });

  it("a packing that overlaps is made smaller until it is feasible, and by little", () => {
    const packing = Float64Array.from(quarters);
    packing[2] = 0.25 + 1e-9;
    const smaller = shrunk(packing);
    assert.ok(smaller);
    assert.ok(judge(smaller).isFeasible);
    assert.ok(sumOfRadii(smaller) > 1 - 1e-8);
  });
});

describe("refining a layout", () => {
  // Two in opposite corners: r = 1 / (2 + sqrt 2) each.
  for (const [circles, sum] of [
    [1, 0.5],
    [2, 2 - Math.SQRT2],
  ] as const) {
    it(`finds the best sum of ${circles}, ${sum.toFixed(6)}, to the last digits`, () => {
      const layout = Float64Array.of(0.2, 0.25, 0, 0.7, 0.8, 0).slice(0, 3 * circles);
      const packing = shrunk(refine(layout, thorough));
      assert.ok(packing);
      assert.ok(Math.abs(sumOfRadii(packing) - sum) < 1e-10, `${sumOfRadii(packing)}`);
    });
  }

  it("every result is strictly feasible, whatever the layout, even when all centres are one", () => {
    const random = seededRandom(7);
    const layouts = Array.from({ length: 20 }, () => randomLayout(26, random));
    for (const layout of [...layouts, new Float64Array(78).fill(0.5), new Float64Array(78)]) {
      const packing = refine(layout, { muEnd: 1e-7, stepsMax: 60 });
      assert.ok(worstViolation(packing) < 0);
      assert.ok(judge(packing).isFeasible);
    }
  });

  it("stopped early it is feasible too, and more steps give more", () => {
    const layout = randomLayout(26, seededRandom(3));
    const sums = [1, 5, 20, 60].map((stepsMax) => sumOfRadii(refine(layout, { muEnd: 1e-7, stepsMax })));
    assert.deepEqual(
      sums,
      sums.toSorted((a, b) => a - b),
    );
  });
});

describe("searching layouts", () => {
  for (const move of moves)
    it(`"${move.id}" keeps the number of circles`, () => {
      const random = seededRandom(5);
      const [parent, mate] = [randomLayout(26, random), randomLayout(26, random)];
      const before = parent.slice();
      for (let time = 0; time < 20; time++) {
        const child = move.make(parent, mate, random);
        assert.equal(child.length, 78);
        assert.ok(child.every(Number.isFinite));
        assert.deepEqual(parent, before, "the parent stays as it is");
      }
    });

  it("is the same for a seed, and another for another", () => {
    const runs = [1, 1, 2].map((seed) => {
      const search = new LayoutSearch({ circles: 10, seed });
      for (let step = 0; step < 100; step++) search.step();
      return search.best;
    });
    assert.deepEqual(runs[0], runs[1]);
    assert.notDeepEqual(runs[0], runs[2]);
    assert.ok(runs[0] && judge(runs[0].packing).isFeasible);
  });

  it("reaches a known optimum: ten circles, 1.59 (seed 1)", () => {
    const search = new LayoutSearch({ circles: 10, seed: 1 });
    for (let step = 0; step < 400; step++) search.step();
    assert.ok((search.best?.sum ?? 0) > 1.59, `${search.best?.sum}`);
  });

  it("a run that is stopped reports what it has", async () => {
    const signal = AbortSignal.abort();
    const context = { seed: 1, workers: 1, data: undefined, vault: undefined, signal, progress: () => undefined };
    const report = await circlePacking.run({ ...context, budget: { kind: "ms", ms: 3_600_000 } });
    assert.ok(Number.isFinite(report.figures["sum"]));
  });

  it("a run of the experiment reports a packing that the judge accepts, and spends what it was given", async () => {
    const { signal } = new AbortController();
    const context = { seed: 1, workers: 1, data: undefined, vault: undefined, signal, progress: () => undefined };
    const report = await circlePacking.run({ ...context, budget: { kind: "evaluations", evaluations: 61 } });
    assert.equal(report.evaluations, 61);
    const circles = report.details.circles;
    assert.ok(Array.isArray(circles));
    const verdict = judge(Float64Array.from(circles.flat()));
    assert.deepEqual(verdict, { isFeasible: true, sum: report.figures.sum });
  });
});
