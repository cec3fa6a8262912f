/**
 * Bad input gets a clear error at the door, and nothing is lost.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Arbiter } from "../../evolution/index.ts";
import { Runtime, RuntimeError, requireNode } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

/** The code of an error of any floor. */
function codeIn(error: { readonly code: string }): string {
  return error.code;
}

describe("opening a runtime", () => {
  it("is refused on a Node that isolated-vm does not support", () => {
    assert.throws(() => requireNode("20.20.2"), { code: "RUNTIME_NODE_UNSUPPORTED" });
    requireNode("24.0.0");
    requireNode(process.versions.node);
  });

  it("is refused on a path that is a file", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-refusal-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "file");
    await writeFile(file, "not a folder");
    assert.equal(await codeOf(Runtime.open({ vault: file })), "VAULT_PATH_INVALID");
  });

  it("is refused while another runtime has the vault, and names its process", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-refusal-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await using first = await Runtime.open({ vault: folder });
    const error = (await Runtime.open({ vault: folder }).catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(error.code, "VAULT_LOCKED");
    assert.equal(error.details["pid"], process.pid);
    assert.deepEqual(first.ids(), []);
  });

  it("is refused with an unknown option, which is named", async () => {
    const error = (await Runtime.open({ vault: "x", heapMb: 1 } as never).catch(
      (thrown: unknown) => thrown,
    )) as RuntimeError;
    assert.equal(error.code, "RUNTIME_OPTIONS_INVALID");
    assert.match(error.message, /heapMb/);
  });
});

describe("spawning", () => {
  it("refuses source that does not compile, with line and column, and leaves no agent behind", async (t) => {
    const runtime = await withRuntime(t);
    const error = (await runtime
      .spawn({ id: "bad", source: "export default {\n  on: (\n" })
      .catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(codeIn(error), "SANDBOX_COMPILE_FAILED");
    assert.match(error.message, /bad\.agent\.ts:\d+:\d+/);
    assert.deepEqual(runtime.ids(), []);
  });

  it("refuses a module that throws, a missing module, and a state() that throws", async (t) => {
    const runtime = await withRuntime(t);
    assert.equal(await codeOf(runtime.spawn({ id: "x", source: "throw new Error('no');" })), "SANDBOX_LOAD_FAILED");
    assert.equal(await codeOf(runtime.spawn({ id: "x", module: "/nowhere/x.agent.ts" })), "SANDBOX_MODULE_MISSING");
    const source = `import { agent } from "planaria/agent"; export default agent({ version: 1, state: () => { throw new Error("no state"); }, on: {} });`;
    assert.equal(await codeOf(runtime.spawn({ id: "x", source })), "RUNTIME_HANDLER_THREW");
    assert.deepEqual(runtime.ids(), []);
    await runtime.spawn({ id: "x", source: COUNTER });
  });

  it("refuses a name that is in use, also while it is being taken", async (t) => {
    const runtime = await withRuntime(t);
    const both = await Promise.allSettled([
      runtime.spawn({ id: "one", source: COUNTER }),
      runtime.spawn({ id: "one", source: COUNTER }),
    ]);
    assert.deepEqual(both.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    assert.equal(await codeOf(runtime.spawn({ id: "one", source: COUNTER })), "RUNTIME_AGENT_EXISTS");
    assert.equal(await codeOf(runtime.ref("one").fork({ id: "one" })), "RUNTIME_AGENT_EXISTS");
  });
});

describe("calling", () => {
  it("refuses unknown agents and unknown methods", async (t) => {
    const runtime = await withRuntime(t);
    assert.equal(await codeOf(runtime.ref("nobody").call("x")), "RUNTIME_AGENT_UNKNOWN");
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const error = (await counter.call("nothing").catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(codeIn(error), "SANDBOX_METHOD_UNKNOWN");
    assert.match(error.message, /add/);
  });

  it("refuses what cannot be cloned, on the way in and on the way out, naming where it sits", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const error = (await counter
      .call("echo", { a: [{ f: () => 1 }] })
      .catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(codeIn(error), "SANDBOX_VALUE_UNCLONABLE");
    assert.match(error.message, /a\[0\]\.f/);
    assert.equal(await codeOf(counter.call("badReply")), "SANDBOX_VALUE_UNCLONABLE");
    assert.equal(await counter.call("add", 1), 1);
  });

  it("refuses a call without a method, and options that are misspelt or make no sense", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    // As untyped callers would.
    const call = (method: unknown, arg?: unknown, options?: unknown): Promise<unknown> =>
      counter.call(method as never, arg, options as never);
    for (const method of [undefined, null, 5, "", {}])
      assert.equal(await codeOf(call(method)), "RUNTIME_OPTIONS_INVALID");
    assert.throws(() => counter.cast(undefined as never), { code: "RUNTIME_OPTIONS_INVALID" });
    for (const options of [
      { timeout: 5 },
      100,
      null,
      { timeoutMs: -1 },
      { timeoutMs: Number.NaN },
      { timeoutMs: 2 ** 31 },
      { signal: {} },
      { id: 7 },
    ]) {
      assert.equal(await codeOf(call("add", 1, options)), "RUNTIME_OPTIONS_INVALID");
    }
    assert.equal(await counter.call("read"), 0);
    const module = new URL("https://example.com/x.agent.ts");
    assert.equal(await codeOf(runtime.spawn({ id: "x", module })), "RUNTIME_OPTIONS_INVALID");
  });

  it("refuses points in the past, forks, listeners and arbiters that are not what they should be", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (const at of ["clean", 5, {}, { label: "a", seq: 1 }, { lable: "a" }, undefined]) {
      assert.equal(await codeOf(counter.restore(at as never)), "RUNTIME_OPTIONS_INVALID");
    }
    for (const options of [undefined, {}, { id: "a b" }, { id: "x", at: "clean" }]) {
      assert.equal(await codeOf(counter.fork(options as never)), "RUNTIME_OPTIONS_INVALID");
    }
    assert.equal(await codeOf(counter.history(5 as never)), "RUNTIME_OPTIONS_INVALID");
    for (const label of ["", undefined, 5, "x".repeat(1_000)]) {
      assert.equal(await codeOf(counter.snapshot(label as never)), "VAULT_NAME_INVALID");
    }
    assert.throws(() => counter.monitor(undefined as never), { code: "RUNTIME_OPTIONS_INVALID" });
    assert.throws(() => runtime.subscribe("x" as never), { code: "RUNTIME_OPTIONS_INVALID" });
    assert.equal(await codeOf(Arbiter.start(undefined as never)), "EVOLUTION_OPTIONS_INVALID");
    assert.deepEqual(runtime.ids(), ["counter"]);
  });

  it("refuses oversized messages and replies", async (t) => {
    const runtime = await withRuntime(t, { limits: { messageBytesMax: 1_000, replyBytesMax: 1_000 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await codeOf(counter.call("echo", "x".repeat(2_000))), "SANDBOX_MESSAGE_TOO_LARGE");
    assert.equal(await codeOf(counter.call("large", 2_000)), "SANDBOX_REPLY_TOO_LARGE");
    assert.equal(await counter.call("add", 1), 1);
  });

  it("refuses when the mailbox is full, and everything accepted is answered", async (t) => {
    const runtime = await withRuntime(t, { limits: { mailboxMax: 10 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const results = await Promise.allSettled(Array.from({ length: 200 }, () => counter.call("add", 1)));
    const refused = results.filter((result) => result.status === "rejected");
    assert.ok(refused.length > 0);
    for (const { reason } of refused) assert.equal((reason as RuntimeError).code, "RUNTIME_MAILBOX_FULL");
    assert.equal(await counter.call("read"), 200 - refused.length);
  });

  it("gives up after its time, says whether the turn may have happened, and a late reply reaches nobody", async (t) => {
    const runtime = await withRuntime(t, { limits: { cpuMs: 300, wallMs: 300 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const busy = counter.call("loop", undefined, { timeoutMs: 50 });
    const behind = counter.call("add", 1, { timeoutMs: 10_000 });
    const error = (await busy.catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(error.code, "RUNTIME_CALL_TIMEOUT");
    assert.equal(error.details["mayHaveHappened"], true);
    assert.equal(await behind, 1);
  });

  it("can be called off by a signal", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    assert.equal(await codeOf(counter.call("add", 1, { signal: AbortSignal.abort() })), "RUNTIME_CALL_ABORTED");
    assert.equal(await counter.call("read"), 0);
  });

  it("is refused once the runtime is closed", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await runtime.close();
    assert.equal(await codeOf(counter.call("read")), "RUNTIME_CLOSED");
    assert.equal(await codeOf(runtime.spawn({ id: "late", source: COUNTER })), "RUNTIME_CLOSED");
  });

  it("to propose is refused without an arbiter", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const error = (await counter.call("propose", "x").catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(error.details["code"], "RUNTIME_CAPABILITY_MISSING");
  });
});

describe("a turn that writes what the vault does not take", () => {
  const WRITER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: (): Record<string, number> => ({}),
  on: {
    put(ctx, key: string) { ctx.state[key] = 1; },
    mark: (ctx, label: string) => ctx.checkpoint(label),
    keys: (ctx) => Object.keys(ctx.state).length,
  },
});
`;

  it("fails by itself: its agent is not restarted", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER });
    for (const key of ["k".repeat(511), "k".repeat(512), `${"é".repeat(255)}k`, ""]) {
      assert.equal(await codeOf(writer.call("put", key)), "RUNTIME_HANDLER_THREW");
    }
    await writer.call("put", "k".repeat(510));
    await writer.call("put", "é".repeat(255));
    assert.equal(await codeOf(writer.call("mark", "")), "RUNTIME_HANDLER_THREW");
    assert.equal(await codeOf(writer.call("mark", "l".repeat(257))), "SANDBOX_MESSAGE_TOO_LARGE");
    await writer.call("mark", "l".repeat(256));
    assert.equal(await writer.call("keys"), 2);
    assert.equal((await writer.info()).restarts, 0);
  });
});
