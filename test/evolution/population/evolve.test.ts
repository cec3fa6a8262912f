/** What `evolve` promises, as far as it can be shown in a moment; `evolve.long.test.ts` and `resume.long.test.ts` show the rest. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EvolutionErrorCode } from "../../../evolution/errors.ts";
import { EvolutionError } from "../../../evolution/errors.ts";
import { defaultMutators } from "../../../evolution/mutation/default-mutators.ts";
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import { operators } from "../../../evolution/mutation/operators.ts";
import type { EvolveOptions } from "../../../evolution/population-options.ts";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import { evolve } from "../../../evolution/population/evolve.ts";
import type { Problem } from "../../../evolution/population/problem.ts";
import type { ProgramRunner } from "../../../evolution/population/program-runner.ts";
import { code } from "../../support/evolution-error.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { searched } from "./searched.ts";
import { halves, ToyRunner } from "./toy.ts";

/** Four first parents, then generations of 24 slots, most of which find something to run: three of them, the last one cut. */
const WHOLE = 70;

describe("a run that its evaluations ended", () => {
  it(`goes on with ${WHOLE} as if it had never ended, wherever that was`, async (t) => {
    const vault = tempFolder(t);
    const whole = await evolve({ ...searched(1), budget: { evaluations: WHOLE } });
    for (const [index, evaluations] of [40, 20, 61].entries()) {
      const options = { ...searched(index + 2), vault, workers: 1 + (index % 2) };
      const piece = await evolve({ ...options, budget: { evaluations } });
      assert.deepEqual([piece.evaluations, piece.why], [evaluations, "evaluations"]);
    }
    const { hash, evaluations } = await evolve({ ...searched(9), vault, budget: { evaluations: WHOLE } });
    assert.deepEqual([hash, evaluations], [whole.hash, whole.evaluations]);
  });

  it("is repeated with the same budget without running anything", async (t) => {
    const vault = tempFolder(t);
    const budget = { evaluations: 40 };
    const { hash } = await evolve({ ...searched(1), vault, budget });
    const again = await evolve({ ...searched(2, () => assert.fail("it was run before")), vault, budget });
    assert.equal(again.hash, hash);
  });

  it("asks nobody for a proposal that it cannot run", async () => {
    const options = searched(1);
    let asked = 0;
    const mutators = options.mutators.map((mutator) => ({
      ...mutator,
      propose: (...given: Parameters<typeof mutator.propose>) => ((asked += 1), mutator.propose(...given)),
    }));
    const { evaluations } = await evolve({ ...options, mutators, budget: { evaluations: 6 } });
    assert.equal(evaluations, 6);
    assert.ok(asked < 6, `${asked} slots were asked for 2 children`);
  });
});

describe("a search without mutators of its own", () => {
  /** Reads one shape of program: the right one is `a * 3 + 7`. */
  const runner = new ToyRunner((text, [a]) => {
    const { sign, by, more } = /return a (?<sign>[+*]) (?<by>\d+) \+ (?<more>\d+);/.exec(text)?.groups ?? {};
    if (by === undefined) return undefined;
    return (sign === "*" ? Number(a) * Number(by) : Number(a) + Number(by)) + Number(more);
  });
  const problem: Problem = {
    name: "made up",
    entry: "f",
    seeds: ["function f(a) { return a + 3 + 7; }"],
    cases: [1, 2, 5, 9].map((a) => ({ id: `${a}`, args: [a] })),
    score: ({ args: [a] }, outcome) => (outcome.kind === "returned" && outcome.value === Number(a) * 3 + 7 ? 1 : 0),
  };

  it("mends a program with those that ask no model", async () => {
    const told: SearchEvent[] = [];
    const onEvent = (event: SearchEvent): void => void told.push(event);
    const { why, best } = await evolve({ problem, budget: { evaluations: 200 }, seed: 4, runner, onEvent });
    assert.deepEqual([why, best.text], ["goal", "function f(a) { return a * 3 + 7; }"]);
    const started = told.find((event) => event.type === "run.started");
    assert.deepEqual(
      started?.mutators,
      defaultMutators().map(({ id }) => id),
    );
  });

  it("has every operator, and each mutator under a name and with a weight", () => {
    const mutators = defaultMutators();
    const ids = mutators.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.includes("operator") && ids.includes("subtree") && ids.length < operators.length);
    assert.ok(mutators.every(({ startWeight = 0, kind }) => startWeight > 0 && kind !== "llm"));
  });
});

describe("a mutator whose caps are spent", () => {
  const { mutators } = searched(1);
  const [flips] = mutators;
  /** Asks `flips` so many times, then it is spent. */
  const paid = (calls: number, code: EvolutionErrorCode = "EVOLUTION_MODEL_CALLS_SPENT"): Mutator => {
    let left = calls;
    return {
      id: "paid",
      kind: "llm",
      async *propose(...given) {
        if (left-- <= 0) throw new EvolutionError(code, "no more of it");
        if (flips !== undefined) yield* flips.propose(...given);
      },
    };
  };
  const run = async (options: Partial<EvolveOptions>) => {
    const told: SearchEvent[] = [];
    const budget = { evaluations: 90 };
    const onEvent = (event: SearchEvent): void => void told.push(event);
    const result = await evolve({ ...searched(1), budget, ...options, onEvent });
    return { result, told };
  };

  it("drops out, is told of once, and the run goes on with the others, however often it is begun again", async (t) => {
    const vault = tempFolder(t);
    const { result, told } = await run({ mutators: [paid(9), ...mutators], vault });
    assert.deepEqual([result.why, result.evaluations], ["evaluations", 90]);
    const spent = told.filter((event) => event.type === "mutator.retired");
    assert.deepEqual(
      spent.map(({ mutator, code, message }) => [mutator, code, message]),
      [["paid", "EVOLUTION_MODEL_CALLS_SPENT", "no more of it"]],
    );
    const children = told.filter((event) => event.type === "individual.evaluated" && event.mutator === "paid");
    assert.ok(children.length > 4 && children.length <= 9, `${children.length} children`);
    const again = await run({ mutators: [paid(0), ...mutators], vault });
    assert.equal(again.result.hash, result.hash, "what is on record is not asked again");
  });

  it("and is the last one ends the run with all that was found; larger caps go on", async (t) => {
    const vault = tempFolder(t);
    const { result } = await run({ mutators: [paid(30)], vault });
    assert.equal(result.why, "spent");
    assert.ok(result.evaluations > 20 && result.evaluations <= 34, `${result.evaluations}`);
    const more = await run({ mutators: [paid(1_000)], vault });
    assert.deepEqual([more.result.why, more.result.evaluations], ["evaluations", 90]);
    assert.equal(more.result.hash, (await run({ mutators: [paid(1_000)] })).result.hash);
    assert.equal((await run({ mutators: [paid(0)] })).result.why, "spent", "before it made any child");
  });

  it("and gave no answers ends the run with an error where nobody else is left: EVOLUTION_MUTATOR_FAILED", async () => {
    const failing = (): Mutator => paid(3, "EVOLUTION_MODEL_FAILING");
    await assert.rejects(run({ mutators: [failing()] }), code("EVOLUTION_MUTATOR_FAILED"));
    const { result } = await run({ mutators: [failing(), ...mutators], budget: { evaluations: 40 } });
    assert.equal(result.why, "evaluations");
  });
});

describe("where failing cases were, and passing ones were not", () => {
  it("is told to mutators of syntax trees, once for each parent, and to no others", async () => {
    const { mutators, runner, ...options } = searched(1);
    assert.ok(runner !== undefined);
    const located: string[] = [];
    const told: Parameters<Mutator["propose"]>[0][] = [];
    const counting: Pick<ProgramRunner, "run"> = {
      run: (program, calls, given) => {
        if (given.isDetailed === true) located.push(program.text);
        return halves(runner).run(program, calls, given);
      },
    };
    const watched = mutators.map((mutator) => ({
      ...mutator,
      propose: (...given: Parameters<typeof mutator.propose>) => (told.push(given[0]), mutator.propose(...given)),
    }));
    const run = await evolve({ ...options, mutators: watched, runner: counting, budget: { evaluations: 60 } });
    assert.equal(
      run.hash,
      (await evolve({ ...searched(1), budget: { evaluations: 60 } })).hash,
      "it costs no evaluation",
    );
    assert.equal(new Set(located).size, located.length);
    for (const { parent, coverage } of told) {
      if (!located.includes(parent.text)) assert.equal(coverage, undefined);
      if (coverage === undefined) continue;
      const failed = coverage.runs.filter(({ hasPassed }) => !hasPassed).length;
      assert.equal(failed, Math.min(12, parent.scores.filter((score) => score < 1).length));
      assert.equal(coverage.blocks[1]?.end, parent.text.length);
    }
    assert.ok(
      told.some(({ coverage }) => coverage !== undefined) && told.some(({ coverage }) => coverage === undefined),
    );
  });
});
