/** Small decisions of the search: chance, cascade, bandit, selection, ranges, waiting. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bandit } from "../../../evolution/population/bandit.ts";
import { Turnstile, within } from "../../../evolution/population/bounded.ts";
import { goesOn, rungsOf } from "../../../evolution/population/cascade.ts";
import { below, randomAt, shuffled, weighted } from "../../../evolution/population/chance.ts";
import { Echoes } from "../../../evolution/population/echoes.ts";
import { evolve } from "../../../evolution/population/evolve.ts";
import type { SearchEvent } from "../../../evolution/population/events.ts";
import { difference, isWithin, movedRanges } from "../../../evolution/population/evolvable.ts";
import { programId } from "../../../evolution/population/individual.ts";
import { behaviourText, readOutcome, shownOutcome, writeOutcome } from "../../../evolution/population/outcome-text.ts";
import { childOf } from "../../../evolution/population/proposer.ts";
import { epsilonsOf, lexicase, sampledCases } from "../../../evolution/population/selection/lexicase.ts";
import { noveltiesOf } from "../../../evolution/population/selection/novelty.ts";
import { parentWeight } from "../../../evolution/population/selection/weight.ts";
import type { Edit } from "../../../evolution/mutation/edit.ts";
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import { applyEdits } from "../../../evolution/mutation/edit.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { Chance } from "../../support/chance.ts";
import { someone } from "./someone.ts";
import { bitProblem } from "./toy.ts";

describe("chance by place", () => {
  it("is the same for the same place and purpose, and unrelated for any other", () => {
    const place = { island: 1, generation: 2, slot: 3 };
    const first = randomAt(7, place, "parent").next32();
    assert.equal(randomAt(7, place, "parent").next32(), first);
    const others = [
      randomAt(8, place, "parent"),
      randomAt(7, { ...place, island: 2 }, "parent"),
      randomAt(7, { ...place, generation: 1 }, "parent"),
      randomAt(7, { ...place, slot: 1 }, "parent"),
      randomAt(7, place, "mutation"),
    ].map((random) => random.next32());
    assert.equal(new Set([first, ...others]).size, 6);
  });

  it("shuffles, bounds and weighs fairly", () => {
    const random = seededRandom(4);
    assert.deepEqual(new Set(shuffled(random, [1, 2, 3, 4])), new Set([1, 2, 3, 4]));
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 3_000; draw++) {
      const place = below(random, 3);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    assert.ok(counts.every((each) => Math.abs(each - 1_000) < 150));
    const heavy = Array.from({ length: 3_000 }, () => weighted(random, [1, 2, 0], (weight) => weight));
    assert.ok(heavy.every((each) => each !== 0));
    assert.ok(Math.abs(heavy.filter((each) => each === 2).length / 3_000 - 2 / 3) < 0.05);
    assert.equal(
      weighted(random, [5], () => 0),
      5,
    );
    assert.equal(
      weighted(random, [], () => 1),
      undefined,
    );
  });
});

describe("the cascade", () => {
  it("asks 25, 100 and 500 of 500 cases, and few cases at once", () => {
    assert.deepEqual([500, 12, 13, 40].map(rungsOf), [[25, 100, 500], [12], [4, 8, 13], [4, 8, 40]]);
  });

  it("lets the best third go on, and two by chance", () => {
    const scores = [9, 1, 8, 2, 7, 3, 6, 4, 5];
    for (let seed = 1; seed < 20; seed++) {
      const on = goesOn(scores, (score) => score, seededRandom(seed));
      assert.equal(on.length, 5);
      for (const best of [9, 8, 7]) assert.ok(on.includes(best));
      assert.deepEqual(
        on,
        scores.filter((score) => on.includes(score)),
        "in their order",
      );
    }
    assert.deepEqual(
      goesOn([1, 2], (score) => score, seededRandom(1)),
      [1, 2],
    );
    assert.deepEqual(
      goesOn([], () => 0, seededRandom(1)),
      [],
    );
  });
});

describe("the bandit", () => {
  const even = (): number => 1;

  it("tries everybody, then gives more to who earns more", () => {
    const bandit = new Bandit([{ id: "good" }, { id: "bad" }, { id: "idle" }]);
    assert.deepEqual(new Set(bandit.assign(3, even)), new Set(["good", "bad", "idle"]));
    for (let round = 0; round < 60; round++)
      for (const mutator of bandit.assign(10, even))
        bandit.learn(mutator, mutator === "good" ? 0.1 : mutator === "bad" ? 0.01 : 0, 0);
    const pulls = new Map(bandit.report().map((arm) => [arm.mutator, arm.pulls]));
    assert.ok((pulls.get("good") ?? 0) > 2 * (pulls.get("bad") ?? 0));
    const idle = pulls.get("idle") ?? 0;
    for (let round = 0; round < 600; round++)
      for (const mutator of bandit.assign(10, even)) bandit.learn(mutator, 0, 0);
    assert.ok((bandit.report()[2]?.pulls ?? 0) > 10 * idle, "nobody is forgotten once the good one earns no more");
  });

  it("gives the first slots by start weights, and forgets them for what is seen", () => {
    const bandit = new Bandit([
      { id: "often", startWeight: 40 },
      { id: "seldom", startWeight: 10 },
      { id: "hardly", startWeight: 1 },
      { id: "unknown" },
    ]);
    const counts = (slots: number): readonly number[] => {
      const given = bandit.assign(slots, even);
      return ["often", "seldom", "hardly", "unknown"].map((id) => given.filter((each) => each === id).length);
    };
    const [often = 0, seldom = 0, hardly = 0, unknown = 0] = counts(60);
    assert.ok(often > 2 * seldom && seldom > 2 * hardly, `${often}, ${seldom}, ${hardly}`);
    assert.ok(unknown > 3 && unknown < 30, "of whom nothing is known, something must be found out");
    for (let round = 0; round < 30; round++)
      for (const mutator of bandit.assign(10, even)) bandit.learn(mutator, mutator === "hardly" ? 0.1 : 0, 0);
    const later = counts(60);
    assert.ok((later[2] ?? 0) > 30, later.join(", "));
    assert.ok(
      bandit.report().every(({ reward, pulls }) => reward <= pulls),
      "only what was earned is told",
    );
  });

  it("asks of a mutator that costs money that it earns more", () => {
    const bandit = new Bandit([{ id: "free" }, { id: "paid" }]);
    for (const mutator of ["free", "paid"])
      for (let pull = 0; pull < 20; pull++) bandit.learn(mutator, 0.1, mutator === "paid" ? 0.01 : 0);
    const [free, paid] = bandit.report();
    assert.ok((free?.reward ?? 0) > 3 * (paid?.reward ?? 0));
  });

  it("does not let a loss, or one huge gain, count for more than it is", () => {
    const bandit = new Bandit([{ id: "one" }]);
    bandit.learn("one", -1, 0);
    assert.deepEqual(bandit.report(), [{ mutator: "one", pulls: 1, reward: 0 }]);
    bandit.learn("one", 1_000, 0);
    assert.deepEqual(bandit.report(), [{ mutator: "one", pulls: 2, reward: 1 }]);
    assert.throws(() => bandit.learn("unknown", 1, 0), RangeError);
  });
});

describe("selection", () => {
  it("looks at all of few cases and at a tenth of many", () => {
    assert.deepEqual(sampledCases(5, seededRandom(1)), [0, 1, 2, 3, 4]);
    const many = sampledCases(1_000, seededRandom(1));
    assert.equal(new Set(many).size, 100);
    assert.notDeepEqual(sampledCases(1_000, seededRandom(2)), many);
  });

  it("chooses every specialist now and then, and never who is worse everywhere", () => {
    const pool = [
      { name: "first", scores: [1, 0, 0] },
      { name: "second", scores: [0, 1, 0] },
      { name: "worse", scores: [0, 0.9, 0] },
      { name: "third", scores: [0, 0, 1] },
      { name: "none", scores: [0, 0, 0] },
    ];
    const epsilons = epsilonsOf(pool, [0, 1, 2]);
    const chosen = new Set(
      Array.from({ length: 200 }, (_, seed) => lexicase(pool, epsilons, seededRandom(seed))?.name),
    );
    assert.deepEqual(chosen, new Set(["first", "second", "third"]));
    assert.equal(lexicase([], epsilons, seededRandom(1)), undefined);
  });

  it("takes who is within the median absolute deviation for as good as the best", () => {
    const pool = [1, 0.99, 0.98, 0.5, 0.97].map((score) => ({ scores: [score] }));
    assert.ok(Math.abs((epsilonsOf(pool, [0]).get(0) ?? 0) - 0.01) < 1e-9);
    const chosen = new Set(
      Array.from({ length: 100 }, (_, seed) => lexicase(pool, epsilonsOf(pool, [0]), seededRandom(seed))?.scores[0]),
    );
    assert.deepEqual(chosen, new Set([1, 0.99]));
  });

  it("measures how far behaviours are apart", () => {
    const pool = [
      [0, 0],
      [0, 0],
      [1, 1],
    ].map((scores) => ({ scores }));
    assert.deepEqual(noveltiesOf(pool, [0, 1]), [0.5, 0.5, 1]);
    assert.deepEqual(noveltiesOf([{ scores: [1] }], [0]), [0]);
  });

  it("weighs as published", () => {
    assert.equal(parentWeight(0.5, 0.5, 0), 0.5);
    assert.equal(parentWeight(0.5, 0.5, 1), 0.25);
    assert.ok(parentWeight(0.9, 0.5, 0) > 0.98 && parentWeight(0.1, 0.5, 0) < 0.02);
  });
});

describe("what may change of a text", () => {
  it("moves with the text: what was given stays given after any edits", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const chance = new Chance(seed);
      let text = "aaaa[bbbb]cccc[dddd]eeee";
      let ranges: readonly { start: number; end: number }[] = [
        { start: 5, end: 9 },
        { start: 15, end: 19 },
      ];
      for (let round = 0; round < 5; round++) {
        const range = chance.of(ranges);
        const start = range.start + chance.below(range.end - range.start + 1);
        const end = start + chance.below(range.end - start + 1);
        const edits = [{ start, end, text: "x".repeat(chance.below(4)) }];
        assert.ok(isWithin(edits, ranges));
        text = applyEdits(text, edits);
        ranges = movedRanges(ranges, edits);
      }
      assert.match(text, /^aaaa\[[bx]*\]cccc\[[dx]*\]eeee$/, `seed ${seed}`);
      const given =
        text.slice(0, ranges[0]?.start) + text.slice(ranges[0]?.end, ranges[1]?.start) + text.slice(ranges[1]?.end);
      assert.equal(given, "aaaa[]cccc[]eeee", `seed ${seed}`);
    }
  });

  it("a whole new text is the edit between what both have in common", () => {
    for (const [before, after] of [
      ["abc", "abc"],
      ["", "x"],
      ["aaa", "aa"],
      ["return a + b;", "return a - b;"],
    ] as const) {
      assert.equal(applyEdits(before, [difference(before, after)]), after);
    }
    assert.deepEqual(difference("return a + b;", "return a - b;"), { start: 9, end: 10, text: "-" });
  });

  it("a proposal that changes nothing, reaches outside, is torn or too large is refused by name", () => {
    const parent = someone("let a = 1;", [1], { evolvable: [{ start: 8, end: 9 }] });
    const child = childOf(parent, { edits: [{ start: 8, end: 9, text: "2" }] });
    assert.ok(typeof child !== "string");
    assert.equal(child.text, "let a = 2;");
    assert.equal(child.id, programId("let a = 2;"));
    assert.deepEqual(
      [
        childOf(parent, { edits: { full: "let a = 1;\n" } }),
        childOf(parent, { edits: { full: "let b = 2;" } }),
        childOf(parent, { edits: [{ start: 8, end: 90, text: "" }] }),
        childOf(parent, { edits: [{ start: 8, end: 9, text: "1".repeat(300_000) }] }),
      ],
      ["same", "outside", "torn", "too_large"],
    );
  });
});

describe("what models say of one parent", () => {
  const lines = Array.from({ length: 120 }, (_, line) => `  total = total + parts[${line}] * ${line};`);
  const text = `function f(parts) {\n  let total = 0;\n${lines.join("\n")}\n  return total;\n}`;
  const parent = { id: "parent", text };
  const change = (edits: readonly Edit[], of = parent) => ({ parent: of, edits, id: applyEdits(of.text, edits) });
  /** A block of these lines, as a model gives it back. */
  const block = (from: number, changed: (line: string) => string): readonly Edit[] => {
    const before = lines.slice(from, from + 60).join("\n");
    const start = text.indexOf(before);
    const after = lines.slice(from, from + 60).map(changed);
    return [{ start, end: start + before.length, text: after.join("\n") }];
  };
  const rewritten = block(10, (line) => line.replace("total +", "total -"));
  const echoes = new Echoes();
  echoes.add(change(rewritten));

  it("is an echo where a long change is made once more with a word of it changed, and not for another parent", () => {
    const again = block(10, (line) => line.replace("total +", "total -").replace("parts[30] * 30", "parts[30] * 31"));
    assert.ok(echoes.has(change(again)));
    assert.ok(!echoes.has(change(again, { ...parent, id: "other" })));
    assert.ok(!echoes.has(change(rewritten)), "the very same child is known by its name");
  });

  it("is none where small changes of a long program differ in place or word, or a long one differs", () => {
    const small = block(10, (line) => line.replace("parts[30] * 30", "parts[30] * 31"));
    echoes.add(change(small));
    for (const other of [
      block(10, (line) => line.replace("parts[30] * 30", "parts[30] * 32")),
      block(10, (line) => line.replace("parts[50] * 50", "parts[50] * 31")),
      block(10, (line) => line.replace("total +", "total *")),
      block(40, (line) => line.replace("total +", "total -")),
    ])
      assert.ok(!echoes.has(change(other)));
  });

  it("is refused as alike, of models alone, and counted for whoever said it", async () => {
    const long = `let sum = 0;\n${lines.slice(0, 60).join("\n")}`;
    const says: (kind: "llm" | "ast") => Mutator = (kind) => ({
      id: kind,
      kind,
      async *propose({ proposed = 0 }, count) {
        for (let number = 0; number < count; number++) {
          yield {
            edits: [{ start: text.length, end: text.length, text: `${long} sum += ${kind} ${proposed + number};` }],
          };
        }
      },
    });
    const told: SearchEvent[] = [];
    const problem = { name: "echo", entry: "f", seeds: [text], cases: [{ id: "one", args: [] }], score: () => 0.5 };
    const { runner } = bitProblem("echo", [], 1, () => 0);
    await evolve({
      problem,
      runner,
      mutators: [says("llm"), says("ast")],
      formOf: () => undefined,
      islands: 1,
      populationPerIsland: 6,
      budget: { generations: 1 },
      onEvent: (event) => void told.push(event),
    });
    const children = (mutator: string): number =>
      told.filter((event) => event.type === "individual.evaluated" && event.mutator === mutator).length;
    const alike = told.flatMap((event) =>
      event.type === "proposal.refused" && event.why.alike !== undefined ? [[event.mutator, event.why.alike]] : [],
    );
    assert.deepEqual([children("llm"), children("ast")], [1, 3]);
    assert.deepEqual(alike, [
      ["llm", 2],
      ["llm", 2],
    ]);
  });
});

describe("outcomes as texts", () => {
  it("are equal for equal behaviour, and read back as they were", () => {
    const values = [{ a: [1, undefined, Number.NaN] }, new Map([["k", 1n]]), "text", undefined];
    for (const value of values) {
      const outcome = { kind: "returned", value } as const;
      assert.deepEqual(readOutcome(writeOutcome(outcome)), outcome);
      assert.equal(behaviourText(outcome), behaviourText({ kind: "returned", value: structuredClone(value) }));
    }
    for (const outcome of [
      { kind: "threw", message: "no" },
      { kind: "fuel" },
      { kind: "exceeded", code: "SANDBOX_HEAP_EXCEEDED" },
      { kind: "unfit", reason: "syntax" },
    ] as const)
      assert.deepEqual(readOutcome(writeOutcome(outcome)), outcome);
  });

  it("do not tell which limit ended a call, and are cut where they are long", () => {
    assert.equal(behaviourText({ kind: "exceeded", code: "A" }), behaviourText({ kind: "exceeded", code: "B" }));
    const long = shownOutcome({ kind: "returned", value: "x".repeat(100_000) });
    assert.ok(JSON.stringify(long).length < 400);
  });
});

describe("waiting with an end", () => {
  it("ends with what was waited for, with the signal, or when the time is over", async () => {
    const clock = new SimulatedClock();
    const late = (): Error => new Error("late");
    const options = (signal: AbortSignal) => ({ clock, ms: 10, signal, late });
    const never = new Promise<never>(() => {});
    assert.equal(await within(Promise.resolve(5), options(new AbortController().signal)), 5);
    const slow = assert.rejects(within(never, options(new AbortController().signal)), /late/);
    clock.advance(10);
    await slow;
    const abort = new AbortController();
    const aborted = assert.rejects(within(never, options(abort.signal)), /enough/);
    abort.abort(new Error("enough"));
    await aborted;
    await assert.rejects(within(never, options(AbortSignal.abort(new Error("before")))), /before/);
  });

  it("lets so many in at once, in the order in which they came, whatever becomes of them", async () => {
    const turnstile = new Turnstile(2);
    const order: number[] = [];
    let inside = 0;
    let most = 0;
    const work = (number: number) =>
      turnstile.pass(async () => {
        inside += 1;
        most = Math.max(most, inside);
        order.push(number);
        await Promise.resolve();
        inside -= 1;
        if (number % 2 === 1) throw new Error("odd");
      });
    await Promise.allSettled([0, 1, 2, 3, 4, 5].map(work));
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
    assert.equal(most, 2);
  });
});
