/**
 * Cells that are lost at awkward moments: while an agent's code loads, and while the runtime closes.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import type { StampedEvent } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { isRunning } from "../sandbox/support.ts";
import { COUNTER, eventOf } from "../support/agents.ts";

/** Loads for a few hundred milliseconds of CPU time, so that its cell can be killed meanwhile. */
const SLOW_TO_LOAD = `${COUNTER}\nlet x = 0; for (let i = 0; i < 60_000_000; i++) x += i % 7; if (x < 0) throw new Error();`;
/** More kills than the agent may restart. */
const KILLS_MAX = 12;

describe("an agent that is inside the guest whenever its cell is lost", () => {
  it("is charged for it also while it loads, and is parked in the end instead of costing cells for ever", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, spares: 1, limits: { loadMs: 10_000, wallMs: 10_000 } });
    const slow = await runtime.spawn({ id: "slow", source: SLOW_TO_LOAD, intensity: 2, periodMs: 60_000 });
    const before = await slow.info();
    const parked = eventOf(runtime, (event) => event.type === "agent.parked");
    const exits: string[] = [];
    runtime.subscribe(({ event }: StampedEvent) => {
      if (event.type === "agent.exited") exits.push(event.reason.name);
    });
    let kills = 0;
    // A cell is killed 100 ms after the agent has moved into it: in the middle of its load.
    const killer = setInterval(() => {
      const [home] = runtime.cells().filter(({ residents }) => residents > 0);
      if (home === undefined || kills >= KILLS_MAX) return;
      kills += 1;
      process.kill(home.pid, "SIGKILL");
    }, 100);
    t.after(() => clearInterval(killer));
    assert.ok(before.cellPid !== undefined);
    const finished = Promise.withResolvers<string>();
    const deadline = setTimeout(() => finished.resolve(`not parked after ${kills} kills: ${exits.join(", ")}`), 15_000);
    const end = await Promise.race([parked.then(() => "parked"), finished.promise]);
    clearTimeout(deadline);
    assert.equal(end, "parked");
    assert.ok(exits.includes("cell_lost_suspect"), exits.join(", "));
  });
});

describe("close", () => {
  it("leaves no cell behind, also when one was being started for code on trial", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-close-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const runtime = await Runtime.open({ vault: folder, durability: "memory" });
    const pids = new Set<number>();
    runtime.subscribe(
      ({ event }) => {
        if (event.type === "cell.spawned") pids.add(event.pid);
      },
      { after: 0 },
    );
    await runtime.spawn({ id: "counter", source: COUNTER });
    const artifact = await compile({ source: COUNTER, name: "trial.agent.ts" });
    const trials = Promise.allSettled(Array.from({ length: 3 }, () => runtime.control("counter").shadow({ artifact })));
    await runtime.close();
    await trials;
    assert.ok(pids.size >= 1);
    assert.deepEqual([...pids].filter(isRunning), []);
  });
});
