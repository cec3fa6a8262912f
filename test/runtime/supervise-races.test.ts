/**
 * Two things that are asked of a supervised agent at once: whoever comes first, none is left half done. Nobody lives on a
 * branch that is gone, nobody who runs cannot be called, no name is given twice, and the tree can still be stopped.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

const OFTEN = { intensity: 100, periodMs: 60_000 } as const;
const counter = (id: string): { readonly id: string; readonly source: string } => ({ id, source: COUNTER });

/** How often an agent was re-homed: nobody here loses a cell or a disk. */
function homeless(runtime: Runtime): () => readonly string[] {
  const agents: string[] = [];
  runtime.subscribe(
    ({ event }) => event.type === "agent.rehomed" && agents.push(`${event.agent} ${event.reason.code}`),
  );
  return () => agents;
}

describe("an agent that is dropped", () => {
  it("while its group restarts is gone from the group and from the vault", async (t) => {
    const runtime = await withRuntime(t);
    const rehomed = homeless(runtime);
    const children = ["a", "b", "c"].map(counter);
    const shop = await runtime.supervise({ id: "shop", strategy: "one_for_all", ...OFTEN, children });
    runtime.ref("shop/c").cast("fail", "on purpose");
    const dropped = runtime.drop("shop/a");
    await runtime.ref("shop/b").kill();
    await dropped;
    assert.deepEqual(
      (await shop.whichChildren()).map(({ id, status }) => `${id} ${status}`),
      ["c up", "b up"],
    );
    assert(!runtime.ids().includes("shop/a"));
    assert.deepEqual(await Promise.all(["b", "c"].map((id) => runtime.ref(`shop/${id}`).call("add", 1))), [1, 1]);
    await shop.stop();
    assert.deepEqual(rehomed(), []);
  });

  it("while its tree is started again is gone, and the tree goes on without it", async (t) => {
    const runtime = await withRuntime(t);
    const rehomed = homeless(runtime);
    const shop = await runtime.supervise({ id: "shop", ...OFTEN, children: [counter("a"), counter("b")] });
    await shop.stop();
    await Promise.all([runtime.drop("shop/a"), shop.revive()]);
    assert.deepEqual([runtime.ids(), await runtime.ref("shop/b").call("add", 1)], [["shop/b"], 1]);
    await shop.stop();
    assert.deepEqual(rehomed(), []);
  });

  it("while a dynamic supervisor starts it comes up first; its callers are all told something", async (t) => {
    const runtime = await withRuntime(t);
    const pool = await runtime.supervise({ id: "pool", strategy: "dynamic", ...OFTEN, template: { source: COUNTER } });
    await pool.startChild({ id: "a" });
    await pool.terminateChild("a");
    const started = pool.startChild({ id: "a" });
    const asked = runtime
      .ref("pool/a")
      .call("add", 1)
      .then(
        () => "answered",
        ({ code }: { readonly code: string }) => code,
      );
    await Promise.all([started, runtime.drop("pool/a"), asked]);
    assert.deepEqual([await pool.whichChildren(), runtime.ids()], [[], []]);
    assert.match(await asked, /^(answered|RUNTIME_AGENT_DOWN|RUNTIME_AGENT_UNKNOWN)$/);
  });

  it("twice at once is dropped once", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.supervise({ id: "shop", children: [counter("a"), counter("b")] });
    await Promise.all([runtime.drop("shop/a"), runtime.drop("shop/a")]);
    assert.deepEqual(runtime.ids(), ["shop/b"]);
  });
});

describe("a supervisor that a listener wants back while its end is being told", () => {
  for (const type of ["supervisor.exited", "agent.stopped", "subtree.ended"] as const) {
    for (const how of ["revive", "supervise"] as const) {
      it(`at ${type}, by ${how}, lives again when it is over, whole, and can be stopped again`, async (t) => {
        const runtime = await withRuntime(t);
        const spec = { id: "shop", children: [counter("a"), counter("b")] };
        const shop = await runtime.supervise(spec);
        await runtime.ref("shop/a").call("add", 1);
        const back = Promise.withResolvers<unknown>();
        const { unsubscribe } = runtime.subscribe(({ event }) => {
          if (event.type !== type) return;
          unsubscribe();
          (how === "revive" ? shop.revive() : runtime.supervise(spec)).then(back.resolve, back.reject);
        });
        await shop.stop();
        await back.promise;
        assert.deepEqual(await Promise.all(["a", "b"].map((id) => runtime.ref(`shop/${id}`).call("add", 1))), [2, 1]);
        assert.deepEqual(await shop.countChildren(), { specs: 2, active: 2, supervisors: 0, agents: 2 });
        await shop.stop();
        assert.equal(await codeOf(shop.countChildren()), "RUNTIME_SUPERVISOR_DOWN");
        assert.equal((await runtime.ref("shop/a").info()).status, "down");
      });
    }
  }
});

describe("a child that is stopped through its own reference", () => {
  it("while a dynamic supervisor starts it is stopped when it is up", async (t) => {
    const runtime = await withRuntime(t);
    const pool = await runtime.supervise({ id: "pool", strategy: "dynamic", template: { source: COUNTER } });
    await pool.startChild({ id: "a" });
    await pool.terminateChild("a");
    const started = pool.startChild({ id: "a" });
    await Promise.all([started, started.then(() => runtime.ref("pool/a").stop())]);
    assert.deepEqual(await pool.whichChildren(), []);
  });
});

describe("a child that is deleted and added in one breath", () => {
  it("runs and can be called", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise({ id: "shop", children: [counter("a")] });
    await shop.terminateChild("a");
    await Promise.all([shop.deleteChild("a"), shop.startChild(counter("a"))]);
    assert.equal(await runtime.ref("shop/a").call("add", 1), 1);
    assert.deepEqual(await shop.countChildren(), { specs: 1, active: 1, supervisors: 0, agents: 1 });
  });
});

describe("a name that is wanted twice at once", () => {
  it("goes to the agent that was spawned first, not to a supervisor as well", async (t) => {
    const runtime = await withRuntime(t);
    const spawned = runtime.spawn({ id: "shop", source: COUNTER });
    assert.equal(await codeOf(runtime.supervise({ id: "shop", children: [counter("a")] })), "RUNTIME_AGENT_EXISTS");
    await spawned;
    assert.equal(await runtime.ref("shop").call("add", 1), 1);
  });
});
