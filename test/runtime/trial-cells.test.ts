/** Cells for code on trial, as a pool keeps them: real cells, and a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { CellPool } from "../../runtime/cell-pool.ts";
import type { Tenant } from "../../runtime/cell-pool.ts";
import type { TrialHome, TrialSeat } from "../../runtime/trial-cells.ts";
import type { PlaceOptions } from "../../sandbox/index.ts";
import { AGENT, artifactOf, LIMITS, OPTIONS } from "../sandbox/support.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

describe("rooms for code on trial", () => {
  const TENANT: Tenant = { onCellLost: () => undefined };
  const HOME: TrialHome = { agent: "a", profile: "trusted" };

  function poolOf(t: TestContext, memoryMb = 1_024): { readonly pool: CellPool; readonly clock: SimulatedClock } {
    const clock = new SimulatedClock();
    const pool = new CellPool({
      cellsSpread: 1,
      agentsPerCell: 60,
      spares: 1,
      clock,
      recycle: { ageMs: 3_600_000, memoryMb: 512, placements: 1_000 },
      onRecycled: () => undefined,
      cell: { ...OPTIONS, limits: { ...OPTIONS.limits, memoryMb } },
    });
    t.after(() => pool.close());
    return { pool, clock };
  }

  async function placed(pool: CellPool, home: Partial<TrialHome> = {}, heapMb = 16): Promise<TrialSeat> {
    const nothing = (): void => undefined;
    const told = { onAsk: nothing, onRead: nothing, onTaken: nothing };
    const limits = { ...LIMITS, heapMb };
    const options: PlaceOptions = {
      agent: "a",
      artifact: artifactOf(AGENT),
      limits,
      text: "",
      life: "",
      state: [],
      ...told,
    };
    const seat = await pool.placeTrial({ ...HOME, ...home }, TENANT, options);
    await seat.resident.loaded;
    return seat;
  }

  it("wait five seconds for the next trial, and are ended then", async (t) => {
    const { pool, clock } = poolOf(t);
    const first = await placed(pool);
    const { cell } = first.resident;
    await first.release();
    clock.advance(4_999);
    const second = await placed(pool);
    assert.equal(second.resident.cell, cell);
    clock.advance(10_000);
    assert.ok(cell.isAlive, "somebody lives in it");
    await second.release();
    clock.advance(5_000);
    const exit = await cell.exited;
    assert.equal(exit.reason, "killed");
    assert.deepEqual(pool.cells(), []);
    assert.equal(clock.armed, 0);
  });

  it("that were for one alone end with it", async (t) => {
    const { pool } = poolOf(t);
    const [alone, shared] = [await placed(pool, { isAlone: true }), await placed(pool)];
    assert.notEqual(alone.resident.cell, shared.resident.cell);
    assert.deepEqual([alone.isAlone, shared.isAlone], [true, false]);
    await alone.release();
    assert.deepEqual(pool.cells(), [shared.resident.cell]);
  });

  it("keep domains, profiles and agents apart", async (t) => {
    const { pool } = poolOf(t);
    const homes: readonly Partial<TrialHome>[] = [{}, { domain: "d" }, { profile: "hardened" }, { agent: "b" }];
    const seats = await Promise.all(homes.map((home) => placed(pool, home)));
    assert.equal(new Set(seats.map(({ resident }) => resident.cell)).size, homes.length);
  });

  it("take nobody new after five minutes, and go with their last tenant", async (t) => {
    const { pool, clock } = poolOf(t);
    const first = await placed(pool);
    clock.advance(300_000);
    const second = await placed(pool);
    assert.notEqual(second.resident.cell, first.resident.cell);
    assert.ok(first.resident.cell.isAlive);
    await first.release();
    assert.deepEqual(pool.cells(), [second.resident.cell]);
  });

  it("take nobody whose heap, with those that are there, could grow over what the cell may use", async (t) => {
    const { pool } = poolOf(t, 100);
    const seats = [await placed(pool, {}, 50), await placed(pool, {}, 50), await placed(pool, {}, 50)];
    const cells = seats.map(({ resident }) => resident.cell);
    assert.equal(cells[0], cells[1]);
    assert.notEqual(cells[0], cells[2]);
    await Promise.all(seats.map((seat) => seat.release()));
    assert.equal((await placed(pool, {}, 500)).resident.cell.isAlive, true, "one alone is its own matter");
  });

  it("whose cell ended are not offered to anybody", async (t) => {
    const { pool } = poolOf(t);
    const first = await placed(pool);
    process.kill(first.resident.cell.pid, "SIGKILL");
    await first.resident.cell.exited;
    const second = await placed(pool);
    assert.notEqual(second.resident.cell, first.resident.cell);
    await first.release();
    assert.ok(second.resident.cell.isAlive);
  });
});
