/** Probation: what takes a promoted version back, and what does not, in either way of judging answers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concludeEvidence } from "../../evolution/evidence/conclusion.ts";
import { addPair, emptyEvidence } from "../../evolution/evidence/guard-rails.ts";
import type { EvidenceSettings } from "../../evolution/evidence/settings.ts";
import { Arbiter } from "../../evolution/index.ts";
import type { Stage } from "../../evolution/index.ts";
import { exchangedPair } from "../../evolution/probation-pair.ts";
import type { RecordedTurn, ShadowTurn } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, eventOf } from "../support/agents.ts";

const compiles: Stage = {
  name: "compiles",
  run: async (trial) => {
    trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
    return { verdict: "pass", reason: "it says so" };
  },
};

/** Answers otherwise, and not worse. */
const polite = COUNTER.replace("who: (ctx) => ctx.self.id", 'who: (ctx) => ctx.self.id + ", at your service"');

describe("a version on probation", () => {
  it("that answers otherwise is taken back where answers must be equal", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    const { id } = await arbiter.propose({ agent: "counter", source: polite });
    await counter.call("who");
    const report = await arbiter.probation(id);
    assert.equal(report?.end, "rolled_back");
    assert.match(report.reason, /^turn 1 \(who\): a different answer;/);
    assert.deepEqual(
      [report.difference?.expected, report.difference?.actual],
      ['"counter"', '"counter, at your service"'],
    );
    assert.equal(await counter.call("who"), "counter");
  });

  it("may answer otherwise where that is judged, and in what is cleaned away", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (const options of [
      { fitness: () => 0.5, probationTurns: 6, quarantineMs: 1 },
      { clean: (reply: unknown) => String(reply).split(",")[0], probationTurns: 6, quarantineMs: 1 },
    ]) {
      const arbiter = await Arbiter.start(runtime, options, [compiles]);
      const source = polite.replace("who:", `who${Object.keys(options)[0]}: () => 1, who:`);
      const { id } = await arbiter.propose({ agent: "counter", source });
      for (let turn = 0; turn < 6; turn++) await counter.call("who");
      const report = await arbiter.probation(id);
      assert.equal(report?.end, "confirmed", report?.reason ?? "");
      await arbiter.rollback(id, "for the next one");
      await arbiter.close();
      await runtime.drop("counter");
      await runtime.spawn({ id: "counter", source: COUNTER });
    }
  });

  it("is watched on when the cell of the version before is killed, which loses no turn", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: polite });
    for (let turn = 0; turn < 4; turn++) await counter.call("add", 1);
    const { cellPid } = await counter.info();
    for (const { pid, residents } of runtime.cells())
      if (pid !== cellPid && residents > 0) process.kill(pid, "SIGKILL");
    for (let turn = 0; turn < 3; turn++) await counter.call("add", 1);
    await counter.call("who");
    const report = await arbiter.probation(id);
    assert.deepEqual([report?.end, report?.back], ["rolled_back", { way: "shadow" }], report?.reason ?? "");
    assert.deepEqual([(await counter.info()).hash, await counter.call("read")], [championHash, 7]);
  });

  it("is loaded a second time, which shows what it keeps outside of its state", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const forgetful = COUNTER.replace("export default", "let total = 0;\nexport default")
      .replace("return (ctx.state.count += by);", "ctx.state.count += by; return (total += by);")
      .replace("handle: (ctx) => ctx.state.count", "handle: () => total");
    await using arbiter = await Arbiter.start(runtime, { probationTurns: 9 }, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: forgetful });
    const { restarts } = await counter.info();
    const started = eventOf(runtime, (event) => event.type === "agent.started" && event.epoch > 2);
    for (let turn = 1; turn <= 3; turn++) assert.equal(await counter.call("add", 1), turn);
    await started;
    for (let turn = 0; turn < 6 && (await counter.info()).hash !== championHash; turn++) await counter.call("read");
    const report = await arbiter.probation(id);
    assert.equal(report?.end, "rolled_back", report?.reason ?? "");
    assert.match(report.reason, /\(read\): a different answer/);
    assert.deepEqual([await counter.call("read"), (await counter.info()).restarts], [3, restarts]);
  });
});

describe("a turn of a probation", () => {
  const settings: EvidenceSettings = {
    answers: "judged",
    alpha: 0.05,
    harmAlpha: 0.01,
    marginPoints: 0.01,
    cpuRatioMax: 1.1,
    candidatesTried: 1,
    heapBytesMax: 32 << 20,
    fitness: ({ reply }) => Number(reply),
    isFailure: undefined,
    clean: undefined,
  };
  const meter = { cpuMs: 5, wallMs: 5, heapBytes: 1_000 };
  const answered = (reply: string): ShadowTurn => ({
    outcome: { kind: "done", reply, ops: [], rows: [], outbox: [], logs: [], meter },
    refusedEffects: [],
    effects: [],
  });
  const live = (result: RecordedTurn["result"]): RecordedTurn => ({
    kind: "call",
    method: "read",
    text: "1",
    nowMs: 1,
    seed: 1,
    asks: [],
    result,
    cpuMs: 500,
    beforeSeq: 1,
  });
  /** After how many turns the guard rails call it harm; 0: not within a thousand. */
  const harmAfter = (result: (turn: number) => RecordedTurn["result"]): number => {
    const evidence = emptyEvidence(settings);
    for (let turn = 1; turn <= 1_000; turn++) {
      addPair(evidence, exchangedPair(live(result(turn)), answered("0.9"), turn));
      if (concludeEvidence(evidence, { isOver: false }).verdict === "fail") return turn;
    }
    return 0;
  };

  it("is weighed with the new version on trial, whatever it cost: equal and better ones stay", () => {
    assert.equal(
      harmAfter(() => ({ ok: true, reply: "0.9" })),
      0,
    );
    assert.equal(
      harmAfter((turn) => ({ ok: true, reply: turn % 2 === 0 ? "1" : "0.85" })),
      0,
    );
  });

  it("is weighed with the new version on trial: one that fails, or is worse, goes", () => {
    const failing = harmAfter((turn) =>
      turn % 10 === 0 ? { ok: false, name: "Error", message: "bad" } : { ok: true, reply: "0.9" },
    );
    assert.ok(failing > 0 && failing < 300, `${failing}`);
    const worse = harmAfter(() => ({ ok: true, reply: "0.5" }));
    assert.ok(worse > 0 && worse < 300, `${worse}`);
  });
});
