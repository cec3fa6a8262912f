/**
 * The engine against theory: problems whose running times are known. Seeds are fixed; `SEED=` moves all of them.
 *
 * Means over 20 runs have a standard error of some 7 % here, so bands of a quarter are wide enough for any seed and far too narrow for a
 * mutation rate, a selection or a count that is wrong.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evolve } from "../../../evolution/population/evolve.ts";
import { bitProblem, crossOver, flipEach, someBits } from "./toy.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const RUNS = 20;

/** Bits that happen to be a number are no text of a program. */
const bits = { formOf: () => undefined };

const ones = (text: string): number => text.replaceAll("0", "").length;
const leading = (text: string): number => text.indexOf("0") & 0xff;

/** Mean proposals of a (1+1) evolutionary algorithm until the goal. */
async function onePlusOne(n: number, score: (text: string) => number): Promise<number> {
  let sum = 0;
  for (let run = 0; run < RUNS; run++) {
    const seed = SEED * 1_000 + run;
    const { problem, runner } = bitProblem("bits", [someBits(n, seed)], 1, (_, text) => score(text));
    const alone = { islands: 1, populationPerIsland: 1, rules: ["greedy"] } as const;
    const found = await evolve({
      problem,
      runner,
      mutators: [flipEach],
      ...alone,
      seed,
      budget: { evaluations: 50_000 },
    });
    assert.equal(found.why, "goal");
    sum += found.proposals;
  }
  return sum / RUNS;
}

describe(`a (1+1) evolutionary algorithm, as theory says (SEED=${SEED})`, () => {
  it("needs e n ln n - 1.9 n proposals for OneMax", async (t) => {
    const n = 100;
    const mean = await onePlusOne(n, (text) => ones(text) / n);
    const theory = Math.E * n * Math.log(n) - 1.9 * n;
    t.diagnostic(`mean ${mean} proposals, theory ${theory.toFixed(0)}`);
    assert.ok(Math.abs(mean / theory - 1) < 0.25);
  });

  it("needs 0.86 n² proposals for LeadingOnes", async (t) => {
    const n = 30;
    const mean = await onePlusOne(n, (text) => (text.includes("0") ? leading(text) : n) / n);
    const theory = 0.859 * n * n;
    t.diagnostic(`mean ${mean} proposals, theory ${theory.toFixed(0)}`);
    assert.ok(Math.abs(mean / theory - 1) < 0.25);
  });
});

describe(`problems with steps and traps (SEED=${SEED})`, () => {
  const seeds = [1, 2, 3].map((seed) => SEED * 100 + seed);
  const population = (n: number, count: number, seed: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => someBits(n, seed * 100 + index));

  it("finds all blocks of a royal road", async () => {
    for (const seed of seeds) {
      const isWhole = (block: number, text: string): number =>
        text.slice(block * 6, block * 6 + 6) === "111111" ? 1 : 0;
      const { problem, runner } = bitProblem("royal road", population(18, 8, seed), 3, isWhole);
      const budget = { evaluations: 20_000 };
      const { why } = await evolve({ problem, runner, mutators: [flipEach, crossOver], ...bits, seed, budget });
      assert.equal(why, "goal", `seed ${seed}`);
    }
  });

  const trap = (block: number, text: string): number => {
    const count = ones(text.slice(block * 5, block * 5 + 5));
    return count === 5 ? 1 : (4 - count) / 5;
  };

  it("crosses over out of traps on islands, where one program that only climbs stays in them", async (t) => {
    const n = 15;
    const budget = { evaluations: 6_000 };
    const solved = { islands: 0, population: 0, alone: 0 };
    for (const seed of seeds) {
      const make = (count: number) => bitProblem("trap-5", population(n, count, seed), n / 5, trap);
      const mutators = [flipEach, crossOver];
      const greedy = { ...bits, mutators, rules: ["greedy"], seed, budget } as const;
      const onIslands = await evolve({ ...make(16), ...greedy, islands: 4, populationPerIsland: 16 });
      const inOne = await evolve({ ...make(16), ...greedy, islands: 1, populationPerIsland: 64 });
      const alone = await evolve({
        ...make(1),
        ...greedy,
        islands: 1,
        populationPerIsland: 1,
        mutators: [flipEach],
        budget: { evaluations: 700 },
      });
      t.diagnostic(
        `seed ${seed}: islands ${onIslands.evaluations}, one population ${inOne.evaluations}, alone ${alone.evaluations} (${alone.why})`,
      );
      solved.islands += Number(onIslands.why === "goal");
      solved.population += Number(inOne.why === "goal");
      solved.alone += Number(alone.why === "goal");
    }
    assert.equal(solved.islands, seeds.length);
    assert.ok(solved.population >= solved.alone);
    assert.equal(solved.alone, 0);
  });
});
