/**
 * What was begun for an agent and is overtaken by what its owner does: a wait to be re-homed, a move to another cell. Neither
 * brings back an agent that was stopped or parked meanwhile.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentRef, PlanariaEvent, Runtime } from "../../runtime/index.ts";
import type { Incarnation } from "../../runtime/incarnation.ts";
import { relocate } from "../../runtime/relocation.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { Cell } from "../../sandbox/index.ts";
import type { CellOptions, PlaceOptions, Resident } from "../../sandbox/index.ts";
import { COUNTER, eventOf } from "../support/agents.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** Starts real cells; `placed` hears of each agent that is placed, before any of its code has run. */
function cellsThatTell(placed: (cell: Cell, agent: string) => void): (options: CellOptions) => Promise<Cell> {
  return async (options) => {
    const cell = await Cell.start(options);
    const place = cell.place.bind(cell);
    cell.place = (given: PlaceOptions): Resident => {
      const resident = place(given);
      placed(cell, given.agent);
      return resident;
    };
    return cell;
  };
}

/** What the runtime tells of lives. */
function lives(runtime: Runtime): readonly PlanariaEvent[] {
  const events: PlanariaEvent[] = [];
  runtime.subscribe(({ event }) => void (event.type.startsWith("agent.") && events.push(event)));
  return events;
}

/** Every promise that can go on has gone on. */
async function rested(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
}

describe("an agent whose cells are lost again and again", () => {
  const ends: readonly (readonly [what: string, end: (agent: AgentRef) => Promise<void>, status: string])[] = [
    ["stopped", (agent) => agent.stop(), "down"],
    ["killed and parked", (agent) => agent.kill(), "parked"],
  ];
  for (const [what, end, status] of ends) {
    it(`is not started by a wait of before, once it was restored and then ${what}`, async (t) => {
      const clock = new SimulatedClock();
      let isBroken = false;
      const startCell = cellsThatTell((cell) => isBroken && cell.kill("the test ends it"));
      const runtime = await withRuntime(t, { cells: 1 }, { clock, startCell });
      const agent = await runtime.spawn({ id: "a", source: COUNTER, intensity: 0 });
      await agent.call("add", 1);
      await agent.snapshot("early");
      let rehomed = 0;
      const isHeld = eventOf(runtime, ({ type }) => type === "agent.rehomed" && ++rehomed === 2);
      isBroken = true;
      for (const { pid } of runtime.cells()) process.kill(pid, "SIGKILL");
      const isOver = agent.call("read").catch(() => undefined);
      await isHeld;
      assert.equal((await agent.info()).status, "restarting");
      isBroken = false;
      await agent.restore({ label: "early" });
      await isOver;
      await end(agent);
      const told = lives(runtime);
      clock.advance(60_000);
      await rested();
      assert.equal((await agent.info()).status, status);
      assert.deepEqual(told, []);
    });
  }
});

describe("an agent that is to move to another cell", () => {
  it("does not begin to move on while it still loads there: its messages would wait for one move after the other", async () => {
    const replace = (): Promise<number> => assert.fail("it holds messages");
    // All that is looked at of a life that has not taken over.
    const loading = { options: {} } as unknown as Incarnation;
    assert.equal(await relocate({ life: undefined, replace }, loading), false);
  });

  it("stays parked when it is killed while its next life loads there", async (t) => {
    let [placed, isOver] = [0, false];
    const startCell = cellsThatTell((_cell, id) => {
      if (id !== "a" || ++placed !== 2) return;
      isOver = true;
      void runtime.ref("a").kill();
    });
    const runtime = await withRuntime(t, { cells: 1, recycle: { ageMs: 100 } }, { startCell });
    const agent = await runtime.spawn({ id: "a", source: COUNTER, intensity: 0 });
    const told = lives(runtime);
    await agent.call("add", 1);
    const { cell } = await agent.info();
    await eventOf(runtime, (event) => event.type === "cell.recycled" && event.cell === cell);
    assert.ok(isOver);
    assert.equal((await agent.info()).status, "parked");
    assert.deepEqual(
      told.map(({ type }) => type),
      ["agent.exited", "agent.parked"],
    );
    await agent.revive();
    assert.equal(await agent.call("read"), 1);
  });
});
