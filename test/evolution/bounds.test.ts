/** The pure decisions around a trial: when to rest, when to freeze, what was rejected before, whose turn it is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Decision, Verdict } from "../../evolution/decision.ts";
import type { VerdictCode } from "../../evolution/errors.ts";
import { freezeReason, withRun } from "../../evolution/freeze.ts";
import { Lanes } from "../../evolution/lanes.ts";
import { nearest } from "../../evolution/nearest.ts";
import { restOf } from "../../evolution/quarantine.ts";
import type { Promotion } from "../../evolution/quarantine.ts";
import { ControlFault, verdictOfError } from "../../evolution/stage.ts";
import { Tombstones } from "../../evolution/tombstones.ts";
import { RuntimeError } from "../../runtime/index.ts";
import { SandboxError } from "../../sandbox/index.ts";

const limits = { quarantineMs: 1_000, promotionsMax: 3, promotionsPeriodMs: 10_000 };

describe("an error during a trial", () => {
  const verdictOf = (error: Error): string => verdictOfError(error, "mirror").verdict;
  const swap = (cause: Error): Error => new RuntimeError("RUNTIME_SWAP_FAILED", "it keeps its code", { cause });

  it("is the candidate's where its code failed, also in the swap", () => {
    const load = new SandboxError("SANDBOX_LOAD_FAILED", "no");
    assert.deepEqual(
      [verdictOf(load), verdictOf(swap(load)), verdictOf(swap(new Error("moved on")))],
      Array(3).fill("fail"),
    );
  });

  it("is nobody's where the machine, the vault, the runtime or the running version's own shadow failed", () => {
    const noCell = new SandboxError("SANDBOX_CELL_START_FAILED", "no memory");
    const taken = new RuntimeError("RUNTIME_ANSWERER_EXISTS", "another arbiter splits");
    const control = new ControlFault(new SandboxError("SANDBOX_CELL_LOST", "killed"));
    const said = [noCell, swap(noCell), taken, control].map(verdictOf);
    assert.deepEqual(said, Array(4).fill("void"));
  });

  it("is a bug where nobody has a name for it", () => {
    assert.throws(() => verdictOfError(new TypeError("x"), "mirror"), TypeError);
  });
});

describe("an agent's rest", () => {
  const rolledBack = (timeMs: number): Promotion => ({ timeMs, rolledBackMs: timeMs });

  it("is none for who was never promoted, and none after promotions that stayed", () => {
    assert.equal(restOf([], limits, 5), undefined);
    assert.equal(restOf([{ timeMs: 1 }, { timeMs: 2 }], limits, 5), undefined);
  });

  it("follows a roll-back, doubles with each in a row, and ends on time", () => {
    const many = { ...limits, promotionsMax: 100 };
    for (const [times, restMs] of [
      [1, 1_000],
      [2, 2_000],
      [3, 4_000],
      [8, 128_000],
    ] as const) {
      const promotions = Array.from({ length: times }, (_, index) => rolledBack(index));
      const untilMs = times - 1 + restMs;
      const rest = restOf(promotions, many, untilMs - 1);
      assert.deepEqual([rest?.code, rest?.untilMs], ["EVOLUTION_QUARANTINED", untilMs]);
      assert.equal(restOf(promotions, many, untilMs), undefined);
    }
  });

  it("is an hour at most", () => {
    const promotions = Array.from({ length: 500 }, () => rolledBack(0));
    assert.equal(restOf(promotions, { ...limits, promotionsMax: 1_000 }, 1)?.untilMs, 3_600_000);
  });

  it("begins at its first length again after a promotion that stayed; one on probation says nothing", () => {
    const promotions = [rolledBack(0), rolledBack(1), { timeMs: 2 }, rolledBack(3)];
    assert.equal(restOf(promotions, { ...limits, promotionsMax: 100 }, 4)?.untilMs, 1_003);
    const open = [...promotions, { timeMs: 4, isOpen: true }];
    assert.equal(restOf(open, { ...limits, promotionsMax: 100 }, 5)?.untilMs, 1_003);
    assert.equal(restOf([...promotions, { timeMs: 4 }], { ...limits, promotionsMax: 100 }, 5), undefined);
  });

  it("comes when the promotions of a period are spent, until the oldest of them is out of it", () => {
    const promotions = [{ timeMs: 0 }, { timeMs: 1_000 }, { timeMs: 2_000 }];
    const rest = restOf(promotions, limits, 9_999);
    assert.deepEqual([rest?.code, rest?.untilMs], ["EVOLUTION_PROMOTIONS_SPENT", 10_000]);
    assert.match(rest?.reason ?? "", /promoted 3 times within 10 s.*promotionsMax is 3.*1970-01-01T00:00:10/);
    assert.equal(restOf(promotions, limits, 10_000), undefined);
  });
});

describe("the arbiter freezes", () => {
  const reason = (verdicts: readonly Verdict[]): string | undefined =>
    freezeReason(verdicts, { stage: "mirror", reason: "no cell" });

  it("when more than five in a hundred stage runs are void, and at least five", () => {
    const passes = (count: number): Verdict[] => Array.from({ length: count }, () => "pass");
    const voids = (count: number): Verdict[] => Array.from({ length: count }, () => "void");
    assert.equal(reason([]), undefined);
    assert.equal(reason(voids(4)), undefined);
    assert.equal(reason([...passes(95), ...voids(5)]), undefined, "five in a hundred are no more than five");
    assert.match(reason(voids(5)) ?? "", /5 of the newest 5 stage runs were void; the newest: mirror: no cell/);
    assert.match(reason([...passes(94), ...voids(6)]) ?? "", /6 of the newest 100/);
  });

  it("at once when a measurement is broken", () => {
    const broken = { stage: "mirror", reason: "A/A", code: "EVOLUTION_MEASUREMENT_BROKEN" };
    assert.equal(freezeReason(["pass"], broken), "the measurement of mirror is broken: A/A");
  });

  it("by the newest hundred alone", () => {
    let runs: readonly Verdict[] = ["void", "void", "void", "void", "void", "void"];
    for (let run = 0; run < 100; run++) runs = withRun(runs, "fail");
    assert.deepEqual([runs.length, reason(runs)], [100, undefined]);
  });
});

describe("a tombstone", () => {
  const decision = (parts: Partial<Decision>): Decision => ({
    id: "d1",
    agent: "a",
    author: "operator",
    note: "",
    timeMs: 0,
    championHash: "champion",
    candidateHash: "candidate",
    source: "",
    ruling: "rejected",
    verdict: "fail",
    reason: "",
    number: 0,
    candidatesTried: 1,
    seed: 0,
    stages: [],
    ...parts,
  });
  const known = { agent: "a", championHash: "champion", candidateHash: "candidate" };

  it("stands for code that failed, for its agent alone", () => {
    const stones = new Tombstones(10);
    stones.decided(decision({ code: "EVOLUTION_HARM" }));
    assert.equal(stones.find(known), "d1");
    assert.equal(stones.find({ ...known, agent: "b" }), undefined);
    assert.equal(stones.find({ ...known, candidateHash: "other" }), undefined);
  });

  it("is not set without blame", () => {
    const stones = new Tombstones(10);
    for (const verdict of ["inconclusive", "void"] as const) stones.decided(decision({ verdict }));
    const innocent: readonly VerdictCode[] = [
      "EVOLUTION_SAME_CODE",
      "EVOLUTION_TOMBSTONE",
      "EVOLUTION_STALE",
      "EVOLUTION_AGENT_GONE",
      "EVOLUTION_QUARANTINED",
      "EVOLUTION_PROMOTIONS_SPENT",
      "EVOLUTION_INTERRUPTED",
    ];
    for (const code of innocent) stones.decided(decision({ code }));
    stones.decided(decision({ ruling: "promoted", verdict: "pass" }));
    stones.decided(decision({ candidateHash: "" }));
    assert.equal(stones.find(known), undefined);
    assert.equal(stones.find({ ...known, candidateHash: "" }), undefined);
  });

  it("counts against the champion it was measured against, or against any where the fault is the code's own", () => {
    const stones = new Tombstones(10);
    stones.decided(decision({ code: "EVOLUTION_ANSWER_DIFFERS" }));
    assert.equal(stones.find({ ...known, championHash: "another" }), undefined);
    stones.decided(decision({ id: "d2", code: "EVOLUTION_ATTACK_SUCCEEDED" }));
    assert.equal(stones.find({ ...known, championHash: "another" }), "d2");
  });

  it("stands for what was rolled back", () => {
    const stones = new Tombstones(10);
    stones.rolledBack(decision({ ruling: "promoted", verdict: "pass" }));
    assert.equal(stones.find(known), "d1");
  });

  it("goes when there are more than may be, the oldest first", () => {
    const stones = new Tombstones(2);
    for (const name of ["one", "two", "one", "three"]) stones.decided(decision({ id: name, candidateHash: name }));
    const left = ["one", "two", "three"].map((candidateHash) => stones.find({ ...known, candidateHash }));
    assert.deepEqual(left, ["one", undefined, "three"]);
  });
});

describe("lanes", () => {
  it("run one after the other within an agent, at once beside each other, also when one fails", async () => {
    const lanes = new Lanes(3);
    const order: string[] = [];
    const hold = Promise.withResolvers<void>();
    const first = lanes.enter("a", async () => {
      await hold.promise;
      order.push("a1");
      throw new Error("it fails");
    });
    const second = lanes.enter("a", async () => order.push("a2"));
    await lanes.enter("b", async () => order.push("b1"));
    assert.deepEqual([order, lanes.waiting("a"), lanes.isFull("a")], [["b1"], 2, false]);
    const third = lanes.enter("a", async () => order.push("a3"));
    assert.equal(lanes.isFull("a"), true);
    hold.resolve();
    await assert.rejects(first, /it fails/);
    await Promise.all([second, third, lanes.drained()]);
    assert.deepEqual([order, lanes.waiting("a")], [["b1", "a1", "a2", "a3"], 0]);
  });
});

describe("the nearest names", () => {
  it("are those with the fewest other characters, three at most", () => {
    assert.deepEqual(nearest("d21", ["d1", "d2", "d12", "d200", "x"]), ["d1", "d2", "d12"]);
    assert.deepEqual(nearest("d1", []), []);
  });

  it("of a very long name are found at once", () => {
    const started = performance.now();
    const known = Array.from({ length: 1_000 }, (_, index) => `d${index}`);
    assert.equal(nearest("d".repeat(1_000_000), known).length, 3);
    assert.ok(performance.now() - started < 2_000);
  });
});
