/**
 * Agents that agents start: they live with their parent, answer as everybody else, and are gone with it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentRef, Runtime, RuntimeError, RuntimeOptions } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";
import type { TestScope } from "../../runtime/testing.ts";

/** Starts what it is told to start, calls what it is told to call. */
const PARENT = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0, text: "" }),
  on: {
    async bear(ctx, options) { return await ctx.spawn(options); },
    async bearThenThrow(ctx, options) { await ctx.spawn(options); throw new RangeError("after"); },
    async end(ctx, child: string) { await ctx.stop(child); return "gone"; },
    async killChild(ctx, child: string) { await ctx.kill(child); },
    async replace(ctx, id: string) {
      const child = await ctx.spawn({ id });
      await ctx.call(child, "add", 7);
      await ctx.stop(child);
      return await ctx.call(await ctx.spawn({ id }), "add", 1);
    },
    async add(ctx, by: number) { return (ctx.state.count += by); },
    async relay(ctx, to: { agent: string; method: string; arg: unknown }) { return await ctx.call(to.agent, to.method, to.arg); },
    fail(ctx) { throw new RangeError("on purpose"); },
    loop() { for (;;); },
    hang: (ctx) => ctx.propose(""),
    who: (ctx) => ctx.self.id,
    leave(ctx, reason: string) { ctx.exit(reason); return "bye"; },
    words: (ctx) => ctx.state.text,
  },
  stop(ctx, reason) { ctx.state.text = reason; ctx.log.info("last words of " + ctx.self.id); },
});
`;

async function parent(
  t: TestScope,
  options: Omit<RuntimeOptions, "vault"> = {},
): Promise<{ readonly runtime: Runtime; readonly top: AgentRef }> {
  const runtime = await withRuntime(t, options);
  return { runtime, top: await runtime.spawn({ id: "top", source: PARENT }) };
}

/** Resolves when all below (and, by `ctx.stop`, this agent) are gone. */
function ended(runtime: Runtime, agent: string): Promise<unknown> {
  return eventOf(runtime, (event) => event.type === "subagents.ended" && event.agent === agent);
}

/** How the runtime refused what a handler asked for. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = (await call.catch((thrown: unknown) => thrown)) as RuntimeError;
  return error.code === "RUNTIME_HANDLER_THREW" ? error.details["code"] : error.code;
}

describe("a subagent", () => {
  it("is called by its parent's name and its own, runs its parent's code with a state of its own, and remembers", async (t) => {
    const { runtime, top } = await parent(t);
    await top.call("add", 5);
    assert.equal(await top.call("bear", { id: "w" }), "top/w");
    const child = runtime.ref("top/w");
    assert.equal(await child.call("who"), "top/w");
    assert.equal(await child.call("add", 1), 1);
    assert.equal(await top.call("relay", { agent: "top/w", method: "add", arg: 1 }), 2);
    assert.equal(await child.call("bear", { id: "x" }), "top/w/x");
    assert.deepEqual(runtime.ids(), ["top", "top/w", "top/w/x"]);
  });

  it("may run a source, which sees no file and has no JIT, or what the program defined", async (t) => {
    const { runtime, top } = await parent(t);
    const source = PARENT.replace("on purpose", "in a source");
    await top.call("bear", { id: "s", source });
    assert.equal((await runtime.ref("top/s").info()).profile, "hardened");
    runtime.define("worker", { source: PARENT, limits: { heapMb: 16 } });
    await top.call("bear", { id: "d", definition: "worker" });
    const info = await runtime.ref("top/d").info();
    assert.deepEqual([info.profile, info.heapLimitBytes], ["trusted", 16 << 20]);
    const nosy = `import secret from "./package.json"; export default { version: 1, state: () => ({ secret }), on: {} };`;
    assert.equal(await refusal(top.call("bear", { id: "n", source: nosy })), "SANDBOX_COMPILE_FAILED");
    assert.equal(await refusal(top.call("bear", { id: "u", definition: "nobody" })), "RUNTIME_DEFINITION_UNKNOWN");
    assert.deepEqual(runtime.ids(), ["top", "top/d", "top/s"]);
  });

  it("is not started by options that make no sense", async (t) => {
    const { runtime, top } = await parent(t);
    for (const options of [
      {},
      { id: "a/b" },
      { id: "" },
      { id: "w", restart: "always" },
      { id: "w", intensity: -1 },
      { id: "w", source: PARENT, definition: "x" },
      { id: "w", limits: { heapMb: 4096 } },
      { id: "w".repeat(128), intensity: 1.5 },
    ])
      assert.equal(await refusal(top.call("bear", options)), "RUNTIME_OPTIONS_INVALID", JSON.stringify(options));
    assert.equal(await refusal(top.call("bear", { id: "w", source: "export default {}" })), "SANDBOX_LOAD_FAILED");
    assert.equal(await refusal(top.call("bear", { id: "w", source: "(" })), "SANDBOX_COMPILE_FAILED");
    assert.deepEqual(runtime.ids(), ["top"]);
    assert.throws(() => runtime.define("w", { source: PARENT, module: "x" }), { code: "RUNTIME_OPTIONS_INVALID" });
    assert.equal(await top.call("bear", { id: "w" }), "top/w", "a name that was refused is free");
  });

  it("has a name that nobody else has, and that is free as soon as it is gone", async (t) => {
    const { top } = await parent(t);
    await top.call("bear", { id: "w" });
    assert.equal(await refusal(top.call("bear", { id: "w" })), "RUNTIME_AGENT_EXISTS");
    await top.call("end", "top/w");
    assert.equal(await top.call("replace", "w"), 1, "the new one knows nothing of the one before");
  });

  it("is owned, though the turn that started it throws afterwards", async (t) => {
    const { runtime, top } = await parent(t);
    await assert.rejects(top.call("bearThenThrow", { id: "w" }), { code: "RUNTIME_HANDLER_THREW" });
    assert.deepEqual(runtime.ids(), ["top", "top/w"]);
    await top.stop();
    assert.deepEqual(runtime.ids(), ["top"]);
  });
});

describe("limits of subagents", () => {
  it("count the children of one agent, the generations, and the whole tree", async (t) => {
    const limits = { subagentsMax: 2, subagentDepthMax: 2, subtreeMax: 4 };
    const { runtime, top } = await parent(t, { limits });
    await top.call("bear", { id: "a" });
    await top.call("bear", { id: "b" });
    assert.equal(await refusal(top.call("bear", { id: "c" })), "RUNTIME_CHILDREN_EXCEEDED");
    const a = runtime.ref("top/a");
    await a.call("bear", { id: "x" });
    await a.call("bear", { id: "y" });
    assert.equal(await refusal(runtime.ref("top/b").call("bear", { id: "z" })), "RUNTIME_CHILDREN_EXCEEDED");
    assert.equal(await refusal(runtime.ref("top/a/x").call("bear", { id: "deep" })), "RUNTIME_DEPTH_EXCEEDED");
    await top.call("end", "top/a");
    assert.equal(await top.call("bear", { id: "c" }), "top/c", "what is gone counts no more");
    assert.equal(await runtime.ref("top/b").call("bear", { id: "z" }), "top/b/z");
  });

  it("keep a name within what the vault takes", async (t) => {
    const { runtime, top } = await parent(t);
    const id = "x".repeat(120);
    await top.call("bear", { id });
    assert.equal(await refusal(runtime.ref(`top/${id}`).call("bear", { id })), "RUNTIME_OPTIONS_INVALID");
  });
});

describe("a subagent that exits", () => {
  it("is gone with all below it, when nothing else is said", async (t) => {
    const { runtime, top } = await parent(t);
    await top.call("bear", { id: "w" });
    await runtime.ref("top/w").call("bear", { id: "x" });
    const gone = ended(runtime, "top/w");
    runtime.ref("top/w").cast("fail");
    await gone;
    assert.deepEqual(runtime.ids(), ["top"]);
    assert.equal(await codeOf(runtime.ref("top/w").call("who")), "RUNTIME_AGENT_UNKNOWN");
    assert.equal(await top.call("add", 1), 1, "its parent lives on");
  });

  it("starts again where it is permanent, or transient and failed, with what it remembers", async (t) => {
    const { runtime, top } = await parent(t);
    for (const restart of ["permanent", "transient"]) {
      await top.call("bear", { id: restart, restart });
      const child = runtime.ref(`top/${restart}`);
      await child.call("add", 3);
      await top.call("killChild", `top/${restart}`);
      assert.equal(await child.call("add", 1), 4);
    }
    const gone = eventOf(runtime, (event) => event.type === "agent.stopped" && event.agent === "top/transient");
    await runtime.ref("top/transient").call("leave", "shutdown:enough");
    await gone;
    assert.deepEqual(runtime.ids(), ["top", "top/permanent"]);
  });

  it("more often than its intensity is gone, and parks nobody", async (t) => {
    const { runtime, top } = await parent(t);
    await top.call("bear", { id: "w", restart: "permanent", intensity: 1 });
    const gone = eventOf(runtime, (event) => event.type === "agent.stopped" && event.agent === "top/w");
    runtime.ref("top/w").cast("fail");
    runtime.ref("top/w").cast("fail");
    await gone;
    assert.deepEqual(runtime.ids(), ["top"]);
    assert.equal(await top.call("bear", { id: "w" }), "top/w");
  });
});

describe("the end of a parent", () => {
  const ends: readonly (readonly [how: string, end: (top: AgentRef) => unknown])[] = [
    ["a fault", (top) => top.cast("fail")],
    ["a kill", (top) => top.kill()],
    ["a limit", (top) => top.call("loop").catch(() => undefined)],
    ["its own exit", (top) => top.call("leave", "normal")],
    ["a stop", (top) => top.stop()],
  ];
  for (const [how, end] of ends) {
    it(`is the end of all below it: ${how}`, async (t) => {
      const { runtime, top } = await parent(t);
      await top.call("bear", { id: "w", restart: "permanent" });
      await runtime.ref("top/w").call("bear", { id: "x" });
      const gone = ended(runtime, "top");
      await end(top);
      await gone;
      assert.deepEqual(runtime.ids(), ["top"]);
      await top.revive();
      assert.equal(await top.call("bear", { id: "w" }), "top/w");
    });
  }

  it("is not its re-homing: when its cell is lost, all of the family is there again", async (t) => {
    const { runtime, top } = await parent(t, { cells: 1 });
    await top.call("bear", { id: "w" });
    await runtime.ref("top/w").call("add", 2);
    const { cellPid } = await top.info();
    process.kill(cellPid ?? 0, "SIGKILL");
    await eventOf(runtime, (event) => event.type === "agent.rehomed" && event.agent === "top");
    assert.equal(await runtime.ref("top/w").call("add", 1), 3);
    assert.deepEqual(runtime.ids(), ["top", "top/w"]);
  });

  it("by drop takes them along, also those that sleep", async (t) => {
    const { runtime, top } = await parent(t);
    await top.call("bear", { id: "w" });
    await runtime.drop("top");
    assert.deepEqual(runtime.ids(), []);
    assert.equal(runtime.vaultStats().branches, 0);
  });
});

describe("who ends subagents", () => {
  it("is their own parent alone", async (t) => {
    const { runtime, top } = await parent(t);
    await top.call("bear", { id: "w" });
    await runtime.ref("top/w").call("bear", { id: "x" });
    await runtime.spawn({ id: "other", source: PARENT });
    for (const child of ["other", "top", "top/w/x", "top/none"])
      assert.equal(await refusal(top.call("end", child)), "RUNTIME_CHILD_UNKNOWN", child);
    assert.equal(await refusal(runtime.ref("other").call("killChild", "top/w")), "RUNTIME_CHILD_UNKNOWN");
    await assert.rejects(top.call("end", "w"), /w is no subagent of top; it is called top\/w/);
    assert.equal(await top.call("end", "top/w"), "gone");
    assert.deepEqual(runtime.ids(), ["other", "top"]);
  });
});
