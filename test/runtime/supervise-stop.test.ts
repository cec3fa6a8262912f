/**
 * How trees of real agents end: in reverse, within their times, by force where they do not end by themselves, and with the
 * runtime.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { systemClock } from "../../runtime/clock.ts";
import { Runtime } from "../../runtime/index.ts";
import type { ChildSpec } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { Cell } from "../../sandbox/index.ts";
import type { Clock } from "../../vault/index.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

/** Waits for an answer that never comes, and says its last words only when nothing is in work. */
const WAITER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ last: "" }),
  on: { wait: (ctx) => ctx.call("mute", "listen"), last: (ctx) => ctx.state.last },
  stop(ctx, reason) { ctx.state.last = "stopped: " + reason; },
});
`;

const counter = (id: string): ChildSpec => ({ id, source: COUNTER });

/** The exits from now on, as `name reason`. */
function exitsOf(runtime: Runtime): readonly string[] {
  const exits: string[] = [];
  runtime.subscribe(({ event }) => {
    if (event.type === "agent.exited") exits.push(`${event.agent} ${event.reason.name}`);
    if (event.type === "supervisor.exited") exits.push(`${event.supervisor} ${event.reason.name}`);
  });
  return exits;
}

/** An agent that is asked and never answers: its own turn waits for the program. */
async function mute(runtime: Runtime): Promise<{ readonly asked: Promise<void> }> {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const never = Promise.withResolvers<string>();
  runtime.provide("propose", () => {
    resolve();
    return never.promise;
  });
  const source = `export default { version: 1, state: () => ({}), on: { listen: (ctx) => ctx.propose("x") } };`;
  await runtime.spawn({ id: "mute", source, shutdownMs: "brutal_kill" });
  return { asked };
}

/** A runtime whose cells, from `spoil` on, are killed as soon as they are started. */
async function withLostCells(t: TestContext): Promise<{ readonly runtime: Runtime; readonly spoil: () => void }> {
  const pids = new Set<number>();
  let isSpoilt = false;
  const startCell: typeof Cell.start = async (...given) => {
    const cell = await Cell.start(...given);
    pids.add(cell.pid);
    if (isSpoilt) process.kill(cell.pid, "SIGKILL");
    return cell;
  };
  const runtime = await withRuntime(t, { cells: 1 }, { startCell });
  const spoil = (): void => {
    isSpoilt = true;
    for (const pid of pids) process.kill(pid, "SIGKILL");
  };
  return { runtime, spoil };
}

/** Resolves when the agent has been re-homed that often from now on. */
function rehomed(runtime: Runtime, agent: string, times: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const { unsubscribe } = runtime.subscribe(({ event }) => {
    if (event.type === "agent.rehomed" && event.agent === agent && ++count === times) resolve();
  });
  return promise.finally(unsubscribe);
}

describe("a tree whose agents find no cell that lives", () => {
  const children: readonly ChildSpec[] = [{ ...counter("a"), shutdownMs: "infinity" }];

  it("is stopped between two tries, and does not wait for one that goes well", async (t) => {
    const { runtime, spoil } = await withLostCells(t);
    const shop = await runtime.supervise({ id: "shop", children });
    const tries = rehomed(runtime, "shop/a", 3);
    spoil();
    await tries;
    await shop.stop();
    assert.equal((await runtime.ref("shop/a").info()).status, "down");
  });

  it("is stopped also while it waits for such an agent to be restarted, however deep it stands", async (t) => {
    const { runtime, spoil } = await withLostCells(t);
    const back = { id: "back", strategy: "one_for_all", children } as const;
    const shop = await runtime.supervise({ id: "shop", strategy: "one_for_all", children: [back] });
    const tries = rehomed(runtime, "shop/back/a", 5);
    spoil();
    await runtime.ref("shop/back/a").kill();
    await tries;
    await shop.stop();
    assert.equal(await codeOf(shop.whichChildren()), "RUNTIME_SUPERVISOR_DOWN");
  });
});

describe("a group whose restart has begun when it is stopped", () => {
  it("does not wait for who is to be started again, although nobody was being started at that moment", async (t) => {
    const { runtime, spoil } = await withLostCells(t);
    const group: readonly ChildSpec[] = [
      { ...counter("a"), shutdownMs: "infinity" },
      { ...counter("b"), shutdownMs: 50 },
    ];
    const shop = await runtime.supervise({ id: "shop", strategy: "one_for_all", children: group });
    spoil();
    const killed = runtime.ref("shop/a").kill(); // b is to end now, and then both are to be started
    await Promise.all([killed, shop.stop()]);
    assert.deepEqual(await Promise.all(["a", "b"].map(async (id) => (await runtime.ref(`shop/${id}`).info()).status)), [
      "down",
      "down",
    ]);
  });
});

describe("children of a dynamic supervisor that do not end in time", () => {
  it("are killed, and their supervisor keeps no timer that has fired", async (t) => {
    const shutdownMs = 7;
    const timers = { fired: new Set<object>(), keptAfter: 0 };
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonicMs: () => systemClock.monotonicMs(),
      after(delayMs, fire) {
        const timer = systemClock.after(delayMs, () => {
          if (delayMs === shutdownMs) timers.fired.add(timer);
          fire();
        });
        const cancel = (): void => {
          if (timers.fired.has(timer)) timers.keptAfter += 1;
          timer.cancel();
        };
        return { cancel };
      },
    };
    const runtime = await withRuntime(t, {}, { clock });
    const pool = await runtime.supervise({ id: "pool", strategy: "dynamic" });
    const { asked } = await mute(runtime);
    const slow = await pool.startChild({ id: "slow", source: WAITER, shutdownMs });
    const waiting = codeOf(slow.call("wait"));
    await asked;
    await pool.terminateChild("slow");
    assert.equal(await waiting, "RUNTIME_AGENT_DOWN");
    assert.equal(timers.fired.size, 1);
    await pool.stop(); // takes back every timer that it still keeps
    assert.equal(timers.keptAfter, 0);
    await runtime.ref("mute").kill();
  });
});

describe("a tree that is stopped", () => {
  it("kills a child that is not done within its time, and goes on with the others", async (t) => {
    const runtime = await withRuntime(t);
    const { asked } = await mute(runtime);
    const slow: ChildSpec = { id: "slow", source: WAITER, shutdownMs: 50 };
    const shop = await runtime.supervise({ id: "shop", children: [counter("a"), slow, counter("z")] });
    const waiting = codeOf(runtime.ref("shop/slow").call("wait"));
    await asked;
    const exits = exitsOf(runtime);
    await shop.stop();
    assert.equal(await waiting, "RUNTIME_AGENT_DOWN");
    assert.deepEqual(exits, ["shop/z shutdown", "shop/slow killed", "shop/a shutdown", "shop shutdown"]);
    await runtime.ref("mute").kill();
  });

  it("does not ask whoever is to be killed, and takes all below a killed supervisor with it", async (t) => {
    const runtime = await withRuntime(t);
    const pool: ChildSpec = { id: "pool", shutdownMs: "brutal_kill", children: [counter("x"), counter("y")] };
    const shop = await runtime.supervise({ id: "shop", children: [counter("a"), pool] });
    await runtime.ref("shop/pool/x").call("add", 2);
    const exits = exitsOf(runtime);
    await shop.stop();
    assert.deepEqual(exits, [
      "shop/pool/y killed",
      "shop/pool/x killed",
      "shop/pool killed",
      "shop/a shutdown",
      "shop shutdown",
    ]);
    await shop.revive();
    assert.equal(await runtime.ref("shop/pool/x").call("read"), 2);
    assert.equal(await runtime.ref("shop/pool/x").call("last"), "", "it had no last words");
  });

  it("ends with the runtime: trees in reverse, then the agents that stand alone", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "alone", source: COUNTER });
    await runtime.supervise({ id: "first", children: [counter("a"), { id: "pool", children: [counter("x")] }] });
    await runtime.supervise({ id: "second", children: [counter("b")] });
    const exits = exitsOf(runtime);
    await runtime.close();
    assert.deepEqual(exits, [
      "second/b shutdown",
      "second shutdown",
      "first/pool/x shutdown",
      "first/pool shutdown",
      "first/a shutdown",
      "first shutdown",
    ]);
    assert.equal(await codeOf(runtime.supervise({ id: "third" })), "RUNTIME_CLOSED");
  });

  it("leaves the names of those it forgets free at once, with what they remember; forks stand alone", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise({
      id: "shop",
      children: [counter("a"), { ...counter("once"), restart: "temporary" }],
    });
    const once = runtime.ref("shop/once");
    await once.call("add", 1);
    await once.kill();
    await shop.countChildren();
    assert.equal(await codeOf(once.call("read")), "RUNTIME_AGENT_DOWN", "a temporary child is forgotten");
    await shop.startChild({ id: "once", source: COUNTER });
    assert.equal(await once.call("read"), 1, "its name was free at once, and its memory kept");
    const fork = await once.fork({ id: "fork" });
    assert.equal(await fork.call("add", 1), 2, "its fork stands alone");
  });

  it("is not waked by a message: after a start of the program its agents wait for their supervisor", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-supervise-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const spec = { id: "shop", children: [counter("a")] };
    const before = await Runtime.open({ vault: folder, durability: "os" });
    await before.supervise(spec);
    await before.ref("shop/a").call("add", 5);
    await before.close();
    await using runtime = await Runtime.open({ vault: folder, durability: "os" });
    assert.equal(await codeOf(runtime.ref("shop/a").call("read")), "RUNTIME_AGENT_DOWN");
    assert.match(String(runtime.tree()), /shop\/a {2}down/);
    await runtime.supervise(spec);
    assert.equal(await runtime.ref("shop/a").call("read"), 5);
  });
});
