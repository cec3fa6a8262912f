/**
 * Journey 1: a call, from the caller to the disk and back.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";

describe("a call", () => {
  it("changes state and answers; a read sees it", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk" });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await counter.call("add", 2), 2);
    assert.equal(await counter.call("add", 3), 5);
    assert.equal(await counter.call("read"), 5);
  });

  it("runs messages in the order they arrived, pipelined", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const replies = await Promise.all(Array.from({ length: 500 }, () => counter.call("add", 1)));
    assert.deepEqual(
      replies,
      Array.from({ length: 500 }, (_, index) => index + 1),
    );
  });

  it("carries every kind of value there and back", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const value = {
      list: [1, "two", null],
      map: new Map([["a", new Set([1n])]]),
      when: new Date(5),
      bytes: new Uint8Array([1, 2]),
      not: Number.NaN,
      gone: undefined,
    };
    assert.deepEqual(await counter.call("echo", value), value);
  });

  it("drops the writes of a handler that throws, names the place in the TypeScript, and the agent lives", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 7);
    const error = (await counter.call("fail", "no").catch((thrown: unknown) => thrown)) as Error & { code: string };
    assert.equal(error.code, "RUNTIME_HANDLER_THREW");
    assert.match(error.message, /counter\.fail threw RangeError: no/);
    assert.match(error.stack ?? "", /counter\.agent\.ts:11:/);
    assert.match(error.stack ?? "", /at async .*call\.test\.ts:\d+/, "and the line that called");
    assert.equal(await counter.call("read"), 7);
    assert.equal((await counter.info()).restarts, 0);
  });

  it("goes from agent to agent, and a cast leaves after the commit", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: COUNTER });
    const b = await runtime.spawn({ id: "b", source: COUNTER });
    assert.equal(await a.call("relay", { agent: "b", method: "add", arg: 4 }), 4);
    assert.equal(await a.call("tell", { agent: "b", method: "add", arg: 1 }), "sent");
    assert.equal(await b.call("read"), 5);
    assert.equal(await codeOf(a.call("relay", { agent: "a", method: "read", arg: null })), "RUNTIME_HANDLER_THREW");
    assert.equal(
      await codeOf(a.call("relay", { agent: "nobody", method: "read", arg: null })),
      "RUNTIME_HANDLER_THREW",
    );
  });
});

describe("points in time", () => {
  it("are named by snapshots and checkpoints, listed, forked from and restored", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    const one = await counter.snapshot("one");
    await counter.call("add", 1);
    await counter.call("mark", "two");
    await counter.call("add", 10);
    const labels = (await counter.history()).map((line) => line.label).filter((label) => label !== undefined);
    assert.deepEqual(labels.slice(0, 2), ["two", "one"]);
    assert.ok((await counter.history()).some((line) => line.method === "add" && line.keys.includes("count")));

    const then = await counter.fork({ id: "then", at: { label: "one" } });
    assert.equal(await then.call("add", 100), 101);
    const now = await counter.fork({ id: "now" });
    assert.equal(await now.call("read"), 12);
    const atSeq = await counter.fork({ id: "at-seq", at: { seq: one.seq } });
    assert.equal(await atSeq.call("read"), 1);

    await counter.restore({ label: "two" });
    assert.equal(await counter.call("read"), 2);
    assert.equal(await counter.call("add", 1), 3);
    assert.equal(await codeOf(counter.restore({ label: "never" })), "VAULT_POINT_UNKNOWN");
    assert.equal(await counter.call("read"), 3);
  });
});

describe("an agent whose vault is opened again", () => {
  it("comes back with its state, also without its module at hand, and after kill and reopen goes on", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-reopen-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    {
      await using runtime = await Runtime.open({ vault: folder });
      const counter: AgentRef = await runtime.spawn({ id: "counter", source: COUNTER });
      await counter.call("add", 5);
      await counter.kill();
      assert.equal(await counter.call("add", 1), 6);
    }
    await using runtime = await Runtime.open({ vault: folder });
    assert.deepEqual(runtime.ids(), ["counter"]);
    assert.equal(await runtime.ref("counter").call("last"), "stopped: shutdown");
    assert.equal(await runtime.ref("counter").call("add", 1), 7);
    await runtime.ref("counter").stop();
    const again = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await again.call("read"), 7);
  });
});

describe("events", () => {
  it("tell what an agent logged, without a gap in their numbers", async (t) => {
    const runtime = await withRuntime(t);
    const seqs: number[] = [];
    runtime.subscribe((stamped) => seqs.push(stamped.seq), { after: 0 });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("say", "hello");
    const event = await eventOf(runtime, (candidate) => candidate.type === "agent.logged");
    assert.match(JSON.stringify(event), /hello/);
    assert.ok(event.type === "agent.logged");
    const { agent, level, method, at } = event;
    assert.deepEqual([agent, level, method], ["counter", "info", "say"]);
    assert.match(at ?? "", /^counter\.agent\.ts:\d+:\d+$|^counter:\d+:\d+$/);
    assert.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index + 1),
    );
  });
});
