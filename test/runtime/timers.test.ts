/**
 * Durable timers on real agents in real cells.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { eventOf } from "../support/agents.ts";
import { MEMBER, tempFolder, values } from "../support/members.ts";

describe("a durable timer", () => {
  it("fires once, also when the program was away as it fell due, and gives way to the program's spawn", async (t) => {
    const vault = await tempFolder(t);
    {
      await using runtime = await Runtime.open({ vault });
      const a = await runtime.spawn({ id: "a", source: MEMBER });
      const done = runtime.topic("done").subscribe();
      await a.call("later", 1);
      assert.deepEqual(await values(done, 1), ["later 1"]);
      await a.call("later", 20);
    }
    for (let again = 0; again < 2; again++) {
      await using runtime = await Runtime.open({ vault });
      await runtime.topic("done").publish("opened");
      const done = runtime.topic("done").subscribe({ after: 0 });
      const a: AgentRef = await runtime.spawn({ id: "a", source: MEMBER });
      const [first, ...rest] = await values(done, 3 + again);
      assert.equal(first, "later 1");
      assert.deepEqual(
        rest.filter((value) => value !== "opened"),
        ["later 20"],
      );
      assert.deepEqual(((await a.call("state")) as { rang: unknown[] }).rang, ["later 1", "later 20"]);
      assert.deepEqual(runtime.timers(), []);
    }
  });

  it("comes by a pattern until it is cancelled, by its agent or by an operator", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    const done = runtime.topic("done").subscribe();
    const id = (await a.call("each", "* * * * * *")) as string;
    assert.deepEqual(await values(done, 2), ["* * * * * *", "* * * * * *"]);
    assert.deepEqual(
      runtime.timers({ agent: "a" }).map(({ id: known, pattern, timeZone }) => ({ known, pattern, timeZone })),
      [{ known: id, pattern: "* * * * * *", timeZone: "UTC" }],
    );
    await a.call("forget", id);
    assert.deepEqual(runtime.timers(), []);
    const other = (await a.call("later", 3_600_000)) as string;
    assert.equal(await runtime.cancelTimer("a", other), true);
    assert.equal(await runtime.cancelTimer("a", other), false);
    assert.deepEqual(await eventOf(runtime, ({ type }) => type === "timer.cancelled"), {
      type: "timer.cancelled",
      agent: "a",
      timer: other,
    });
  });

  it("has the same name when its turn is run again", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    const id = await a.call("later", 3_600_000);
    const control = runtime.control("a");
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    await using shadow = await control.shadow({ artifact: control.code.artifact });
    const { outcome } = await shadow.run(turn);
    assert.equal(outcome.kind === "done" ? outcome.reply : "", JSON.stringify(id));
    assert.equal(runtime.timers().length, 1, "the shadow's went nowhere");
  });
});
