/** The verdict on one replayed turn: what was recorded against what the candidate did. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, repeats } from "../../evolution/stages/replay.ts";
import type { RecordedTurn, ShadowTurn } from "../../runtime/index.ts";
import type { Outcome } from "../../sandbox/index.ts";

const meter = { cpuMs: 1, wallMs: 1, heapBytes: 1 };

const answered = (reply: string): Outcome => ({ kind: "done", reply, ops: [], rows: [], outbox: [], logs: [], meter });
const threw = (message: string): Outcome => ({
  kind: "threw",
  fault: { name: "TypeError", message, stack: "" },
  logs: [],
  meter,
});
const exceeded: Outcome = { kind: "exceeded", code: "SANDBOX_CPU_EXCEEDED", message: "over 250 ms" };
const lost: Outcome = { kind: "lost", code: "SANDBOX_CELL_LOST", wasRunning: true, message: "the cell ended" };

const replayed = (outcome: Outcome): ShadowTurn => ({ outcome, refusedEffects: [], effects: [] });

const turn: RecordedTurn = {
  kind: "call",
  method: "search",
  text: '"worm"',
  nowMs: 1,
  seed: 1,
  asks: [],
  result: { ok: true, reply: '{"a":1,"b":2}' },
  cpuMs: 1,
  beforeSeq: 1,
};
const failedTurn: RecordedTurn = { ...turn, result: { ok: false, name: "RangeError", message: "no such note" } };

describe("a turn that was answered", () => {
  test("the recorded answer passes, and so does an equal one with its keys in another order", () => {
    for (const reply of ['{"a":1,"b":2}', '{"b":2,"a":1}']) {
      assert.equal(judge(turn, replayed(answered(reply)), 1), undefined);
      assert.equal(repeats(turn, replayed(answered(reply))), true);
    }
  });

  test("a different answer fails, with both side by side", () => {
    assert.deepEqual(judge(turn, replayed(answered('{"a":1}')), 17), {
      reason: "turn 17 (search): a different answer",
      difference: { method: "search", argument: '"worm"', expected: '{"a":1,"b":2}', actual: '{"a":1}', turn: 17 },
    });
  });

  test("an answer that does not decode fails", () => {
    assert.match(judge(turn, replayed(answered("~[")), 1)?.reason ?? "", /a different answer/);
  });

  const failures: readonly (readonly [what: string, outcome: Outcome, described: string])[] = [
    ["an error", threw("x is not a function"), "threw TypeError: x is not a function"],
    ["a limit that was hit", exceeded, "SANDBOX_CPU_EXCEEDED: over 250 ms"],
    ["a lost cell", lost, "SANDBOX_CELL_LOST: the cell ended"],
  ];
  for (const [what, outcome, described] of failures) {
    test(`${what} fails and is named as the reason`, () => {
      const failure = judge(turn, replayed(outcome), 3);
      assert.equal(failure?.reason, `turn 3 (search): ${described}`);
      assert.deepEqual([failure.difference?.expected, failure.difference?.actual], ['{"a":1,"b":2}', described]);
    });
  }
});

describe("a turn that was refused by its handler", () => {
  test("an error passes, whatever its words: messages may change with the code", () => {
    assert.equal(judge(failedTurn, replayed(threw("there is no such note")), 1), undefined);
  });

  test("an answer where there was an error fails, and the recorded error is what was expected", () => {
    assert.deepEqual(judge(failedTurn, replayed(answered("null")), 2), {
      reason: "turn 2 (search): a different answer",
      difference: {
        method: "search",
        argument: '"worm"',
        expected: "RangeError: no such note",
        actual: "null",
        turn: 2,
      },
    });
  });

  for (const outcome of [exceeded, lost]) {
    test(`${outcome.code} is no substitute for the error`, () => {
      assert.equal(repeats(failedTurn, replayed(outcome)), false);
      assert.match(judge(failedTurn, replayed(outcome), 1)?.reason ?? "", new RegExp(outcome.code));
    });
  }
});
