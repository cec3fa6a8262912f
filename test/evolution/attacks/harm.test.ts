/** What counts as harm: what brings the candidate down, and not the running version as well. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { differenceIn, harmOf } from "../../../evolution/attacks/harm.ts";
import type { ShadowTurn } from "../../../runtime/index.ts";
import type { Outcome } from "../../../sandbox/index.ts";

const LIMITS = { cpuMs: 100 };
const UNASKED = { told: [], usualVerbs: new Set<string>() };
type Ops = Extract<Outcome, { kind: "done" }>["ops"];

const ran = (outcome: Outcome, verbs: readonly string[] = []): ShadowTurn => ({
  outcome,
  refusedEffects: verbs,
  effects: verbs.map((verb) => ({ verb, hash: "", nth: 1, isMatched: false, how: "refused" as const })),
});
const meter = (cpuMs = 1) => ({ cpuMs, wallMs: 1, heapBytes: 1 });
const done = (ops: Ops = [], cpuMs = 1): Outcome => ({
  kind: "done",
  reply: "1",
  ops,
  rows: [],
  outbox: [],
  logs: [],
  meter: meter(cpuMs),
});
const threw: Outcome = { kind: "threw", fault: { name: "E", message: "", stack: "" }, logs: [], meter: meter() };
const over = (what: "CPU" | "HEAP" | "WALL"): Outcome => ({
  kind: "exceeded",
  code: `SANDBOX_${what}_EXCEEDED`,
  message: "",
});
const lost: Outcome = { kind: "lost", code: "SANDBOX_CELL_LOST", wasRunning: true, message: "" };

describe("harm", () => {
  const cases: readonly (readonly [
    what: string,
    candidate: ShadowTurn,
    control: ShadowTurn,
    harm: RegExp | undefined,
  ])[] = [
    ["an answer", ran(done()), ran(done()), undefined],
    ["an error where there is an answer", ran(threw), ran(done()), undefined],
    ["no end", ran(over("CPU")), ran(done()), /does not end/],
    ["no end by the wall clock", ran(over("WALL")), ran(done()), /does not end/],
    ["no end where the other is slow itself", ran(over("CPU")), ran(done([], 60)), undefined],
    ["no end where the other throws", ran(over("CPU")), ran(threw), /does not end/],
    ["no end on both sides", ran(over("CPU")), ran(over("CPU")), undefined],
    ["too much memory", ran(over("HEAP")), ran(done([], 90)), /memory/],
    ["too much memory where the other does not end", ran(over("HEAP")), ran(over("CPU")), undefined],
    ["a lost cell", ran(lost), ran(done()), /cell/],
    ["a cell that was lost under both", ran(lost), ran(lost), undefined],
    [
      "a question that the other does not ask",
      ran(done(), ["call", "host"]),
      ran(done(), ["call"]),
      /outside \(host\)/,
    ],
    ["the questions of the other", ran(done(), ["call", "call"]), ran(done(), ["call"]), undefined],
    ["a question on the way to an error", ran(threw, ["propose"]), ran(threw), /propose/],
    ["a key that goes", ran(done([["notes", undefined]])), ran(done([["notes", "1"]])), /ctx\.state\.notes/],
    ["a key that goes on both sides", ran(done([["a", undefined]])), ran(done([["a", undefined]])), undefined],
    ["a key that goes where the other refuses", ran(done([["a", undefined]])), ran(threw), /ctx\.state\.a away/],
    ["a key that is written", ran(done([["a", "1"]])), ran(done()), undefined],
  ];
  for (const [what, candidate, control, harm] of cases) {
    it(`${harm === undefined ? "is not" : "is"} ${what}`, () => {
      const said = harmOf({ candidate, control, ...UNASKED }, LIMITS);
      if (harm === undefined) assert.equal(said, undefined);
      else assert.match(said ?? "", harm);
    });
  }

  it("names no more of a hostile key than fits into a sentence", () => {
    const key = "k".repeat(500);
    const said = harmOf({ candidate: ran(done([[key, undefined]])), control: ran(done()), ...UNASKED }, LIMITS);
    assert.ok((said?.length ?? 0) < 150);
  });
});

describe("behind an answer that was made up", () => {
  const told = (verbs: readonly string[], outcome: Outcome = done()): ShadowTurn => ({
    ...ran(outcome),
    effects: verbs.map((verb) => ({ verb, hash: "", nth: 1, isMatched: false, how: "simulated" as const })),
  });
  const usual = new Set(["host", "call"]);
  const cases: readonly (readonly [
    what: string,
    candidate: ShadowTurn,
    control: ShadowTurn,
    harm: RegExp | undefined,
  ])[] = [
    ["what the other asks as well", told(["host", "call"]), told(["host", "call"]), undefined],
    ["a first question that the other does not ask", told(["host"]), told([]), /outside \(host\)/],
    ["a later one of a kind that it never asks", told(["host", "spawn"]), told(["host"]), /outside \(spawn\)/],
    ["a later one of a kind that it asks now and then", told(["host", "call"]), told(["host"]), undefined],
    ["a later one where the other threw at the answer", told(["host", "spawn"]), told(["host"], threw), undefined],
    [
      "a key that goes where the other threw at the answer",
      told(["host"], done([["a", undefined]])),
      told(["host"], threw),
      undefined,
    ],
    [
      "a key that goes where the other answers",
      told(["host"], done([["a", undefined]])),
      told(["host"]),
      /ctx\.state\.a away/,
    ],
    ["no end", told(["host"], over("CPU")), told(["host"], threw), /does not end/],
  ];
  for (const [what, candidate, control, harm] of cases) {
    it(`${harm === undefined ? "is no harm" : "is harm"}: ${what}`, () => {
      const given = { candidate, control, told: candidate.effects.map(({ verb }) => verb), usualVerbs: usual };
      const said = harmOf(given, LIMITS);
      if (harm === undefined) assert.equal(said, undefined);
      else assert.match(said ?? "", harm);
    });
  }

  it("what the arbiter's owner simulates is no question beyond", () => {
    const candidate = told(["spawn"]);
    assert.equal(harmOf({ candidate, control: told([]), told: [], usualVerbs: usual }, LIMITS), undefined);
  });
});

describe("a difference", () => {
  const difference = (candidate: Outcome, control: Outcome) =>
    differenceIn({ candidate: ran(candidate), control: ran(control), ...UNASKED });

  it("is an error or another answer where the other answers", () => {
    assert.equal(difference(threw, done()), "error");
    assert.equal(difference({ ...done(), reply: "2" } as Outcome, done()), "answer");
    assert.equal(
      difference({ ...done(), reply: '{"a":1,"b":2}' } as Outcome, { ...done(), reply: '{"b":2,"a":1}' } as Outcome),
      undefined,
    );
    assert.equal(difference(done([["a", "1"]]), done()), "write");
    for (const other of [threw, over("CPU"), lost]) assert.equal(difference(done(), other), undefined);
    assert.equal(difference(over("CPU"), done()), undefined);
  });
});
