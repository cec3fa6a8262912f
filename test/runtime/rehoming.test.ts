/**
 * An agent that loses its home through no fault of its own moves, and nobody hears of it: no exit, no charge, no restart by
 * a supervisor. One that costs cells is charged, and lives alone from the second time on.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PlanariaEvent, Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER } from "../support/agents.ts";

/** What was told from now on. */
function told(runtime: Runtime, types: RegExp): readonly PlanariaEvent[] {
  const events: PlanariaEvent[] = [];
  runtime.subscribe(({ event }) => types.test(event.type) && events.push(event));
  return events;
}

const SPINNER = `
import { agent } from "planaria/agent";
export default agent({ version: 1, state: () => ({}), on: { spin() { for (;;); }, who: (ctx) => ctx.self.id } });
`;

describe("an agent whose cell is lost while it is idle", () => {
  for (const restart of ["permanent", "transient", "temporary"] as const) {
    it(`is re-homed also when it is ${restart}: no exit, no charge, and whoever watches hears nothing`, async (t) => {
      const runtime = await withRuntime(t, { cells: 1, spares: 1 });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER, restart, intensity: 0 });
      await counter.call("add", 3);
      const heard: string[] = [];
      counter.monitor(({ reason }) => heard.push(reason.name));
      const events = told(runtime, /^agent\.(exited|rehomed|parked|stopped|started)$/);
      for (let losses = 1; losses <= 3; losses++) {
        process.kill((await counter.info()).cellPid ?? assert.fail("it has no cell"), "SIGKILL");
        // The call may reach the cell before its end is noticed; then it comes back to the mailbox and is run in the next.
        assert.equal(await counter.call("add", 1), 3 + losses);
        assert.equal((await counter.info()).restarts, losses);
      }
      await counter.kill();
      assert.deepEqual(
        events.filter(({ type }) => type !== "agent.started").map(({ type }) => type),
        [
          ...Array.from({ length: 3 }, () => "agent.rehomed"),
          "agent.exited",
          ...(restart === "temporary" ? ["agent.stopped"] : ["agent.parked"]),
        ],
      );
      assert.deepEqual(heard, ["killed"]);
    });
  }

  it("does not trouble its supervisor: no sibling is restarted with it", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const children = ["a", "b"].map((id) => ({ id, source: COUNTER }));
    await runtime.supervise({ id: "shop", strategy: "one_for_all", intensity: 0, children });
    const [a, b] = [runtime.ref("shop/a"), runtime.ref("shop/b")];
    await Promise.all([a.call("add", 1), b.call("add", 2)]);
    const events = told(runtime, /^(agent\.(exited|rehomed)|supervisor\.|subtree\.)/);
    process.kill((await a.info()).cellPid ?? assert.fail("it has no cell"), "SIGKILL");
    assert.deepEqual(await Promise.all([a.call("add", 1), b.call("add", 1)]), [2, 3]);
    assert.deepEqual(new Set(events.map(({ type }) => type)), new Set(["agent.rehomed"]));
    assert.equal(events.length, 2);
  });
});

describe("an agent under which cells die", () => {
  it("is charged each time, lives in a cell of its own from the second time on, and is parked in the end", async (t) => {
    const limits = { cpuMs: 20_000, wallMs: 20_000 };
    const runtime = await withRuntime(t, { cells: 1 });
    const neighbour = await runtime.spawn({ id: "neighbour", source: COUNTER });
    const spinner = await runtime.spawn({ id: "spinner", source: SPINNER, intensity: 2, periodMs: 60_000, limits });
    const homes: string[] = [];
    for (let losses = 1; losses <= 3; losses++) {
      const before = await runtime
        .ref("spinner")
        .call("who")
        .then(() => spinner.info());
      const alone = runtime.cells().find(({ id }) => id === before.cell)?.residents === 1;
      homes.push(
        `${alone ? "alone" : "shared"}, ${before.cell === (await neighbour.info()).cell ? "with" : "without"} the neighbour`,
      );
      await killInside(t, runtime);
    }
    assert.deepEqual(homes, [
      "shared, with the neighbour",
      "shared, with the neighbour",
      "alone, without the neighbour",
    ]);
    assert.equal((await spinner.info()).status, "parked");
    assert.equal(await neighbour.call("add", 1), 1);
  });
});

/** Its loop looks at the length again, after the guard rail has, and V8 does not interrupt it. */
const STUCK = `
export default { version: 1, state: () => ({}), on: {
  stick() { let looks = 0; return Array.prototype.every.call({ get length() { return looks++ === 0 ? 1 : 2 ** 53 - 1; } }, Boolean); },
  who: (ctx) => ctx.self.id,
} };
`;

describe("an agent whose cell had to be killed for what it did", () => {
  it("has a cell of its own from the first time on; the others live on without it", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, spares: 1 });
    const neighbour = await runtime.spawn({ id: "neighbour", source: COUNTER });
    const limits = { cpuMs: 50, wallMs: 50 };
    const stuck = await runtime.spawn({ id: "stuck", source: STUCK, periodMs: 60_000, limits });
    assert.equal((await stuck.info()).cell, (await neighbour.info()).cell);
    await assert.rejects(stuck.call("stick"), { code: "SANDBOX_CELL_LOST" });
    assert.equal(await stuck.call("who"), "stuck");
    assert.equal(await neighbour.call("add", 1), 1);
    const { cell } = await stuck.info();
    assert.equal(runtime.cells().find(({ id }) => id === cell)?.residents, 1);
    assert.notEqual((await neighbour.info()).cell, cell);
  });
});

/** Kills the spinner's cell while the spinner is inside the guest: again and again, until it was. */
async function killInside(t: { after(fn: () => void): void }, runtime: Runtime): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { unsubscribe } = runtime.subscribe(({ event }) => {
    if (event.type === "agent.exited" && event.agent === "spinner") resolve();
  });
  const spinner = runtime.ref("spinner");
  // The turn never ends by itself. Where the cell is lost before it is entered, it is run again in the next one.
  const spinning = spinner.call("spin").catch(() => undefined);
  const killer = setInterval(async () => {
    const { cellPid } = await spinner.info();
    if (cellPid !== undefined) process.kill(cellPid, "SIGKILL");
  }, 200);
  t.after(() => clearInterval(killer));
  await promise;
  clearInterval(killer);
  await spinning;
  unsubscribe();
}
