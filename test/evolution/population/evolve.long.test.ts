/** What `evolve` promises beside finding something: refusals, faults, budgets, and one hash for any number of workers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import type { EvolveOptions } from "../../../evolution/population-options.ts";
import { evolve } from "../../../evolution/population/evolve.ts";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import type { SearchProgress } from "../../../evolution/population/progress.ts";
import { openRunner } from "../../../evolution/population/run/runner.ts";
import { code } from "../../support/evolution-error.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { searched } from "./searched.ts";

/** With one thing that is not as it should be. */
function with_(changes: Readonly<Record<string, unknown>>): EvolveOptions {
  return { ...searched(1), ...changes };
}

describe("options of a search that cannot be", () => {
  const { problem, mutators } = searched(1);
  const refusals: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
    ["no budget", { budget: {} }, /needs an end/],
    ["a budget of zero", { budget: { evaluations: 0 } }, /budget\.evaluations/],
    ["no time at all", { budget: { ms: 0 } }, /budget\.ms/],
    ["no mutator", { mutators: [] }, /mutators/],
    ["two mutators of one name", { mutators: [...mutators, ...mutators] }, /two mutators are called flip-each/],
    ["no seed", { problem: { ...problem, seeds: [] } }, /problem\.seeds/],
    ["an empty seed", { problem: { ...problem, seeds: [" \n"] } }, /an empty program is no seed/],
    ["no case", { problem: { ...problem, cases: [] } }, /problem\.cases/],
    [
      "two cases of one name",
      { problem: { ...problem, cases: [problem.cases[0], problem.cases[0]] } },
      /two cases are called block 0/,
    ],
    ["no score", { problem: { ...problem, score: 5 } }, /problem\.score/],
    [
      "ranges of several seeds",
      { problem: { ...problem, evolvable: [{ start: 0, end: 1 }] } },
      /give one seed with them/,
    ],
    ["an unknown word", { generation: 5 }, /generation/],
    ["both a vault and a journal", { vault: "/nowhere", journal: {} }, /not both/],
  ];
  for (const [shows, changes, message] of refusals) {
    it(`refuses ${shows}: EVOLUTION_OPTIONS_INVALID`, async () => {
      await assert.rejects(evolve(with_(changes)), (error) => {
        assert.match(String(error), message);
        return code("EVOLUTION_OPTIONS_INVALID")(error);
      });
    });
  }
});

describe("an evaluator that fails", () => {
  const { problem } = searched(1);
  const faults: readonly (readonly [string, () => unknown, RegExp])[] = [
    ["throws", () => assert.fail("a bug of mine"), /a bug of mine/],
    ["gives NaN", () => Number.NaN, /NaN/],
    ["gives more than 1", () => 2, /2, which is no number from 0 to 1/],
    ["gives a text", () => "good", /good/],
    ["rejects", () => Promise.reject(new Error("later")), /later/],
  ];
  for (const [shows, fault, message] of faults) {
    it(`ends the run when it ${shows}, and the run goes on when it is mended`, async (t) => {
      const vault = tempFolder(t);
      let asked = 0;
      const score = (...given: Parameters<typeof problem.score>): unknown =>
        (asked += 1) > 1_500 ? fault() : problem.score(...given);
      await assert.rejects(evolve(with_({ problem: { ...problem, score }, vault })), (error) => {
        assert.match(String(error), message);
        return code("EVOLUTION_EVALUATOR_FAILED")(error);
      });
      const mended = await evolve({ ...searched(2), vault });
      assert.equal(mended.hash, (await evolve(searched(3))).hash);
    });
  }

  it("ends the run when it never answers", async () => {
    const clock = new SimulatedClock();
    let runs = 0;
    const { promise: silent, resolve: stalled } = Promise.withResolvers<void>();
    const { runner, ...options } = searched(1);
    const run = async (...given: Parameters<NonNullable<typeof runner>["run"]>) => {
      if ((runs += 1) === 100) {
        stalled();
        await new Promise(() => {});
      }
      assert.ok(runner !== undefined);
      return await runner.run(...given);
    };
    const search = evolve({ ...options, runner: { run }, clock, evaluationMs: 5_000 });
    const refused = assert.rejects(search, (error) => {
      assert.match(String(error), /no answer within 5000 ms/);
      return code("EVOLUTION_EVALUATOR_FAILED")(error);
    });
    await silent;
    clock.advance(5_000);
    await refused;
  });

  it("refuses a runner that gives too few outcomes, and descriptions that are no numbers", async () => {
    const few = { run: async () => ({ outcomes: [], fuelUsed: [], coverage: undefined, cpuMs: 0 }) };
    await assert.rejects(evolve(with_({ runner: few })), code("EVOLUTION_EVALUATOR_FAILED"));
    const describe = (): readonly number[] => [Number.NaN];
    await assert.rejects(evolve(with_({ problem: { ...problem, describe } })), code("EVOLUTION_EVALUATOR_FAILED"));
  });
});

describe("mutators", () => {
  it("may fail now and then; one that fails again and again ends the run: EVOLUTION_MUTATOR_FAILED", async () => {
    const { mutators } = searched(1);
    const failing = (isFailing: (call: number) => boolean): Mutator => {
      let calls = 0;
      return {
        id: "failing",
        kind: "llm",
        async *propose(ground, count, signal) {
          calls += 1;
          if (isFailing(calls)) throw new Error("no such model");
          for (const mutator of mutators.slice(0, 1)) yield* mutator.propose(ground, count, signal);
        },
      };
    };
    const events: SearchEvent[] = [];
    const onEvent = (event: SearchEvent): void => void events.push(event);
    const budget = { generations: 5 };
    await evolve({ ...searched(1), mutators: [failing((call) => call % 2 === 0)], budget, onEvent });
    assert.ok(events.some(({ type }) => type === "mutator.failed"));
    await assert.rejects(evolve({ ...searched(1), mutators: [failing(() => true)], budget }), (error) => {
      assert.match(String(error), /no such model/);
      return code("EVOLUTION_MUTATOR_FAILED")(error);
    });
  });

  it("may not touch what must not change", async () => {
    const { problem } = searched(1);
    const [seed = ""] = problem.seeds;
    const evolvable = [{ start: 10, end: 20 }];
    const { islands } = await evolve({ ...searched(1), problem: { ...problem, seeds: [seed], evolvable } });
    const texts = islands.flat().map(({ text }) => text);
    assert.ok(new Set(texts).size > 5);
    for (const text of texts) assert.equal(text.slice(0, 10) + text.slice(20), seed.slice(0, 10) + seed.slice(20));
  });
});

describe("a search ends", () => {
  it("with exactly as many evaluations as it was given", async () => {
    for (const count of [101, 400]) {
      const { evaluations, why } = await evolve({ ...searched(1), budget: { evaluations: count } });
      assert.deepEqual([evaluations, why], [count, "evaluations"]);
    }
  });

  it("when its time is over, with the last whole generation", async () => {
    const clock = new SimulatedClock();
    const options = searched(1);
    let progress: SearchProgress | undefined;
    const onProgress = (told: SearchProgress): void => {
      progress = told;
    };
    const onEvent = (event: SearchEvent): void => {
      if (event.type === "generation.ended" && event.generation === 4) clock.advance(1_000);
    };
    const cut = await evolve({ ...options, clock, budget: { ms: 1_000 }, onEvent, onProgress });
    assert.deepEqual([cut.why, cut.generations], ["ms", 4]);
    assert.equal(cut.hash, (await evolve({ ...searched(1), budget: { generations: 4 } })).hash);
    assert.deepEqual(progress?.remaining, { ms: 0 });
  });

  it("when its money is spent", async () => {
    const { mutators } = searched(1);
    const paid = mutators.slice(0, 1).map((mutator): Mutator => ({
      ...mutator,
      async *propose(...given) {
        for await (const proposal of mutator.propose(...given)) yield { ...proposal, meta: { usd: 0.01 } };
      },
    }));
    const { why, usd, generations } = await evolve({
      ...searched(1),
      mutators: paid,
      budget: { usd: 1, generations: 100 },
    });
    assert.equal(why, "usd");
    assert.ok(usd >= 1 && usd < 1.5 && generations > 2);
  });

  it("when nothing new is proposed any more", async () => {
    const { problem } = searched(1);
    const evolvable = [{ start: 0, end: 3 }]; // eight programs
    const seeds = problem.seeds.slice(0, 1);
    const { why, evaluations } = await evolve({
      ...searched(1),
      problem: { ...problem, seeds, evolvable },
      budget: { evaluations: 1_000 },
    });
    assert.equal(why, "exhausted");
    assert.ok(evaluations <= 8);
  });

  it("with its held cases judged once, and not chosen by", async () => {
    const { problem } = searched(1);
    const held = [{ id: "held", args: [0] }];
    const { held: score, hash, best } = await evolve({ ...searched(1), problem: { ...problem, held } });
    assert.equal(hash, (await evolve(searched(1))).hash);
    assert.equal(score, best.scores[0]);
  });
});

describe("a search of programs in cells", () => {
  const seed = "export function middle(a: number, b: number, c: number): number { return a + b * 0 + c * 0; }";
  const wrong = /a \+ b|\* 0|\+|c/g;
  /** Rewrites one piece of the text. */
  const pieces: Mutator = {
    id: "pieces",
    kind: "ast",
    async *propose({ parent, random }, count) {
      const places = [...parent.text.slice(parent.text.indexOf("return")).matchAll(wrong)];
      const offset = parent.text.indexOf("return");
      for (let number = 0; number < count; number++) {
        const place = places[random.next32() % Math.max(1, places.length)];
        const text = ["a", "b", "c", "* 1", "-", "Math.max(a, b)", "Math.min(b, c)", "while (true);"][
          random.next32() % 8
        ];
        if (place === undefined || text === undefined) return;
        const start = offset + place.index;
        yield { edits: [{ start, end: start + place[0].length, text }] };
      }
    },
  };
  const cases = [
    [1, 2, 3],
    [3, 1, 2],
    [5, 5, 1],
    [9, 4, 7],
  ].map((args) => ({ id: args.join(), args }));
  const middle = (args: readonly unknown[]): unknown => args.map(Number).toSorted((a, b) => a - b)[1];

  it("comes to one hash with 1, 2 and 8 workers", { timeout: 240_000 }, async () => {
    const hashes = new Set<string>();
    for (const workers of (process.env["WORKERS"] ?? "1,2").split(",").map(Number)) {
      const { hash, evaluations } = await evolve({
        problem: {
          name: "middle",
          entry: "middle",
          seeds: [seed],
          cases,
          score: ({ args }, outcome) => (outcome.kind === "returned" && outcome.value === middle(args) ? 1 : 0),
        },
        mutators: [pieces],
        islands: 2,
        populationPerIsland: 8,
        fuel: 10_000,
        seed: 3,
        workers,
        budget: { evaluations: 60 },
      });
      assert.ok(evaluations > 20);
      hashes.add(hash);
    }
    assert.equal(hashes.size, 1);
  });

  it(
    "runs one of two programs that differ in nothing but names and constants that are worked out",
    { timeout: 60_000 },
    async () => {
      await using runner = await openRunner({ workers: 1 });
      const seeds = [
        "function f(a) { return a + 2; }",
        "function f(b) { return b + (1 + 1); }",
        "function f(a) { return a + 3; }",
      ];
      const problem = { name: "twins", entry: "f", seeds, cases, score: () => 0.5 };
      const { evaluations } = await evolve({ problem, mutators: [pieces], runner, budget: { evaluations: 2 } });
      assert.equal(evaluations, 2);
    },
  );

  it("refuses seeds that do not load: EVOLUTION_SEED_UNFIT", { timeout: 60_000 }, async () => {
    await using runner = await openRunner({ workers: 1 });
    const problem = { name: "broken", entry: "f", seeds: ["function f( {"], cases, score: () => 1 };
    await assert.rejects(
      evolve({ problem, mutators: [pieces], runner, budget: { evaluations: 10 } }),
      code("EVOLUTION_SEED_UNFIT"),
    );
  });
});
