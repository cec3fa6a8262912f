/**
 * A drop that somebody else undoes each time: how long it tries, and what it says in the end. Drops of real agents, also
 * while their trees are restarted, are tested with the supervisors.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dropAgent } from "../../runtime/drop.ts";
import { RuntimeError } from "../../runtime/index.ts";
import type { Clock } from "../../vault/index.ts";

describe("a drop of an agent that is started again each time", () => {
  for (const path of ["alone", "shop/a"]) {
    it(`is refused for ${path} after some seconds, says who it is about, and waits for nothing after the last try`, async () => {
      const waitsMs: number[] = [];
      const clock: Pick<Clock, "after"> = {
        after(delayMs, fire) {
          waitsMs.push(delayMs);
          queueMicrotask(fire);
          return { cancel: () => undefined };
        },
      };
      let tries = 0;
      const dropped = dropAgent(path, {
        clock: clock as Clock, // it waits, and does nothing else with time
        random: { next32: () => 2 ** 31 },
        agents: { toDrop: () => undefined, remove: () => Promise.resolve((tries++, false)) },
        supervisors: { release: () => Promise.resolve() },
      });
      await assert.rejects(dropped, (error: unknown) => {
        assert.ok(error instanceof RuntimeError);
        assert.deepEqual([error.code, error.details], ["RUNTIME_CHILD_RUNNING", { agent: path }]);
        assert.ok(error.message.startsWith(`${path} was started again`), error.message);
        return true;
      });
      assert.equal(waitsMs.length, tries - 1);
      const totalMs = waitsMs.reduce((sum, ms) => sum + ms, 0);
      assert.ok(totalMs > 5_500 && totalMs < 6_500, `${totalMs} ms`);
    });
  }
});
