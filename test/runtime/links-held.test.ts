/**
 * Links and monitors of an agent that is held between two lives, because its last start failed: who hangs on it hears of its
 * end as of any other, though no life of its exits then.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { BACK_OFF_JITTER, BACK_OFF_MS } from "../../runtime/back-off.ts";
import { systemClock } from "../../runtime/clock.ts";
import { withRuntime } from "../../runtime/testing.ts";
import type { TestScope } from "../../runtime/testing.ts";
import type { Clock } from "../../vault/index.ts";
import { eventOf } from "../support/agents.ts";

const PARENT = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    bear: (ctx, id: string) => ctx.spawn({ id, restart: "permanent" }),
    add: (ctx, by: number) => (ctx.state.count += by),
  },
});
`;
const WATCHER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ heard: [] as unknown[] }),
  exit(ctx, signal) { ctx.state.heard = [...ctx.state.heard, signal]; ctx.log.info("exit"); },
  down(ctx, notice) { ctx.state.heard = [...ctx.state.heard, { agent: notice.agent, reason: notice.reason }]; ctx.log.info("down"); },
  on: {
    link(ctx, to: string) { ctx.link(to); },
    monitor(ctx, to: string) { ctx.monitor(to); },
    heard: (ctx) => ctx.state.heard,
  },
});
`;

/** A runtime in which nobody's back-off is ever over, and `t`, who traps exits and watches. */
async function withHeld(t: TestScope): Promise<{ readonly runtime: Runtime; readonly watcher: AgentRef }> {
  const longest = BACK_OFF_MS * (1 + BACK_OFF_JITTER);
  const clock: Clock = {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, fire) => {
      const isBackOff = delayMs >= BACK_OFF_MS * (1 - BACK_OFF_JITTER) && delayMs <= longest;
      return isBackOff ? { cancel: () => undefined } : systemClock.after(delayMs, fire);
    },
  };
  const runtime = await withRuntime(t, { cells: 1 }, { clock });
  return { runtime, watcher: await runtime.spawn({ id: "t", source: WATCHER }) };
}

/** Its life ends, and the start that follows at once fails as well: it is held until it is tried again. */
async function hold({ runtime }: { readonly runtime: Runtime }, id: string): Promise<void> {
  const ref = runtime.ref(id);
  await ref.kill();
  ref.cast("add", 1); // wakes it
  await ref.kill();
  assert.equal((await ref.info()).status, "restarting");
}

/** What the watcher was told by the time that both kinds have come. */
async function heard({
  runtime,
  watcher,
}: {
  readonly runtime: Runtime;
  readonly watcher: AgentRef;
}): Promise<unknown> {
  for (const text of ["exit", "down"])
    await eventOf(runtime, (one) => one.type === "agent.logged" && one.agent === "t" && one.text === text);
  return watcher.call("heard");
}

describe("an agent that is held until it is tried again", () => {
  it("ends with its parent, and who is linked to it or monitors it is told", async (t) => {
    const world = await withHeld(t);
    const { runtime, watcher } = world;
    const top = await runtime.spawn({ id: "top", source: PARENT });
    await top.call("bear", "w");
    await hold(world, "top/w");
    await watcher.call("link", "top/w");
    await watcher.call("monitor", "top/w");
    await top.kill();
    assert.deepEqual(await heard(world), [
      { from: "top/w", reason: "shutdown" },
      { agent: "top/w", reason: "shutdown" },
    ]);
  });

  it("is given up by its supervisor, and who is linked to it or monitors it is told", async (t) => {
    const world = await withHeld(t);
    const { runtime, watcher } = world;
    const shop = await runtime.supervise({ id: "shop", children: [{ id: "a", source: PARENT }] });
    await hold(world, "shop/a");
    await watcher.call("link", "shop/a");
    await watcher.call("monitor", "shop/a");
    await shop.terminateChild("a");
    assert.deepEqual(await heard(world), [
      { from: "shop/a", reason: "killed" },
      { agent: "shop/a", reason: "killed" },
    ]);
  });
});
