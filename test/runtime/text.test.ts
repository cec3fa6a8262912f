/** The text of a definition: given at spawn, read as `ctx.text`, and part of what the agent was at each point in time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile } from "../../sandbox/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf } from "../support/agents.ts";

const READER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ asked: 0 }),
  on: {
    text: { reads: true, handle: (ctx) => ctx.text },
    ask(ctx) { ctx.state.asked += 1; return ctx.text + ctx.state.asked; },
  },
});
`;

describe("the text of an agent", () => {
  it("is what spawn was given, the empty text without one, and survives a crash", async (t) => {
    const runtime = await withRuntime(t);
    const reader = await runtime.spawn({ id: "reader", source: READER, text: "be kind\n---\nüñ" });
    const plain = await runtime.spawn({ id: "plain", source: READER });
    assert.deepEqual([await reader.call("text"), await plain.call("text")], ["be kind\n---\nüñ", ""]);
    await reader.kill();
    assert.equal(await reader.call("text"), "be kind\n---\nüñ");
  });

  it("goes with a fork and with an earlier point in time", async (t) => {
    const runtime = await withRuntime(t);
    const reader = await runtime.spawn({ id: "reader", source: READER, text: "first" });
    await reader.snapshot("then");
    await reader.stop();
    await runtime.spawn({ id: "reader", source: READER, text: "second" });
    const now = await reader.fork({ id: "now" });
    const old = await reader.fork({ id: "old", at: { label: "then" } });
    const texts = [await reader.call("text"), await now.call("text"), await old.call("text")];
    assert.deepEqual(texts, ["second", "second", "first"]);
    await reader.restore({ label: "then" });
    assert.equal(await reader.call("text"), "first");
  });

  it("is in the shadows that stand in for the agent as it was then", async (t) => {
    const runtime = await withRuntime(t);
    const reader = await runtime.spawn({ id: "reader", source: READER, text: "first" });
    await reader.call("ask");
    const control = runtime.control("reader");
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    await using shadow = await control.shadow({ artifact: control.code.artifact, at: { seq: turn.beforeSeq } });
    const { outcome } = await shadow.run(turn);
    assert.ok(outcome.kind === "done" && outcome.reply === JSON.stringify("first1"));
  });
});

describe("a swap that deploys", () => {
  it("changes settings and text between two messages, keeps state and queue, and is one entry of history", async (t) => {
    const runtime = await withRuntime(t);
    const reader = await runtime.spawn({ id: "reader", source: READER, text: "a" });
    await reader.call("ask");
    const control = runtime.control("reader");
    const { artifact, current } = control.code;
    const spec = { ...control.spec, text: "b", intensity: 0, limits: { ...control.spec.limits, mailboxMax: 7 } };
    const early = reader.call("ask");
    const swapping = control.swap({
      artifact,
      label: "before",
      profile: current.profile,
      deploy: { spec, originHash: current.originHash },
    });
    const late = reader.call("ask");
    assert.equal((await swapping).isMigrated, false);
    assert.deepEqual([await early, await late], ["a2", "b3"]);
    assert.deepEqual([control.spec.limits.mailboxMax, control.spec.text], [7, "b"]);
    await reader.kill();
    assert.equal((await reader.info()).status, "parked", "its new intensity is 0");
    await reader.revive();
    await reader.restore({ label: "before" });
    assert.equal(await reader.call("ask"), "a3");
    assert.deepEqual([control.spec.limits.mailboxMax, control.spec.intensity], [1_000, 3]);
  });
});

describe("a roll-back", () => {
  it("gives way to what the owner deployed just before it", async (t) => {
    const runtime = await withRuntime(t);
    const reader = await runtime.spawn({ id: "reader", source: READER, text: "a" });
    const control = runtime.control("reader");
    const { artifact, current } = control.code;
    await using shadow = await control.shadow({ artifact, isAlone: true });
    const deploy = { spec: { ...control.spec, text: "b" }, originHash: current.originHash };
    const deploying = control.swap({ artifact, label: "before", deploy });
    const adopting = codeOf(control.adopt(shadow, { code: current, caughtUp: () => Promise.resolve() }));
    await deploying;
    assert.deepEqual([await adopting, await reader.call("text")], ["RUNTIME_SWAP_FAILED", "b"]);
  });
});

describe("what an artifact is made of", () => {
  it("is told while it is compiled, also what is missing", async () => {
    const seen: string[] = [];
    const source = 'import "./gone.ts"; import "./agents/lost"; export default 1;';
    const input = { source, name: "x.agent.ts", resolveFrom: import.meta.dirname };
    await assert.rejects(compile(input, { onFile: (path) => void seen.push(path) }), {
      code: "SANDBOX_MODULE_MISSING",
    });
    const names = seen.map((path) => path.slice(import.meta.dirname.length + 1));
    assert.deepEqual(names.toSorted(), ["agents/lost", "agents/lost.ts", "gone.ts", "gone.ts.ts"]);
  });
});
