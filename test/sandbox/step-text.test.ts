/** The texts of steps and hand-overs: what an honest guest writes is read as it was meant, and nothing else is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pack } from "../../sandbox/envelope.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import {
  handoverText,
  lifeStartOf,
  lifeText,
  NOTE_BYTES_MAX,
  parseHandover,
  parseUsed,
} from "../../sandbox/handover-text.ts";
import { isStepVerb, parseStepAsk, stepText } from "../../sandbox/step-text.ts";

const invalid = (error: unknown): boolean => error instanceof SandboxError && error.code === "SANDBOX_ENVELOPE_INVALID";
const step = { name: "charge", use: 2 };

describe("a question of a step", () => {
  it("is read as it was written", () => {
    assert.deepEqual(parseStepAsk("step.begin", stepText(step, "bank", 3)), {
      ...step,
      verb: "begin",
      key: "bank",
      concurrency: 3,
    });
    assert.deepEqual(parseStepAsk("step.wait", stepText(step, 50, "no")), {
      ...step,
      verb: "wait",
      ms: 50,
      error: "no",
    });
    assert.deepEqual(parseStepAsk("step.end", stepText(step, "[1]")), { ...step, verb: "end", result: "[1]" });
    assert.deepEqual(parseStepAsk("step.fail", stepText(step, "no")), { ...step, verb: "fail", error: "no" });
    assert.deepEqual(["step.begin", "step.end", "call", "step"].map(isStepVerb), [true, true, false, false]);
  });

  const hostile: readonly (readonly [what: string, verb: string, text: string])[] = [
    ["no list", "step.begin", "x"],
    ["an empty name", "step.end", pack(["", "1", "5"])],
    ["a name that is too long", "step.end", pack(["x".repeat(201), "1", "5"])],
    ["half a letter as its name", "step.end", pack(["\ud800", "1", "5"])],
    ["use 0", "step.end", pack(["a", "0", "5"])],
    ["a use that is no number", "step.end", pack(["a", "-1", "5"])],
    ["no key", "step.begin", pack(["a", "1", "", "1"])],
    ["too much concurrency", "step.begin", pack(["a", "1", "k", "10001"])],
    ["a wait of a day", "step.wait", pack(["a", "1", "86400000", ""])],
    ["an endless error", "step.fail", pack(["a", "1", "x".repeat(1_025)])],
    ["a part too many", "step.end", pack(["a", "1", "5", "6", "7"])],
    ["a verb that is none", "step.stop", pack(["a", "1"])],
  ];
  for (const [what, verb, text] of hostile) {
    it(`is refused with ${what}`, () => assert.throws(() => parseStepAsk(verb, text), invalid));
  }
});

describe("what lies between two lives", () => {
  it("is read as it was written", () => {
    for (const start of [
      { note: "", used: 0, budget: 0 },
      { note: '"x"', used: 5, budget: 9 },
    ]) {
      assert.deepEqual(lifeStartOf(lifeText(start)), start);
    }
    assert.equal(lifeText({ note: "", used: 0, budget: 0 }), "");
    const said = { used: 7, note: '{"a":1}', isDue: true };
    assert.deepEqual(parseHandover(handoverText(said)), said);
    assert.equal(parseUsed("12"), 12);
  });

  const hostile: readonly (readonly [what: string, read: () => unknown])[] = [
    ["a figure that is none", () => parseUsed("1e3")],
    ["a figure beyond counting", () => parseUsed("9999999999999999")],
    ["a hand-over without a reason", () => parseHandover(pack(["1", "2"]))],
    ["a hand-over with another reason", () => parseHandover(pack(["1", "2", "3"]))],
    ["a note beyond its limit", () => parseHandover(pack(["1", "x".repeat(NOTE_BYTES_MAX + 1), "0"]))],
    ["a part too many", () => parseHandover(pack(["1", "2", "0", "4"]))],
  ];
  for (const [what, read] of hostile) it(`is refused with ${what}`, () => assert.throws(read, invalid));
});
