/** Tests of tasks as cases: what an assertion says is worked out outside of any program. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { casesOf } from "../../../../evolution/experiments/program-repair/assertions.ts";
import { gradeOf } from "../../../../evolution/experiments/program-repair/grade.ts";
import type { CallOutcome } from "../../../../evolution/population/program-runner.ts";

const returned = (value: unknown): CallOutcome => ({ kind: "returned", value });

function caseOf(condition: string) {
  const { cases, beyond } = casesOf(`const test = () => { console.assert(${condition}) }\ntest()`, new Set(["f", "g"]));
  assert.equal(beyond, 0, condition);
  const [first] = cases;
  assert.ok(first);
  return first;
}

describe("an assertion", () => {
  const table: readonly (readonly [condition: string, args: readonly unknown[], good: unknown, bad: unknown])[] = [
    ["f(1, 'a') === true", [1, "a"], true, 1],
    ["f([1, [2]], { a: -1 }) == 3", [[1, [2]], { a: -1 }], "3", 4],
    ["4 === f(undefined)", [undefined], 4, "4"],
    ["f(0) === -5", [0], -5, 5],
    ["JSON.stringify(f([1, 2])) === JSON.stringify([2, 1])", [[1, 2]], [2, 1], [1, 2]],
    ["JSON.stringify(f(1)) === JSON.stringify((7, [8]))", [1], [8], [7]],
    ["Math.abs(f(2) - 1.5) < 1e-6", [2], 1.5000001, 1.6],
    ["Math.abs(f(2) - 6 / 5) < 1e-6", [2], 1.2, 1.6],
    ["f(1) === 'a' || f === 3", [1], "a", "b"],
    ["!f(1)", [1], 0, 1],
    ["f('x').length === 2", ["x"], [1, 2], [1]],
    ["typeof f(1) === 'string'", [1], "a", 1],
    ["f(3) === (2).toString()", [3], "2", 2],
    ["f(3) > 2 ? true : false", [3], 3, 2],
  ];
  for (const [condition, args, good, bad] of table) {
    if (condition.includes("=== 3")) continue;
    it(`${condition} is a call and a judge`, () => {
      const test = caseOf(condition);
      assert.equal(test.entry, "f");
      assert.deepEqual(test.args, args);
      assert.equal(test.passes(returned(good)), true);
      assert.equal(test.passes(returned(bad)), false);
    });
  }

  it("holds of nothing that did not return", () => {
    const test = caseOf("f(1) !== 2");
    for (const outcome of [
      { kind: "threw", message: "" },
      { kind: "fuel" },
      { kind: "exceeded", code: "X" },
      { kind: "unfit", reason: "" },
    ] as const)
      assert.equal(test.passes(outcome), false);
  });

  it("that would throw does not hold: cycles, big integers, objects without a prototype", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    assert.equal(caseOf("JSON.stringify(f(1)) === JSON.stringify([1])").passes(returned(cycle)), false);
    assert.equal(caseOf("Math.abs(f(1) - 1) < 1").passes(returned(5n)), false);
    assert.equal(caseOf("f(1) + 1 === 2").passes(returned(Object.create(null))), false);
  });

  it("is not led astray by names of prototypes", () => {
    assert.equal(caseOf("f(1).constructor === undefined").passes(returned({})), true);
  });

  it("compares what console.assert is given, and not what stands behind it", () => {
    const { cases } = casesOf("console.assert(JSON.stringify(f(1))) === JSON.stringify([2])", new Set(["f"]));
    assert.equal(cases[0]?.passes(returned("anything")), true);
  });

  for (const test of [
    "for (let i = 0; i < 3; i++) console.assert(f(i) === i)",
    "const x = [1]; console.assert(f(x) === 1)",
    "console.assert(g(f(1)) === 1)",
    "console.assert(f(Math.random()) < 1)",
    "console.assert(f(1) === other())",
    "console.assert(true)",
    "if (f(1)) console.assert(f(1) === 1)",
    "this is no program",
  ]) {
    it(`is beyond judging in ${JSON.stringify(test)}`, () => {
      assert.deepEqual(casesOf(test, new Set(["f", "g"])), { cases: [], beyond: 1 });
    });
  }
});

describe("a grade", () => {
  const grade = (condition: string, outcome: CallOutcome): number => gradeOf(caseOf(condition), outcome);
  it("is 1 for what passes and 0 for what does not return", () => {
    assert.equal(grade("f(1) === 2", returned(2)), 1);
    assert.equal(grade("f(1) === 2", { kind: "threw", message: "x" }), 0);
  });
  for (const [what, condition, near, far] of [
    ["a nearer number", "f(1) === 100", 99, 3],
    ["a number rather than a text", "f(1) === 100", 5, "100"],
    ["a text with more in common", "f(1) === 'abcdef'", "abdef", "fx"],
    ["a list with more in place", "JSON.stringify(f(1)) === JSON.stringify([1, 2, 3])", [1, 2, 4], [7, 8]],
    ["the right elements in another order", "JSON.stringify(f(1)) === JSON.stringify([1, 2, 3])", [2, 3, 1], [9, 9, 9]],
    ["any answer rather than nothing", "f(1) === null", 3, undefined],
  ] as const) {
    it(`is higher for ${what}`, () => {
      const outcome: CallOutcome = far === undefined ? { kind: "fuel" } : returned(far);
      assert.ok(grade(condition, returned(near)) > grade(condition, outcome));
    });
  }
  it("of a wrong answer is below 1, and the work is bounded", () => {
    const long = "ab".repeat(100_000);
    const started = performance.now();
    assert.ok(grade(`f(1) === ${JSON.stringify(long)}`, returned(`${long}b`)) < 1);
    assert.ok(performance.now() - started < 1_000);
  });
});
