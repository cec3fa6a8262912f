/**
 * Cells are replaced while everybody hammers their agents: every acknowledged call happened once, none is lost, none refused,
 * and nobody hears of it.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { PlanariaEvent } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER } from "../support/agents.ts";

/** How many times cells are replaced while callers are at work. */
const REPLACED = 8;

it("cells are replaced under load without an exit, a refusal, a lost call or a call that happens twice", async (t) => {
  const recycle = { ageMs: 100 };
  const runtime = await withRuntime(t, { cells: 2, agentsPerCell: 5, recycle, durability: "os" });
  const children = ["a", "b", "c"].map((id) => ({ id, source: COUNTER }));
  await runtime.supervise({ id: "shop", strategy: "one_for_all", intensity: 0, children });
  const plain = await Promise.all(["d", "e", "f"].map((id) => runtime.spawn({ id, source: COUNTER, intensity: 0 })));
  const agents = [...children.map(({ id }) => runtime.ref(`shop/${id}`)), ...plain];
  const bad: PlanariaEvent[] = [];
  const recycled = new Set<string>();
  const enough = Promise.withResolvers<void>();
  const isBad = /^agent\.(exited|rehomed|restarted|parked|stopped)$|^supervisor\.restart|^failure|^message\./;
  runtime.subscribe(({ event }) => {
    if (isBad.test(event.type)) bad.push(event);
    if (event.type === "cell.exited" && event.exit.reason !== "stopped") bad.push(event);
    if (event.type === "cell.recycled") recycled.add(event.cell);
    if (recycled.size >= REPLACED) enough.resolve();
  });
  const over = new AbortController();
  /** Calls one after the other; every reply counts one up, whoever else calls beside. */
  const hammer = async (index: number): Promise<number> => {
    const agent = agents[index % agents.length] ?? assert.fail();
    let acknowledged = 0;
    while (!over.signal.aborted) {
      await agent.call("add", 1);
      acknowledged += 1;
    }
    return acknowledged;
  };
  for (const agent of agents) agent.cast("add", 1_000_000);
  // Two callers per agent, and one agent that asks another.
  const hammers = Array.from({ length: 2 * agents.length }, (_, index) => hammer(index));
  let relayed = 0;
  const relay = (async () => {
    const [first = assert.fail(), , , last = assert.fail()] = agents;
    for (; !over.signal.aborted; relayed++) await first.call("relay", { agent: last.id, method: "add", arg: 1 });
  })();
  await enough.promise;
  over.abort();
  const acknowledged = await Promise.all(hammers);
  await relay;
  const counts = await Promise.all(agents.map((agent) => agent.call("read", undefined)));
  for (const [index, count] of counts.entries()) {
    const half = agents.length;
    const called = (acknowledged[index] ?? 0) + (acknowledged[index + half] ?? 0) + (index === 3 ? relayed : 0);
    assert.ok(called > 0);
    assert.equal(count, 1_000_000 + called, `${agents[index]?.id}`);
  }
  assert.deepEqual(bad, []);
  const infos = await Promise.all(agents.map((agent) => agent.info()));
  assert.deepEqual(
    infos.map(({ restarts }) => restarts),
    agents.map(() => 0),
  );
  assert.ok(runtime.cells().every(({ id }) => !recycled.has(id)));
});
