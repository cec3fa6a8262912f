/** What `evolve` promises, as far as it can be shown in a moment; `evolve.long.test.ts` and `resume.long.test.ts` show the rest. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultMutators } from "../../../evolution/mutation/default-mutators.ts";
import { operators } from "../../../evolution/mutation/operators.ts";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import { evolve } from "../../../evolution/population/evolve.ts";
import type { Problem } from "../../../evolution/population/problem.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { searched } from "./searched.ts";
import { ToyRunner } from "./toy.ts";

/** Four first parents, then generations of 24 slots, most of which find something to run: three of them, the last one cut. */
const WHOLE = 70;

describe("a run that its evaluations ended", () => {
  it(`goes on with ${WHOLE} as if it had never ended, wherever that was`, async (t) => {
    const whole = await evolve({ ...searched(1), budget: { evaluations: WHOLE } });
    for (const pieces of [[5], [40, 20, 61]]) {
      const vault = tempFolder(t);
      for (const [index, evaluations] of pieces.entries()) {
        const options = { ...searched(index + 2), vault, workers: 1 + (index % 2) };
        const piece = await evolve({ ...options, budget: { evaluations } });
        assert.deepEqual([piece.evaluations, piece.why], [evaluations, "evaluations"]);
      }
      const { hash, evaluations } = await evolve({ ...searched(9), vault, budget: { evaluations: WHOLE } });
      assert.deepEqual([hash, evaluations], [whole.hash, whole.evaluations], `after ${pieces.join(", ")}`);
    }
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
