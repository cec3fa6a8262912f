/**
 * A call that carries an id happens once, however often it is repeated.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { IDS_KEPT } from "../../runtime/call-ids.ts";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

describe("a call with an id", () => {
  it("is run once, and repeated calls get its reply: at once, later, after a crash and after a reopened vault", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-ids-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    {
      await using runtime = await Runtime.open({ vault: folder });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      const both = [counter.call("add", 1, { id: "first" }), counter.call("add", 1, { id: "first" })];
      assert.deepEqual(await Promise.all(both), [1, 1]);
      assert.equal(await counter.call("add", 1, { id: "second" }), 2);
      await counter.kill();
      assert.equal(await counter.call("add", 1, { id: "first" }), 1);
    }
    await using runtime = await Runtime.open({ vault: folder });
    const counter = runtime.ref("counter");
    assert.equal(await counter.call("add", 1, { id: "second" }), 2);
    assert.equal(await counter.call("read"), 2);
  });

  it("that failed did not happen, and runs again", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await codeOf(counter.call("fail", "no", { id: "x" })), "RUNTIME_HANDLER_THREW");
    assert.equal(await counter.call("add", 1, { id: "x" }), 1);
  });

  it("whose first caller gave up still answers the one who repeats it", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const abort = new AbortController();
    const first = counter.call("add", 1, { id: "x", signal: abort.signal });
    const second = counter.call("add", 1, { id: "x" });
    abort.abort();
    assert.equal(await codeOf(first), "RUNTIME_CALL_ABORTED");
    assert.equal(await second, 1);
    assert.equal(await counter.call("read"), 1);
  });

  it("is remembered among the newest only, so that the list does not grow for ever", async (t) => {
    const runtime = await withRuntime(t, { limits: { mailboxMax: 5_000 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await Promise.all(
      Array.from({ length: IDS_KEPT + 1 }, (_, index) => counter.call("add", 1, { id: `id-${index}` })),
    );
    await counter.kill();
    assert.equal(await counter.call("add", 1, { id: "id-1" }), 2, "still known");
    assert.equal(await counter.call("add", 1, { id: "id-0" }), IDS_KEPT + 2, "let go");
  });

  it("must be a text of reasonable length", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (const id of ["", "x".repeat(257), "\ud800"]) {
      assert.equal(await codeOf(counter.call("add", 1, { id })), "RUNTIME_OPTIONS_INVALID");
    }
  });
});
