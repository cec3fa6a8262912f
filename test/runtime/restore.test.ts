/**
 * Going back: what `restore` refuses, and that a restore and a roll-back side by side lose no turn.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

describe("a restore", () => {
  it("to a point before the first start is refused and touches nothing", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 3);
    const first = (await counter.history()).at(-1);
    assert.equal(first?.kind, "create");
    const before = await counter.info();
    assert.equal(await codeOf(counter.restore({ seq: first.seq })), "RUNTIME_START_FAILED");
    const { seq, epoch, restarts } = await counter.info();
    assert.deepEqual([seq, epoch, restarts], [before.seq, before.epoch, 0]);
    await counter.kill();
    assert.equal(await counter.call("read"), 3);
  });

  it("behind a roll-back goes back on the branch that took over: later turns survive a reopening", async (t) => {
    const vault = await mkdtemp(join(tmpdir(), "planaria-test-"));
    t.after(() => rm(vault, { recursive: true, force: true }));
    {
      await using runtime = await Runtime.open({ vault });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      await counter.call("add", 3);
      await counter.snapshot("three");
      const control = runtime.control("counter");
      const { artifact, current } = control.code;
      const shadow = await control.shadow({ artifact, isAlone: true });
      const adopting = control.adopt(shadow, { code: current, caughtUp: () => Promise.resolve() });
      const restoring = counter.restore({ label: "three" });
      await Promise.all([adopting, restoring]);
      assert.equal(await counter.call("add", 4), 7);
    }
    await using runtime = await Runtime.open({ vault });
    assert.equal(await runtime.ref("counter").call("read"), 7);
  });
});
