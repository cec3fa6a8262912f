/** Which cells are kept together, and that homes nobody uses any more are forgotten, also while cells start, fail and end. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Group, Home } from "../../runtime/cell-groups.ts";
import { CellGroups } from "../../runtime/cell-groups.ts";
import type { Cell } from "../../sandbox/index.ts";

/** A cell of which only the identity counts. */
function cellNamed(id: string): Cell {
  return { id } as unknown as Cell; // groups look at nothing else
}

const NOBODY = (): void => undefined;
const A: Home = { profile: "trusted", domain: "a" };

/** Adds a cell to a home's group. */
async function added(groups: CellGroups, home: Home, cell: Cell): Promise<Group> {
  return groups.use(home, async (group) => {
    await groups.grow(group, () => Promise.resolve(cell), NOBODY);
    return group;
  });
}

describe("cells", () => {
  it("are kept together by profile and domain, and apart from those that are held back", async () => {
    const groups = new CellGroups();
    const homes: readonly Home[] = [
      { profile: "trusted" },
      { profile: "hardened" },
      A,
      { profile: "trusted", domain: "b" },
      { profile: "trusted", domain: "a", isHeldBack: true },
    ];
    const cells = homes.map((home) => cellNamed(JSON.stringify(home)));
    for (const [index, home] of homes.entries()) await added(groups, home, cells[index] ?? assert.fail());
    assert.equal(groups.size, homes.length);
    for (const [index, home] of homes.entries()) {
      const cell = cells[index] ?? assert.fail();
      await groups.use(home, (group) => Promise.resolve(assert.deepEqual([...group.cells], [cell])));
      assert.deepEqual(
        [groups.groupOf(cell)?.domain, groups.groupOf(cell)?.profile],
        [home.domain ?? "", home.profile],
      );
    }
    assert.deepEqual([...groups.cells()], cells);
  });

  it("are started one at a time for each home: whoever asks meanwhile gets the same one", async () => {
    const groups = new CellGroups();
    const start = Promise.withResolvers<Cell>();
    const joined: string[] = [];
    let starts = 0;
    const grow = (group: Group): Promise<Cell> =>
      groups.grow(
        group,
        () => (++starts, start.promise),
        ({ id }) => void joined.push(id),
      );
    const asked = [groups.use(A, grow), groups.use(A, grow)];
    assert.equal(groups.isAnyStarting, true);
    start.resolve(cellNamed("one"));
    const [first, second] = await Promise.all(asked);
    assert.equal(first, second);
    assert.deepEqual([starts, joined, groups.isAnyStarting], [1, ["one"], false]);
  });
});

describe("a home", () => {
  it("is forgotten when its last cell has ended, and begins anew when somebody comes back", async () => {
    const groups = new CellGroups();
    const [first, second] = [cellNamed("1"), cellNamed("2")];
    await added(groups, A, first);
    await added(groups, A, second);
    assert.equal(groups.takeOut(first)?.domain, "a");
    assert.equal(groups.takeOut(first), undefined);
    assert.deepEqual([groups.size, groups.groupOf(first)], [1, undefined]);
    const before = groups.takeOut(second);
    assert.equal(groups.size, 0);
    assert.notEqual(await added(groups, A, first), before);
    assert.equal(groups.size, 1);
  });

  it("leaves nothing behind, however many there were", async () => {
    const groups = new CellGroups();
    for (let no = 0; no < 1_000; no++) {
      const cell = cellNamed(`${no}`);
      await added(groups, { profile: "trusted", domain: `d${no}` }, cell);
      groups.takeOut(cell);
    }
    assert.deepEqual([groups.size, [...groups.cells()]], [0, []]);
  });

  it("is not forgotten while somebody uses it, whose cell has ended meanwhile", async () => {
    const groups = new CellGroups();
    const cell = cellNamed("1");
    const late = Promise.withResolvers<void>();
    const using = groups.use(A, async (group) => {
      await groups.grow(group, () => Promise.resolve(cell), NOBODY);
      groups.takeOut(cell);
      await late.promise;
      return group;
    });
    await new Promise(setImmediate);
    assert.equal(groups.size, 1);
    const other = await groups.use(A, (group) => Promise.resolve(group));
    late.resolve();
    assert.equal(await using, other);
    assert.equal(groups.size, 0);
  });

  it("is not forgotten while a cell starts that nobody awaits, and is when that does not start", async () => {
    const groups = new CellGroups();
    const start = Promise.withResolvers<Cell>();
    let grown: Promise<Cell> | undefined;
    await groups.use(A, async (group) => {
      grown = groups.grow(group, () => start.promise, NOBODY);
      await Promise.resolve();
    });
    assert.equal(groups.size, 1);
    start.reject(new Error("no memory"));
    await assert.rejects(grown ?? assert.fail(), /no memory/);
    assert.deepEqual([groups.size, groups.isAnyStarting], [0, false]);
  });
});
