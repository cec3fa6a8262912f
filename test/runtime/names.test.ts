/**
 * One name, one life: whatever comes at the same time, no second life of an agent writes to the same branch.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

describe("a name", () => {
  it("has one life when a message wakes its agent from the vault while it is spawned", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    {
      await using runtime = await Runtime.open({ vault: folder, durability: "memory" });
      await runtime.spawn({ id: "counter", source: COUNTER });
    }
    await using runtime = await Runtime.open({ vault: folder, durability: "memory" });
    const spawning = codeOf(runtime.spawn({ id: "counter", source: COUNTER }));
    assert.equal(await runtime.ref("counter").call("add", 1), 1);
    assert.equal(await spawning, "RUNTIME_AGENT_EXISTS");
    assert.equal(await runtime.ref("counter").call("add", 1), 2);
    assert.equal((await runtime.ref("counter").info()).restarts, 0);
  });

  it("has one life when a stopped agent is revived while it is spawned", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.stop();
    const spawning = codeOf(runtime.spawn({ id: "counter", source: COUNTER }));
    await counter.revive();
    assert.equal(await counter.call("add", 1), 1);
    assert.equal(await spawning, "RUNTIME_AGENT_EXISTS");
    assert.equal(await counter.call("add", 1), 2);
    assert.equal((await counter.info()).epoch, 2, "two lives, one after the other");
  });

  it("goes back to the stopped agent when the code it is spawned with does not start", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    await counter.stop();
    const source = `${COUNTER} throw new Error("no");`;
    assert.equal(await codeOf(runtime.spawn({ id: "counter", source })), "SANDBOX_LOAD_FAILED");
    assert.equal(await codeOf(counter.call("read")), "RUNTIME_AGENT_DOWN");
    await counter.revive();
    assert.equal(await counter.call("read"), 1);
  });
});
