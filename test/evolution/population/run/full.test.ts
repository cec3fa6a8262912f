/** A cell that is slow to throw isolates away: whoever comes next is not refused for it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { openRunner } from "../../../../evolution/population/run/runner.ts";

const PROGRAM = { text: "const f = () => 7", entry: "f" };
/** More than one cell has slots. */
const STOPPED = 40;

it("a program is run although the cell still holds isolates of many that were stopped", async () => {
  await using runner = await openRunner({ workers: 1 });
  const [pid] = runner.pids;
  assert.ok(pid !== undefined);
  // It hears of nothing meanwhile, so every slot stays taken.
  process.kill(pid, "SIGSTOP");
  for (let index = 0; index < STOPPED; index++) {
    const stop = new AbortController();
    const run = runner.run(PROGRAM, [[]], { fuel: 100, signal: stop.signal });
    await nextTurn();
    stop.abort(new Error("stopped by the test"));
    await assert.rejects(run, /stopped by the test/);
    await nextTurn();
  }
  const { outcomes } = await runner.run(PROGRAM, [[]], { fuel: 100 });
  assert.deepEqual(outcomes, [{ kind: "returned", value: 7 }]);
});
