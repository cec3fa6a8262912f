/**
 * Setters for indexes on `Array.prototype` and `Object.prototype`, which swallow what is written: the lists that a guest fills in a
 * turn are not its agent's to empty. Were they, the guest's words would lie, and the cell with all others in it would be ended for it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unpackAddress } from "../../sandbox/protocol.ts";
import type { Outcome } from "../../sandbox/index.ts";
import { Actor, brief, startCell } from "./support.ts";

const INDEXES = 33;

/** `work` does a little of everything; `swallow` breaks one index, `mend` takes it back. */
const AGENT = `{
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    swallow(ctx, [place, index]) { Object.defineProperty(globalThis[place].prototype, index, { set() {}, get() {}, configurable: true }); },
    mend(ctx, [place, index]) { delete globalThis[place].prototype[index]; },
    async work(ctx, by) {
      ctx.log.info("works", { by }); ctx.log.warn("again");
      ctx.cast("bob", "hi", [by]); ctx.cast("bob", "ho", { by });
      for (let i = 0; i < 4; i++) ctx.table("t").put("k" + i, { by });
      ctx.state.list = [1, 2, 3]; ctx.state["k" + by] = { by }; ctx.state.count = by;
      return await ctx.call("bob", "add", by);
    },
  },
}`;

/** What a turn did, without its figures. */
function deedsOf(outcome: Outcome): unknown {
  if (outcome.kind !== "done") return outcome;
  const { reply, ops, rows, outbox, logs } = outcome;
  return { reply, ops, rows, logs, outbox: outbox.map(({ verb, text }) => ({ verb, ...unpackAddress(text) })) };
}

describe("setters for indexes that swallow what is written", () => {
  for (const place of ["Array", "Object"]) {
    it(`on ${place}.prototype change nothing of what a turn says, and its neighbours notice nothing`, async () => {
      await using cell = await startCell();
      const actorOf = (agent: string): Actor => {
        const actor = new Actor(cell, {
          agent,
          definition: AGENT,
          onAsk: ({ turn, ask }) => actor.resident.answer(turn, ask, { ok: true, text: "7" }),
        });
        return actor;
      };
      const [evil, honest, neighbour] = [actorOf("evil"), actorOf("honest"), new Actor(cell)];
      for (let index = 0; index < INDEXES; index++) {
        const argument = JSON.stringify([place, index]);
        assert.equal(brief(await evil.call("swallow", argument)).split(" ")[0], "done");
        const deeds = deedsOf(await evil.call("work", `${index}`));
        assert.deepEqual(deeds, deedsOf(await honest.call("work", `${index}`)), `index ${index}`);
        assert.equal(brief(await evil.call("mend", argument)).split(" ")[0], "done");
        assert.equal(brief(await neighbour.call("add")), `done ${index + 1}`);
      }
      for (let index = 0; index < INDEXES; index++) await evil.call("swallow", JSON.stringify([place, index]));
      assert.deepEqual(deedsOf(await evil.call("work", "99")), deedsOf(await honest.call("work", "99")), "all at once");
      assert.equal(cell.isAlive, true);
    });
  }
});
