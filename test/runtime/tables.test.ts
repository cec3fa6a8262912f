/**
 * Tables end to end: a turn's writes are one with the rest of it, its reads see every turn before it, and whatever moves an
 * agent (a restart, a fork, a restore, a roll-back) moves its rows.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import type ledger from "../fixtures/agents/ledger.agent.ts";
import { codeOf, COUNTER } from "../support/agents.ts";

const module = new URL("../fixtures/agents/ledger.agent.ts", import.meta.url);
type Ledger = AgentRef<typeof ledger>;
const spawn = (runtime: Runtime, id = "ledger", heapMb = 32): Promise<Ledger> =>
  runtime.spawn<typeof ledger>({ id, module, limits: { heapMb, cpuMs: 5_000 } });

describe("a turn that writes rows", () => {
  it("is all or nothing", async (t) => {
    const agent = await spawn(await withRuntime(t));
    await agent.call("put", ["kept", { deep: [1, 2] }]);
    assert.equal(await codeOf(agent.call("fail", "lost")), "RUNTIME_HANDLER_THREW");
    assert.deepEqual(await agent.call("get", "kept"), { deep: [1, 2] });
    assert.equal(await agent.call("has", "lost"), false);
    await agent.call("remove", "kept");
    assert.equal(await agent.call("has", "kept"), false);
  });

  it("is seen whole by the next one, however many are on their way", async (t) => {
    const agent = await spawn(await withRuntime(t, { durability: "disk" }));
    const notes = Array.from({ length: 200 }, (_, index) => `note ${index}`);
    const before = await Promise.all(notes.map((note) => agent.call("add", note)));
    assert.deepEqual(before, ["", ...notes.slice(0, -1)]);
  });

  it("keeps them when it is killed, and when it is stopped, whose last words may read and write rows", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await spawn(runtime);
    await agent.call("put", ["goodbye", "not yet"]);
    await agent.kill();
    assert.equal(await agent.call("get", "goodbye"), "not yet");
    await agent.stop();
    await agent.revive();
    assert.equal(await agent.call("get", "goodbye"), "said");
  });

  it("says in its history which tables it wrote", async (t) => {
    const agent = await spawn(await withRuntime(t));
    await agent.call("put", ["a", 1]);
    const [line] = await agent.history({ limit: 1 });
    assert.deepEqual([line?.method, line?.keys, line?.tables], ["put", [], ["entries"]]);
  });
});

describe("rows", () => {
  it("belong to one agent: tables of one name have nothing in common", async (t) => {
    const runtime = await withRuntime(t);
    const [one, two] = [await spawn(runtime, "one"), await spawn(runtime, "two")];
    await one.call("put", ["k", 1]);
    assert.equal(await two.call("has", "k"), false);
    assert.deepEqual(await two.call("list", ""), []);
  });

  it("are not handed over when an agent is loaded, and do not count as its state", async (t) => {
    const runtime = await withRuntime(t);
    const source = `export default { version: 1, state: () => ({ s: 1 }), on: {
      put: (ctx) => { for (let i = 0; i < 100; i++) ctx.table("t").put("" + i, "x".repeat(1000)); },
      keys: (ctx) => Object.keys(ctx.state),
    } }`;
    const agent = await runtime.spawn({ id: "small", source, limits: { stateBytesMax: 100 } });
    await agent.call("put");
    await agent.kill();
    assert.deepEqual(await agent.call("keys"), ["s"]);
  });

  it("go with a fork and a restore, each as of its moment", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await spawn(runtime);
    await agent.call("put", ["a", 1]);
    await agent.snapshot("first");
    await agent.call("move", ["a", "b"]);
    const [now, then] = [await agent.fork({ id: "now" }), await agent.fork({ id: "then", at: { label: "first" } })];
    await agent.call("put", ["c", 3]);
    assert.deepEqual(await now.call("list", ""), ["b=1"]);
    assert.deepEqual(await then.call("list", ""), ["a=1"]);
    await agent.restore({ label: "first" });
    assert.deepEqual(await agent.call("list", ""), ["a=1"]);
  });

  it("of a shadow are those of its fork, and a roll-back takes them along", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await spawn(runtime);
    await agent.call("add", "one");
    const control = runtime.control("ledger");
    const artifact = await compile({ module });
    const shadow = await control.shadow({ artifact, isAlone: true });
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    const { outcome, refusedEffects } = await shadow.run(turn);
    assert.deepEqual([outcome.kind === "done" && outcome.reply, refusedEffects], ['"one"', []]);
    assert.deepEqual(await agent.call("list", ""), ["000000000=one"]);
    await control.adopt(shadow, { code: control.code.current, caughtUp: async () => undefined });
    assert.deepEqual(await agent.call("list", ""), ["000000000=one", "000000001=one"]);
  });

  it("stay under a version that knows no tables, and are there for the one after", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await spawn(runtime);
    await agent.call("put", ["a", 1]);
    const old = runtime.control("ledger").code.artifact;
    const counter = await compile({ source: COUNTER, name: "counter.agent.ts" });
    await runtime.control("ledger").swap({ artifact: counter, label: "away" });
    await runtime.control("ledger").swap({ artifact: old, label: "back" });
    assert.deepEqual(await agent.call("list", ""), ["a=1"]);
  });
});

describe("an agent that asks for more than is good", () => {
  const fill = async (agent: Ledger): Promise<void> => {
    for (let from = 0; from < 4_096; from += 1_024) await agent.call("fill", { from, count: 1_024, bytes: 1_000 });
  };

  it("is told when its loops are too many, and its neighbours in the cell notice nothing", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, limits: { tableReadsPerTurnMax: 20 } });
    const [agent, neighbour] = [await spawn(runtime), await spawn(runtime, "neighbour")];
    await fill(agent);
    const [full, flood] = [agent.call("flood", 20), codeOf(agent.call("flood", 21))];
    const other = await Promise.all(Array.from({ length: 50 }, () => neighbour.call("has", "x")));
    assert.deepEqual(new Set(other), new Set([false]));
    assert.deepEqual([await full, await flood], [20, "SANDBOX_READS_EXCEEDED"]);
    assert.equal(await agent.call("at", 7), 7);
    assert.equal((await neighbour.info()).restarts, 0);
  });

  it("loses its isolate when it wants to hold more rows than its heap, and nothing else", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const [agent, neighbour] = [await spawn(runtime, "ledger", 16), await spawn(runtime, "neighbour")];
    await fill(agent);
    const pid = (await neighbour.info()).cellPid;
    assert.equal(await codeOf(agent.call("flood", 1_000)), "SANDBOX_HEAP_EXCEEDED");
    assert.equal(await agent.call("at", 4_095), 4_095);
    assert.deepEqual([(await neighbour.info()).cellPid, (await neighbour.info()).restarts], [pid, 0]);
  });
});
