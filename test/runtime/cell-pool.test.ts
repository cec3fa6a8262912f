/** Cells that are started for one agent, and the one that waits for anybody: real cells, and a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { LiveTenant } from "../../runtime/cell-pool.ts";
import { CellPool } from "../../runtime/cell-pool.ts";
import type { PlaceOptions, SandboxEvent } from "../../sandbox/index.ts";
import { AGENT, artifactOf, isRunning, LIMITS, OPTIONS, until } from "../sandbox/support.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const DAMAGED = "the page of this state is damaged";
/** More than the calm that a pool waits for before it starts a cell for nobody in particular. */
const CALM_MS = 1_000;
const TENANT: LiveTenant = { onCellLost: () => undefined, onCellDue: () => Promise.resolve(false) };

/** A pool, and the processes that it started. */
function poolOf(
  t: TestContext,
  spares = 1,
): { readonly pool: CellPool; readonly pids: readonly number[]; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock();
  const pids: number[] = [];
  const onEvent = (event: SandboxEvent): void => {
    if (event.type === "cell.spawned") pids.push(event.pid);
  };
  const pool = new CellPool({
    cellsSpread: 1,
    agentsPerCell: 2,
    spares,
    clock,
    recycle: { ageMs: 3_600_000, memoryMb: 512, placements: 1_000 },
    onRecycled: () => undefined,
    cell: { ...OPTIONS, onEvent },
  });
  t.after(() => pool.close());
  return { pool, pids, clock };
}

/** How an agent is placed; reading its state fails half way. */
function damaged(): PlaceOptions {
  const state = function* (): Iterable<readonly [string, string]> {
    yield ["count", "1"];
    throw new Error(DAMAGED);
  };
  const artifact = artifactOf(AGENT);
  const nothing = (): void => undefined;
  const told = { onAsk: nothing, onRead: nothing, onTaken: nothing };
  return { agent: "a", artifact, limits: LIMITS, text: "", life: "", state: state(), ...told };
}

describe("a cell that was started for one agent alone", () => {
  const places: readonly (readonly [what: string, place: (pool: CellPool) => Promise<unknown>])[] = [
    ["an agent that lives apart", (pool) => pool.placeApart({ profile: "trusted" }, TENANT, damaged())],
    ["code on trial", (pool) => pool.placeTrial({ agent: "a", profile: "trusted", isAlone: true }, TENANT, damaged())],
  ];
  for (const [what, place] of places) {
    it(`ends when the state of ${what} cannot be read`, async (t) => {
      const { pool, pids } = poolOf(t);
      await assert.rejects(place(pool), { message: DAMAGED });
      const [cell] = pool.cells();
      await cell?.exited;
      assert.deepEqual([pool.cells().length, pids.length, pids.filter(isRunning)], [0, 1, []]);
    });
  }

  it("is not ended for it where others live", async (t) => {
    const { pool, pids } = poolOf(t);
    await assert.rejects(pool.place({ profile: "trusted" }, TENANT, damaged()), { message: DAMAGED });
    const resident = await pool.place({ profile: "trusted" }, TENANT, { ...damaged(), state: [] });
    await resident.loaded;
    assert.equal(resident.cell.residents, 1);
    assert.equal(resident.cell.pid, pids[0]);
  });
});

describe("the warm cell that waits", () => {
  it("is started after a moment of calm, for whoever is lost next", async (t) => {
    const { pool, pids, clock } = poolOf(t);
    await lived(pool);
    clock.advance(CALM_MS);
    await until(() => pool.cells().length === 2);
    assert.equal(pids.length, 2);
  });

  it("is not started with `spares: 0`", async (t) => {
    const { pool, pids, clock } = poolOf(t, 0);
    await lived(pool);
    clock.advance(CALM_MS);
    await pool.close(); // and so everything that was starting has started
    assert.equal(pids.length, 1);
  });

  async function lived(pool: CellPool): Promise<void> {
    await (
      await pool.place({ profile: "trusted" }, TENANT, { ...damaged(), state: [] })
    ).loaded;
  }
});
