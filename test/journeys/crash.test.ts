/**
 * Journey 2: a crash, from the exit to the next answer.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";

const LIMITS = { cpuMs: 100, wallMs: 300 };

describe("an agent that breaks a limit", () => {
  for (const [method, codes] of [
    ["loop", ["SANDBOX_CPU_EXCEEDED", "SANDBOX_WALL_EXCEEDED"]],
    ["bomb", ["SANDBOX_HEAP_EXCEEDED"]],
  ] as const) {
    it(`by ${method} is thrown away, its caller is told, and it comes back with its state`, async (t) => {
      const runtime = await withRuntime(t, { limits: LIMITS });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      await counter.call("add", 3);
      const code = await codeOf(counter.call(method));
      assert.ok(
        codes.some((expected) => expected === code),
        code,
      );
      assert.equal(await counter.call("add", 1), 4);
      assert.equal((await counter.info()).restarts, 1);
    });
  }

  it("by endless recursion only throws, because V8 ends that by itself", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await codeOf(counter.call("recurse")), "RUNTIME_HANDLER_THREW");
    assert.equal(await counter.call("add", 1), 1);
  });

  it("too often is parked, says so, and can be revived with its state", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 2, periodMs: 60_000 });
    await counter.call("add", 9);
    for (let crash = 0; crash < 3; crash++) counter.cast("fail", "again");
    await eventOf(runtime, (event) => event.type === "agent.parked");
    assert.equal(await codeOf(counter.call("read")), "RUNTIME_INTENSITY_EXCEEDED");
    assert.equal((await counter.info()).status, "parked");
    await counter.revive();
    assert.equal(await counter.call("read"), 9);
  });

  it("by throwing in a cast exits; messages behind it are not lost", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const exits: string[] = [];
    counter.monitor((notice) => exits.push(notice.reason.name));
    counter.cast("fail", "nobody sees this");
    const replies = await Promise.all([counter.call("add", 1), counter.call("add", 1)]);
    assert.deepEqual(replies, [1, 2]);
    assert.deepEqual(exits, ["fault"]);
  });
});

describe("a cell that is killed", () => {
  it("costs its agents nothing: all answer again, with their state, and none is charged", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, agentsPerCell: 20 });
    const agents = await Promise.all(
      Array.from({ length: 12 }, (_, index) => runtime.spawn({ id: `a${index}`, source: COUNTER })),
    );
    await Promise.all(agents.map((agent, index) => agent.call("add", index)));
    const { cellPid } = await agents[0]!.info();
    assert.ok(cellPid !== undefined);
    process.kill(cellPid, "SIGKILL");
    const replies = await Promise.all(agents.map((agent) => agent.call("add", 1)));
    assert.deepEqual(
      replies,
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    assert.notEqual((await agents[0]!.info()).cellPid, cellPid);
  });

  it("under load answers every call, each exactly once", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 1_000 });
    const bystander = await runtime.spawn({ id: "bystander", source: COUNTER, intensity: 1_000 });
    let acknowledged = 0;
    let refused = 0;
    for (let round = 0; round < 5; round++) {
      const { cellPid } = await bystander.info();
      const calls = Array.from({ length: 200 }, () =>
        counter.call("add", 1).then(
          () => void acknowledged++,
          () => void refused++,
        ),
      );
      if (cellPid !== undefined) process.kill(cellPid, "SIGKILL");
      await Promise.all(calls);
    }
    assert.equal(acknowledged + refused, 1_000);
    assert.equal(await counter.call("read"), acknowledged);
    assert.ok(refused <= 5, `at most the message in work per crash, but ${refused} were refused`);
  });
});

describe("stop", () => {
  it("lets the agent say its last words, refuses later calls, and leaves the state for the next spawn", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    await counter.stop("enough");
    assert.equal(await codeOf(counter.call("read")), "RUNTIME_AGENT_DOWN");
    const again = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await again.call("last"), "stopped: shutdown");
  });

  it("does not end the watch of those who monitor the name: they hear of the next life too", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const heard: string[] = [];
    const stopWatching = counter.monitor(({ reason }) => heard.push(reason.name));
    await counter.stop();
    await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.kill();
    await counter.call("read");
    assert.deepEqual(heard, ["shutdown", "killed"]);
    stopWatching();
    await counter.kill();
    await counter.call("read");
    assert.equal(heard.length, 2);
  });

  it("of a temporary agent frees its name", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, restart: "temporary" });
    await counter.kill();
    assert.equal((await runtime.spawn({ id: "counter", source: COUNTER })).id, "counter");
  });
});
