/**
 * What the evolution floor may do to an agent, and what a shadow may not do to the world.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RuntimeError } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";

const VERSION_2 = COUNTER.replace("version: 1", "version: 2");
const MIGRATE = "migrate: (old) => ({ ...(old as { count: number; last: string }), count: 1000 }),";

describe("a swap of code", () => {
  it("that lacks its migration is refused, and the version before goes on with its state untouched", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 3);
    const before = await counter.info();
    const artifact = await compile({ source: VERSION_2, name: "counter.agent.ts" });
    assert.equal(await codeOf(runtime.control("counter").swap({ artifact, label: "before" })), "RUNTIME_SWAP_FAILED");
    assert.equal(await counter.call("read"), 3);
    const after = await counter.info();
    assert.deepEqual([after.hash, after.seq, after.epoch], [before.hash, before.seq, before.epoch]);
  });

  it("moves code and migrated state together, loses no message that waited, and can be restored", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 3);
    const artifact = await compile({
      source: VERSION_2.replace("stop(ctx", `${MIGRATE} stop(ctx`),
      name: "counter.agent.ts",
    });
    const early = Array.from({ length: 20 }, () => counter.call("add", 1));
    const swapping = runtime.control("counter").swap({ artifact, label: "before" });
    const late = Array.from({ length: 20 }, () => counter.call("add", 1));
    assert.equal((await swapping).isMigrated, true);
    assert.deepEqual(
      await Promise.all(early),
      Array.from({ length: 20 }, (_, index) => 4 + index),
    );
    assert.deepEqual(
      await Promise.all(late),
      Array.from({ length: 20 }, (_, index) => 1001 + index),
    );
    assert.deepEqual([(await counter.info()).version, (await counter.info()).profile], [2, "hardened"]);
    await counter.restore({ label: "before" });
    assert.deepEqual([(await counter.info()).version, await counter.call("read")], [1, 23]);
  });
});

describe("a shadow", () => {
  it("gets the recorded answers, has no other way to the outside, and writes to its fork alone", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const other = await runtime.spawn({ id: "other", source: COUNTER });
    await counter.call("relay", { agent: "other", method: "add", arg: 5 });
    await counter.call("tell", { agent: "other", method: "add", arg: 1 });
    await counter.call("add", 7);
    assert.equal(await other.call("read"), 6);
    const control = runtime.control("counter");
    const turns = control.turns();
    const [relay] = turns;
    assert.ok(relay !== undefined);
    await using shadow = await control.shadow({ artifact: control.code.artifact, at: { seq: relay.beforeSeq } });
    for (const turn of turns) {
      const { outcome, refusedEffects } = await shadow.run(turn);
      assert.equal(outcome.kind, "done");
      assert.deepEqual(refusedEffects, []);
    }
    const strange = await shadow.run({ ...relay, asks: [] });
    assert.deepEqual(strange.refusedEffects, ["call"]);
    assert.ok(strange.outcome.kind === "threw" && strange.outcome.fault.code === "RUNTIME_EFFECT_REFUSED");
    assert.equal(await other.call("read"), 6, "no effect of the shadow reached anyone");
    assert.equal(await counter.call("read"), 7);
    assert.equal(runtime.vaultStats().branches, 3);
    await shadow.drop();
    assert.equal(runtime.vaultStats().branches, 2);
  });
});

describe("an agent", () => {
  it("that calls itself is told so instead of waiting for ever", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const call = counter.call("relay", { agent: "counter", method: "read", arg: null });
    const error = (await call.catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(error.details["code"], "RUNTIME_CALL_CYCLE");
  });

  it("forked from before it had code cannot start, says why, and is parked", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const born = (await counter.history()).find((line) => line.kind === "create");
    assert.ok(born !== undefined);
    const early = await counter.fork({ id: "early", at: { seq: born.seq } });
    assert.equal(await codeOf(early.call("read")), "RUNTIME_INTENSITY_EXCEEDED");
    const exited = await eventOf(runtime, (event) => event.type === "agent.exited" && event.agent === "early");
    assert.match(JSON.stringify(exited), /RUNTIME_START_FAILED/);
  });

  it("that is dropped leaves its name free and its forks alive", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 2);
    const fork = await counter.fork({ id: "fork" });
    await runtime.drop("counter");
    assert.deepEqual(runtime.ids(), ["fork"]);
    assert.equal(await codeOf(counter.call("read")), "RUNTIME_AGENT_UNKNOWN");
    assert.equal(await fork.call("read"), 2);
    const again = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await again.call("read"), 0);
  });
});
