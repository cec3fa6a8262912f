/** Many in one cell of the async lane: whose CPU time is whose. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Actor, OPTIONS, startCell } from "./support.ts";

/** Placed while a turn runs. */
const NEWCOMERS = 30;

describe("a turn in the async lane", () => {
  it("is charged its own CPU time, and none of what it takes to place others meanwhile", async () => {
    const limits = { ...OPTIONS.limits, memoryMb: 4_096, heartbeatMs: 10_000 };
    await using cell = await startCell({ lane: "async", limits });
    const actor = new Actor(cell);
    await actor.resident.loaded;
    const spinMs = async (): Promise<number> => {
      const outcome = await actor.call("spin", "20");
      return outcome.kind === "done" ? outcome.meter.cpuMs : assert.fail(JSON.stringify(outcome));
    };
    await spinMs(); // warm
    const alone = await spinMs();
    const turn = spinMs();
    const newcomers = Array.from({ length: NEWCOMERS }, () => new Actor(cell));
    const among = await turn;
    await Promise.all(newcomers.map(({ resident }) => resident.loaded));
    // Each of them needs a heap of its own, which takes more than a millisecond to make.
    assert.ok(among < 2 * alone + 15, `${among} ms among ${NEWCOMERS} newcomers, ${alone} ms alone`);
  });
});
