/** Mutators without a model: what they draw, what they leave alone, and that the same ground gives the same. SEED repeats a case. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawnMutator, enumeratingMutator, pairMutator } from "../../../evolution/mutation/ast-mutators.ts";
import { subtreeMutator, unionMutator } from "../../../evolution/mutation/crossover.ts";
import { applyEdits } from "../../../evolution/mutation/edit.ts";
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import { numericMutator } from "../../../evolution/mutation/numeric.ts";
import { operators } from "../../../evolution/mutation/operators.ts";
import { readProgram } from "../../../evolution/mutation/program.ts";
import { suspicionOf } from "../../../evolution/mutation/suspicion.ts";
import { childOf, groundOf, individual, proposalsOf, textsOf } from "./individuals.ts";

const seed = Number(process.env["SEED"] ?? 43);
const program = `function total(sizes: number[], limit: number): number {
  let sum = 0;
  for (const size of sizes) if (size < limit) sum += size * 2.5;
  return sum;
}
`;
const mate = individual(
  "function other(xs) { let best = 1.5; for (const x of xs) best = Math.max(best, x + 7); return best; }",
);

const MUTATORS: readonly Mutator[] = [
  drawnMutator(),
  pairMutator(),
  enumeratingMutator(),
  numericMutator,
  subtreeMutator,
];

for (const mutator of MUTATORS) {
  describe(`the mutator ${mutator.id}`, () => {
    it("proposes what it is asked for, all of it different, and all of it programs", async (t) => {
      t.diagnostic(`SEED=${seed}`);
      const texts = await textsOf(mutator, groundOf(program, seed, { mates: [mate] }), 40);
      assert.equal(texts.length, 40);
      assert.equal(new Set([program, ...texts]).size, 41);
      for (const text of texts) assert.ok(readProgram(text) !== undefined, text);
    });

    it("proposes the same for the same seed", async () => {
      const once = () => proposalsOf(mutator, groundOf(program, seed, { mates: [mate] }), 10);
      assert.deepEqual(await once(), await once());
    });

    it("changes nothing but what may change", async () => {
      const start = program.indexOf("sum += ");
      const end = program.indexOf(";", start);
      const texts = await textsOf(mutator, groundOf(program, seed, { mates: [mate], evolvable: [{ start, end }] }), 10);
      assert.ok(texts.length > 0);
      for (const text of texts) {
        assert.equal(text.slice(0, start), program.slice(0, start));
        assert.ok(text.endsWith(program.slice(end)), text);
      }
    });

    it("has nothing to say where nothing may change, where the text is no program, and once it is told to stop", async () => {
      assert.deepEqual(await proposalsOf(mutator, groundOf(program, seed, { mates: [mate], evolvable: [] }), 5), []);
      assert.deepEqual(await proposalsOf(mutator, groundOf("function (", seed, { mates: [mate] }), 5), []);
      assert.deepEqual(await proposalsOf(mutator, groundOf("", seed, { mates: [mate] }), 5), []);
      const ground = groundOf(program, seed, { mates: [mate] });
      assert.deepEqual(await proposalsOf(mutator, ground, 5, AbortSignal.abort()), []);
    });
  });
}

it("an operator is drawn as often as its weight says, however many changes it has", async () => {
  const counts = new Map<string, number>();
  const mutator = drawnMutator({
    weights: new Map(operators.map(({ id }) => [id, id === "operator" || id === "donor" ? 1 : 0])),
  });
  for (let round = 0; round < 400; round++) {
    for (const { note = "" } of await proposalsOf(mutator, groundOf(program, seed + round), 1))
      counts.set(note, (counts.get(note) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].toSorted(), ["donor", "operator"]);
  // 400 even draws: more than 50 from 200 is five deviations.
  assert.ok(Math.abs((counts.get("operator") ?? 0) - 200) < 50, JSON.stringify([...counts]));
});

it("enumeration goes on where it was, until there is nothing left", async () => {
  const mutator = enumeratingMutator({ operators: operators.slice(0, 3) });
  const all = await textsOf(mutator, groundOf(program, seed), 10_000);
  const steps: string[] = [];
  for (let proposed = 0; proposed <= all.length; proposed += 7)
    steps.push(...(await textsOf(mutator, groundOf(program, seed + proposed, { proposed }), 7)));
  assert.deepEqual(steps, all);
});

describe("suspicion", () => {
  const start = program.indexOf("sum +=");
  const blocks = [
    { start: 0, end: program.length },
    { start, end: program.indexOf(";", start) },
  ];
  it("is the share of failing runs that pass a block, less what passing runs pass of it", () => {
    const runs = [
      { hasPassed: false, counts: [1, 3] },
      { hasPassed: false, counts: [1, 0] },
      { hasPassed: true, counts: [1, 0] },
      { hasPassed: true, counts: [1, 0] },
    ];
    const suspicion = suspicionOf({ blocks, runs });
    assert.equal(suspicion(1), 2 / Math.sqrt(2 * 4));
    assert.equal(suspicion(start), 1 / Math.sqrt(2 * 1));
    assert.equal(suspicion(program.length), 0.05);
    assert.equal(suspicionOf(undefined)(0), 1);
    assert.equal(suspicionOf({ blocks, runs: runs.slice(2) })(0), 1);
  });

  it("leads draws to where the fault is", async () => {
    const coverage = {
      blocks,
      runs: [
        { hasPassed: false, counts: [0, 1] },
        { hasPassed: true, counts: [1, 0] },
      ],
    };
    const inside = async (more: object): Promise<number> => {
      let count = 0;
      for (let round = 0; round < 200; round++) {
        const [proposal] = await proposalsOf(drawnMutator(), groundOf(program, seed + round, more), 1);
        const at = proposal === undefined || "full" in proposal.edits ? -1 : (proposal.edits[0]?.start ?? -1);
        if (at >= start && at < (blocks[1]?.end ?? 0)) count++;
      }
      return count / 200;
    };
    const [led, even] = [await inside({ coverage }), await inside({})];
    assert.ok(led > 0.8 && led > even + 0.2, `${led} led, ${even} even`);
  });
});

describe("a union", () => {
  const base = "let a = 1; let b = 2; let c = 3;";
  const edit = (of: string, text: string) => ({ start: base.indexOf(of), end: base.indexOf(of) + of.length, text });
  it("has what both children changed", async () => {
    const parent = childOf(base, [edit("1", "100"), edit("c", "cc")]);
    const ground = groundOf("", seed, { parent, mates: [childOf(base, [edit("2", "20")])] });
    assert.deepEqual(await textsOf(unionMutator, ground, 5), ["let a = 100; let b = 20; let cc = 3;"]);
  });

  it("is not made of edits that touch, of strangers, or of what the parent has", async () => {
    const parent = childOf(base, [edit("2", "20")]);
    const mates = [
      childOf(base, [edit("2", "30")]),
      childOf(base, [edit("2", "20")]),
      childOf(base.replace("a", "A"), [edit("1", "9")]),
      individual(base),
    ];
    assert.deepEqual(await textsOf(unionMutator, groundOf("", seed, { parent, mates }), 5), []);
    assert.deepEqual(await textsOf(unionMutator, groundOf(base, seed, { mates }), 5), []);
  });
});

describe("a subtree", () => {
  it("of a mate gets names that its place knows, and keeps those of the language and its own", async () => {
    const from = individual("const k = 3; export const f = (n) => n.map((x) => Math.max(x, k));");
    const ground = groundOf("function g(list) { return list.filter((y) => y); }", seed, { mates: [from] });
    const texts = await textsOf(subtreeMutator, ground, 60);
    const call = texts.find((text) => text.includes("return ") && /return \w+\.map\(/.test(text));
    assert.ok(call !== undefined, texts.join("\n"));
    assert.match(call, /^function g\(list\) \{ return (?:list|g)\.map\(\(x\) => Math\.max\(x, (?:list|g)\)\); \}$/);
    for (const text of texts) assert.doesNotMatch(text, /\bk\b/);
  });
});

describe("a numeric step", () => {
  const constants = (text: string): readonly number[] => (text.match(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g) ?? []).map(Number);
  it("keeps whole numbers whole and leaves words, keys and texts alone", async () => {
    const text = 'const a1 = { 2: 10 }; const b = [0.5, 0, "3"];';
    for (const stepped of await textsOf(numericMutator, groundOf(text, seed), 50)) {
      assert.match(stepped, /^const a1 = \{ 2: -?\d+ \}; const b = \[-?\d+(?:\.\d+)?(?:e-?\d+)?, -?\d+, "3"\];$/);
    }
  });

  it("grows from a parent that such a step made, and shrinks with each that did not become one", async () => {
    const widthAt = async (origin: object, proposed: number): Promise<number> => {
      const parent = individual("const a = 0.5;", origin);
      const [proposal] = await proposalsOf(numericMutator, groundOf("", seed, { parent, proposed }), 1);
      return Number(/^step (\S+)$/.exec(proposal?.note ?? "")?.[1]);
    };
    assert.equal(await widthAt({}, 0), 0.3);
    assert.ok(Math.abs((await widthAt({}, 4)) - 0.2) < 1e-4);
    assert.ok(Math.abs((await widthAt({ mutator: "numeric", note: "step 0.0400" }, 0)) - 0.06) < 1e-4);
    assert.equal(await widthAt({ mutator: "ast", note: "step 0.0400" }, 0), 0.3);
    assert.equal(await widthAt({ mutator: "numeric", note: "step ........" }, 0), 0.3);
    assert.equal(await widthAt({}, 100_000), 1e-12);
  });

  it("finds the lowest point of a bowl of five dimensions", async () => {
    // (1, lambda) by hand: the child becomes the parent where it is better.
    const aim = [3.25, -1.5, 0.125, 7, -0.01];
    const loss = (text: string) => constants(text).reduce((sum, value, at) => sum + (value - (aim[at] ?? 0)) ** 2, 0);
    let parent = individual("[1.0, -1.0, 1.0, 1.0, -1.0]");
    let proposed = 0;
    for (let step = 0; step < 1_500; step++) {
      const [proposal] = await proposalsOf(
        numericMutator,
        groundOf("", seed * 10_000 + step, { parent, proposed: proposed++ }),
        1,
      );
      assert.ok(proposal !== undefined && !("full" in proposal.edits));
      // A number that went below zero and back has signs to spare.
      const text = applyEdits(parent.text, proposal.edits).replaceAll(/-?\((-?[\d.e-]+)\)/g, (whole, digits: string) =>
        whole.startsWith("-") ? `${-Number(digits)}` : digits,
      );
      if (loss(text) >= loss(parent.text)) continue;
      parent = individual(text, { mutator: "numeric", note: proposal.note ?? "" });
      proposed = 0;
    }
    assert.ok(loss(parent.text) < 1e-3, `${parent.text} is ${loss(parent.text)} away`);
  });
});
