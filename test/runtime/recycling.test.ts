/** When a cell is due, and what becomes of the cells and agents that are: decided by a pure function, carried out one cell at a time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Movable, Recycled } from "../../runtime/recycler.ts";
import { Recycler } from "../../runtime/recycler.ts";
import { pauseMs, recycleCause } from "../../runtime/recycling.ts";
import type { Cell } from "../../sandbox/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const LIMITS = { ageMs: 3_600_000, memoryMb: 768, placements: 10_000 };

describe("a cell", () => {
  const fresh = { ageMs: 1, grownMb: 1, placements: 1, unusedMs: 0 };
  const cases: readonly [what: string, facts: Partial<typeof fresh>, cause: ReturnType<typeof recycleCause>][] = [
    ["that is fresh goes on", {}, undefined],
    ["just below every limit goes on", { ageMs: 3_599_999, grownMb: 767.9, placements: 9_999 }, undefined],
    ["is due by age", { ageMs: 3_600_000 }, "age"],
    ["is due by the lives it has hosted", { placements: 10_000 }, "placements"],
    ["is due by memory", { ageMs: 60_000, grownMb: 768 }, "memory"],
    [
      "is not due by memory in its first minute: its agents may need that much",
      { ageMs: 59_999, grownMb: 900 },
      undefined,
    ],
    ["that a domain has left is ended after a while", { unusedMs: 10_001 }, "unused"],
    ["that a domain may come back to goes on", { unusedMs: 10_000 }, undefined],
  ];
  for (const [what, facts, cause] of cases)
    it(what, () => assert.equal(recycleCause({ ...fresh, ...facts }, LIMITS), cause));
});

/** A cell of which the recycler sees as much as it needs. */
class ScriptedCell {
  readonly id: string;
  readonly exited: Promise<{ reason: string }>;
  readonly #exit = Promise.withResolvers<{ reason: string }>();
  isAlive = true;
  grownMb = 0;

  constructor(id: string) {
    this.id = id;
    this.exited = this.#exit.promise;
  }

  end(reason: string): void {
    this.isAlive = false;
    this.#exit.resolve({ reason });
  }

  async stop(): Promise<void> {
    this.end("stopped");
    await this.exited;
  }
}

/** A recycler over scripted cells. An agent leaves its cell when the test lets it. */
class Lab {
  readonly clock = new SimulatedClock();
  readonly told: Recycled[] = [];
  readonly retired: string[] = [];
  readonly homes = new Map<ScriptedCell, Set<Movable>>();
  readonly recycler = new Recycler({
    clock: this.clock,
    limits: { ageMs: 10_000, memoryMb: 100, placements: 5 },
    tenants: (cell) => [...(this.homes.get(scripted(cell)) ?? [])],
    isDisposable: () => true,
    retire: (cell) => {
      this.retired.push(cell.id);
      return Promise.resolve();
    },
    recycled: (told) => this.told.push(told),
  });

  cell(id: string): ScriptedCell {
    const cell = new ScriptedCell(id);
    this.homes.set(cell, new Set());
    this.recycler.serves(cell as unknown as Cell); // as much of a cell as the recycler uses
    return cell;
  }

  /** `moves` says whether it moves when it is asked to. */
  settle(cell: ScriptedCell, moves: () => boolean | Promise<boolean>): void {
    const home = this.homes.get(cell) ?? assert.fail();
    const tenant: Movable = {
      onCellDue: async () => {
        const hasMoved = await moves();
        if (hasMoved) home.delete(tenant);
        return hasMoved;
      },
    };
    home.add(tenant);
    this.recycler.placed(cell as unknown as Cell);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed <= ms; passed += 1_000) {
      this.clock.advance(Math.min(1_000, ms - passed));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }
}

function scripted(cell: Cell): ScriptedCell {
  return cell as unknown as ScriptedCell; // it was one when it was handed over
}

describe("a cell that is due", () => {
  it("lets all of its agents go, a few at a time, and ends in order", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    let under = 0;
    let most = 0;
    for (let no = 0; no < 10; no++) {
      lab.settle(cell, async () => {
        most = Math.max(most, ++under);
        await Promise.resolve();
        under -= 1;
        return true;
      });
    }
    await lab.pass(1_000);
    assert.deepEqual(lab.told, [{ cell: "old", cause: "placements", moved: 10, durationMs: 0 }]);
    assert.deepEqual([cell.isAlive, lab.homes.get(cell)?.size, most], [false, 0, 4]);
  });

  it("waits for an agent that cannot move, which serves meanwhile, and is asked again after ever longer pauses", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    const askedMs: number[] = [];
    lab.settle(cell, () => askedMs.push(lab.clock.monotonicMs() - 10_000) > 3);
    lab.settle(cell, () => true);
    await lab.pass(10_000);
    assert.deepEqual([askedMs, cell.isAlive, lab.homes.get(cell)?.size], [[0], true, 1]);
    await lab.pass(6_000);
    assert.deepEqual([askedMs, cell.isAlive, lab.told], [[0, 1_000, 3_000], true, []]);
    await lab.pass(1_000);
    assert.deepEqual(askedMs, [0, 1_000, 3_000, 7_000]);
    assert.deepEqual([cell.isAlive, lab.told], [false, [{ cell: "old", cause: "age", moved: 2, durationMs: 7_000 }]]);
  });

  it("pauses no longer than a minute between two tries, and no shorter than cells are looked at", () => {
    assert.deepEqual(
      [1, 2, 6, 7, 1_000].map((failures) => pauseMs(failures, 1_000)),
      [1_000, 2_000, 32_000, 60_000, 60_000],
    );
    assert.equal(pauseMs(1, 100), 100);
  });

  it("does not wait for agents whose turns are long: the others move beside them, and it ends with the last one", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    const answers = Array.from({ length: 6 }, () => Promise.withResolvers<boolean>());
    let asked = 0;
    for (const { promise } of answers) lab.settle(cell, () => (++asked, promise));
    for (let no = 0; no < 9; no++) lab.settle(cell, () => true);
    await lab.pass(60_000);
    assert.deepEqual([lab.homes.get(cell)?.size, asked, cell.isAlive, lab.told], [6, 6, true, []]);
    for (const { resolve } of answers) resolve(true);
    await lab.pass(0);
    assert.deepEqual(
      lab.told.map(({ moved }) => moved),
      [15],
    );
  });

  it("ends also when those whose turns are long leave it by themselves", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    const answer = Promise.withResolvers<boolean>();
    lab.settle(cell, () => answer.promise);
    await lab.pass(11_000);
    lab.homes.get(cell)?.clear();
    answer.resolve(false);
    await lab.pass(1_000);
    assert.deepEqual([cell.isAlive, lab.told.map(({ moved }) => moved)], [false, [0]]);
  });

  it("is not said to be replaced when it is lost meanwhile", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    lab.settle(cell, () => {
      cell.end("crashed");
      return true;
    });
    await lab.pass(10_000);
    assert.deepEqual([lab.retired, lab.told], [["old"], []]);
  });

  it("is one of many: the next one waits until it has ended", async () => {
    const lab = new Lab();
    const [first, second] = [lab.cell("first"), lab.cell("second")];
    const answer = Promise.withResolvers<boolean>();
    lab.settle(first, () => answer.promise);
    lab.settle(second, () => true);
    await lab.pass(10_000);
    assert.deepEqual([lab.retired, second.isAlive], [["first"], true]);
    answer.resolve(true);
    await lab.pass(0);
    assert.deepEqual(
      lab.told.map(({ cell }) => cell),
      ["first", "second"],
    );
  });

  it("is one of many: no turn keeps the next one from being replaced, however long it is, nor those that become due later", async () => {
    const lab = new Lab();
    const first = lab.cell("first");
    const answer = Promise.withResolvers<boolean>();
    lab.settle(first, () => answer.promise);
    lab.settle(lab.cell("second"), () => true);
    await lab.pass(12_000);
    lab.settle(lab.cell("third"), () => true);
    await lab.pass(12_000);
    assert.deepEqual(
      lab.told.map(({ cell }) => cell),
      ["second", "third"],
    );
    assert.equal(first.isAlive, true);
    answer.resolve(true);
    await lab.pass(0);
    assert.equal(first.isAlive, false);
  });

  it("stays when the runtime closes first", async () => {
    const lab = new Lab();
    const cell = lab.cell("old");
    lab.settle(cell, () => true);
    await lab.recycler.close();
    await lab.pass(60_000);
    assert.deepEqual([cell.isAlive, lab.retired], [true, []]);
  });

  it("is given up by the runtime when nobody is on his way any more", async () => {
    const lab = new Lab();
    const answer = Promise.withResolvers<boolean>();
    lab.settle(lab.cell("old"), () => answer.promise);
    await lab.pass(20_000);
    let isClosed = false;
    const closing = lab.recycler.close().then(() => (isClosed = true));
    await lab.pass(60_000);
    assert.equal(isClosed, false);
    answer.resolve(false);
    await closing;
  });
});
