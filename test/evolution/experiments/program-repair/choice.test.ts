/** Which patch is handed in, what hints are taken, and what inputs are made up. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { likeliest } from "../../../../evolution/experiments/program-repair/choose.ts";
import { hintsOf } from "../../../../evolution/experiments/program-repair/hints.ts";
import { inputsLike } from "../../../../evolution/experiments/program-repair/inputs.ts";
import { Pool, type Patch } from "../../../../evolution/experiments/program-repair/pool.ts";
import { ochiai } from "../../../../evolution/experiments/program-repair/suspicion.ts";
import { seededRandom } from "../../../../runtime/index.ts";

const SEED = Number(process.env.SEED ?? 7);

function patchOf(text: string, weight: number, grades: readonly number[] = [1], operators = ["x"]): Patch {
  const passed = grades.filter((grade) => grade === 1).length;
  return { text, weight, operators, trial: { grades, passed, signature: text, fuelUsed: [] } };
}

describe("the patch that is handed in", () => {
  it("is of the group whose weights add up to most", () => {
    const chosen = likeliest([
      { patch: patchOf("alone", 3), signature: "a", misbehaved: 0, answers: 5, exercised: 1 },
      { patch: patchOf("two", 2), signature: "b", misbehaved: 0, answers: 5, exercised: 1 },
      { patch: patchOf("one of two", 1.5), signature: "b", misbehaved: 0, answers: 5, exercised: 1 },
    ]);
    assert.equal(chosen?.text, "two");
  });
  it("is not one that throws on inputs like the examples, where another one does not", () => {
    const chosen = likeliest([
      { patch: patchOf("throws", 3), signature: "a", misbehaved: 0.5, answers: 5, exercised: 1 },
      { patch: patchOf("answers", 2), signature: "b", misbehaved: 0, answers: 5, exercised: 1 },
    ]);
    assert.equal(chosen?.text, "answers");
  });
  it("is not one that answers always the same, where another one looks at its input", () => {
    const chosen = likeliest([
      { patch: patchOf("constant", 3), signature: "a", misbehaved: 0, answers: 1, exercised: 1 },
      { patch: patchOf("answers", 1), signature: "b", misbehaved: 0, answers: 4, exercised: 1 },
    ]);
    assert.equal(chosen?.text, "answers");
  });
  it("is not one that never enters a loop, where another one does", () => {
    const chosen = likeliest([
      { patch: patchOf("idle", 3), signature: "a", misbehaved: 0, answers: 4, exercised: 0.4 },
      { patch: patchOf("busy", 1), signature: "b", misbehaved: 0, answers: 4, exercised: 1 },
    ]);
    assert.equal(chosen?.text, "busy");
  });
  it("is none where there is none", () => assert.equal(likeliest([]), undefined));
});

describe("hints", () => {
  it("are the constants of the description, their signs apart", () => {
    const { numbers, texts } = hintsOf([`f("Jupiter, Mars") == -1\n f('(') == 3.5 don't`]);
    assert.deepEqual(numbers, ["-1", "3.5"]);
    for (const text of ["Jupiter, Mars", "(", ","]) assert.ok(texts.includes(JSON.stringify(text)), text);
  });
  it("are bounded", () => {
    const { numbers, texts } = hintsOf([Array.from({ length: 500 }, (_, index) => `"t${index}" ${index}`).join(" ")]);
    assert.ok(numbers.length <= 16 && texts.length <= 24);
  });
});

describe("made-up inputs", () => {
  it(`keep to what the examples show (SEED=${SEED})`, () => {
    const given = [
      ["aab", [1, 2], 3],
      ["ba", [4], 0],
    ];
    const inputs = inputsLike(given, 200, seededRandom(SEED));
    assert.equal(inputs.length, 200);
    for (const [text, list, number] of inputs) {
      assert.match(String(text), /^[ab]*$/);
      assert.ok(Array.isArray(list) && list.every((each) => Number.isInteger(each) && each >= 0));
      assert.ok(Number.isInteger(number) && Number(number) >= 0);
    }
    assert.ok(new Set(inputs.map((input) => JSON.stringify(input))).size > 50);
  });
  it("are the same for the same seed, and leave the examples as they are", () => {
    const given = [[[1, [2, 3]], true, null]];
    const before = JSON.stringify(given);
    assert.deepEqual(inputsLike(given, 50, seededRandom(1)), inputsLike(given, 50, seededRandom(1)));
    assert.equal(JSON.stringify(given), before);
  });
  it("are none where no example is", () => assert.deepEqual(inputsLike([], 5, seededRandom(1)), []));
});

describe("suspicion", () => {
  it("is what Ochiai's formula says", () => {
    assert.equal(ochiai([true, true, false], [false, true, true]), 1 / Math.sqrt(2));
    assert.equal(ochiai([false, true], [false, true]), 0);
    assert.equal(ochiai([true, true], [false, false]), 1);
  });
});

describe("the pool", () => {
  it("keeps one patch of each behaviour, the likelier one", () => {
    const pool = new Pool("likeliest first");
    pool.begin(patchOf("given", 1, [0, 0], []));
    pool.add({ ...patchOf("a", 0.1, [1, 0]), trial: { grades: [1, 0], passed: 1, signature: "s", fuelUsed: [] } });
    pool.add({ ...patchOf("b", 0.2, [1, 0]), trial: { grades: [1, 0], passed: 1, signature: "s", fuelUsed: [] } });
    pool.add({ ...patchOf("c", 0.1, [1, 0]), trial: { grades: [1, 0], passed: 1, signature: "s", fuelUsed: [] } });
    assert.equal(pool.size, 2);
  });
  it("is bounded, and drops the worst", () => {
    const pool = new Pool("likeliest first");
    pool.begin(patchOf("given", 1, [0, 0], []));
    for (let index = 0; index < 500; index++) pool.add(patchOf(`p${index}`, 1, [0, index / 1_000]));
    assert.equal(pool.size, 64);
  });
  it("chooses the given program first, whose likely neighbours were not tried", () => {
    const pool = new Pool("likeliest first");
    pool.begin(patchOf("given", 1, [0, 0], []));
    pool.add(patchOf("better", 0.5, [1, 0]));
    assert.equal(pool.choose(0, seededRandom(SEED))?.text, "given");
  });
});
