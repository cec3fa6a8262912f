/** Agents that start at the same moment find room, each in a cell that has some. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER } from "../support/agents.ts";

it("agents that start at once fill cells to the brim and start others: none is refused for want of room", async (t) => {
  const runtime = await withRuntime(t, { agentsPerCell: 2, cells: 1 });
  const ids = Array.from({ length: 9 }, (_, no) => `a${no}`);
  const agents = await Promise.all(ids.map((id) => runtime.spawn({ id, source: COUNTER })));
  assert.deepEqual(
    await Promise.all(agents.map((agent) => agent.call("add", 1))),
    ids.map(() => 1),
  );
  const residents = runtime.cells().map((cell) => cell.residents);
  assert.ok(
    residents.every((count) => count <= 2),
    `${residents.join()} of 2`,
  );
});
