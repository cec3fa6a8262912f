/**
 * The recorder of turns. Invariants that the random runs check after every turn:
 * 1. The window is an unbroken tail of what was recorded since it was last cleared.
 * 2. It never holds twice TURNS_RECORDED turns or more than TURN_BYTES_RECORDED of text.
 * 3. Small turns are kept at least TURNS_RECORDED long.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { AskAnswer } from "../../runtime/message.ts";
import { TrafficRecorder, TURN_BYTES_RECORDED, TURNS_RECORDED } from "../../runtime/traffic.ts";
import type { RecordedTurn } from "../../runtime/traffic.ts";
import { check } from "../support/random-runs.ts";

const MEBI = 1 << 20;

function turn(number: number, parts: Partial<RecordedTurn> = {}): RecordedTurn {
  const base = {
    kind: "call",
    method: "add",
    text: "1",
    nowMs: number,
    seed: 1,
    asks: [],
    cpuMs: 0.1,
    beforeSeq: number,
  } as const;
  return { ...base, result: { ok: true, reply: "2" }, ...parts };
}

function turnThatAsked(number: number, answer: AskAnswer): RecordedTurn {
  return turn(number, { asks: [{ verb: "call", text: "q", answer }] });
}

/** All text anywhere in a turn, counted without the recorder's help. */
function textOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, part) => sum + textOf(part), 0);
}

function recorded(turns: readonly RecordedTurn[]): TrafficRecorder {
  const recorder = new TrafficRecorder();
  for (const turn of turns) recorder.record(turn);
  return recorder;
}

const text = (units: number): string => "x".repeat(units);
const sumOf = (turns: readonly RecordedTurn[]): number => turns.reduce((sum, turn) => sum + textOf(turn), 0);

describe("recorded turns", () => {
  test("a new recorder holds nothing", () => assert.deepEqual(new TrafficRecorder().turns(), []));

  test("turns are kept oldest first, as they were recorded", () => {
    const turns = [1, 2, 3].map((number) => turn(number));
    assert.deepEqual(recorded(turns).turns(), turns);
  });

  test("the newest turns are kept, at least as many as promised and never twice as many", () => {
    const recorder = new TrafficRecorder();
    for (let number = 1; number <= TURNS_RECORDED * 5; number++) {
      recorder.record(turn(number));
      const numbers = recorder.turns().map(({ beforeSeq }) => beforeSeq);
      assert.ok(numbers.length >= Math.min(number, TURNS_RECORDED) && numbers.length < TURNS_RECORDED * 2);
      assert.deepEqual([numbers[0], numbers.at(-1)], [number - numbers.length + 1, number]);
    }
  });

  const large: Readonly<Record<string, (number: number) => RecordedTurn>> = {
    arguments: (number) => turn(number, { text: text(MEBI) }),
    replies: (number) => turn(number, { result: { ok: true, reply: text(MEBI) } }),
    "error messages": (number) => turn(number, { result: { ok: false, name: "Error", message: text(MEBI) } }),
    "error names": (number) => turn(number, { result: { ok: false, name: text(MEBI), message: "" } }),
    "method names": (number) => turn(number, { method: text(MEBI) }),
    questions: (number) =>
      turn(number, { asks: [{ verb: "call", text: text(MEBI), answer: { ok: true, text: "1" } }] }),
    answers: (number) => turnThatAsked(number, { ok: true, text: text(MEBI) }),
    "refused answers": (number) => turnThatAsked(number, { ok: false, code: "X", message: text(MEBI) }),
  };
  for (const [what, make] of Object.entries(large)) {
    test(`turns with large ${what} never exceed the bound in bytes`, () => {
      const recorder = new TrafficRecorder();
      for (let number = 1; number <= 40; number++) {
        recorder.record(make(number));
        assert.ok(sumOf(recorder.turns()) <= TURN_BYTES_RECORDED);
        assert.equal(recorder.turns().at(-1)?.beforeSeq, number);
      }
    });
  }

  test("a turn larger than the whole window leaves it empty, and recording goes on with the next", () => {
    const recorder = recorded([turn(1), turn(2, { text: text(TURN_BYTES_RECORDED + 1) })]);
    assert.deepEqual(recorder.turns(), []);
    recorder.record(turn(3));
    assert.deepEqual(recorder.turns(), [turn(3)]);
  });

  test("a cleared recorder forgets everything and begins anew", () => {
    const recorder = recorded([turn(1, { text: text(5 * MEBI) }), turn(2)]);
    recorder.clear();
    assert.deepEqual(recorder.turns(), []);
    recorder.record(turn(3, { text: text(5 * MEBI) }));
    assert.deepEqual(
      recorder.turns().map(({ beforeSeq }) => beforeSeq),
      [3],
    );
  });
});

const burst = fc.oneof(
  { weight: 6, arbitrary: fc.record({ count: fc.integer({ min: 1, max: 700 }), units: fc.nat(50) }) },
  { weight: 3, arbitrary: fc.record({ count: fc.integer({ min: 1, max: 12 }), units: fc.nat(2 * MEBI) }) },
  { weight: 1, arbitrary: fc.constant({ count: 1, units: TURN_BYTES_RECORDED + 1 }) },
  { weight: 1, arbitrary: fc.constant({ count: 0, units: 0 }) },
);

describe("recorded turns in random traffic", () => {
  test("the window is an unbroken tail of the traffic, bounded by count and by bytes", (t) => {
    const property = fc.property(fc.array(burst, { maxLength: 10 }), (bursts) => {
      const recorder = new TrafficRecorder();
      let all: RecordedTurn[] = [];
      for (const [index, { count, units }] of bursts.entries()) {
        for (let number = 0; number < count; number++) {
          const next = turn(number, { text: text(units), seed: index });
          all.push(next);
          recorder.record(next);
        }
        if (count === 0) {
          all = [];
          recorder.clear();
        }
        const window = recorder.turns();
        assert.ok(window.length < TURNS_RECORDED * 2 && sumOf(window) <= TURN_BYTES_RECORDED);
        assert.ok(window.every((turn, place) => turn === all[all.length - window.length + place]));
        if (sumOf(all) < TURN_BYTES_RECORDED / 8) assert.ok(window.length >= Math.min(all.length, TURNS_RECORDED));
      }
    });
    check(t, property, 60);
  });
});
