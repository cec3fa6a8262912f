/**
 * Questions that an agent puts to the outside while other messages of its own are still on their way back.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER } from "../support/agents.ts";

describe("a handler that asks the outside", () => {
  it("is heard also when its question arrives together with the outcome of the turn before", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk" });
    const asking = await runtime.spawn({ id: "asking", source: COUNTER });
    const other = await runtime.spawn({ id: "other", source: COUNTER });
    const relay = { agent: "other", method: "add", arg: 1 };
    const calls = Array.from({ length: 100 }, () => [asking.call("add", 1), asking.call("relay", relay)]).flat();
    const ends = await Promise.allSettled(calls);
    assert.deepEqual(
      ends.filter(({ status }) => status === "rejected"),
      [],
    );
    assert.equal(await other.call("read"), 100);
  });
});
