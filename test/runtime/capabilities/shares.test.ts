/** What agents have in common with their subagents: the quota of a grant that is passed on, and their part of the record. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RuntimeError } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { Refused } from "../../support/host-agent.ts";
import { capabilityOf, HOST_AGENT } from "../../support/host-agent.ts";
import { tempFolder } from "../../support/temp-vault.ts";

/** An agent that calls through one subagent after the other, each below the one of `depth` before. */
const SPAWNER = HOST_AGENT.replace(
  "on: {",
  `on: {
    async through(ctx, [ids, options]) {
      const seen = [];
      for (const id of ids) {
        const child = await ctx.spawn({ id, ...options });
        seen.push(await ctx.call(child, "try", ["tool", "whose"]));
        await ctx.stop(child);
      }
      return seen;
    },`,
);
const tool = capabilityOf("tool", { whose: async ({ agent, owner }) => `${agent} for ${owner}` });
const capabilities = [tool];
const once = { tool: { quota: { callsPerMinute: 1 } } };
const codeOf = (seen: unknown): unknown => (Array.isArray(seen) ? seen[0] : (seen as Refused).code); // what `try` answers

describe("the quota of a grant", () => {
  it("is one for the agent that has it and all to whom it is passed on", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const agent = await runtime.spawn({ id: "a", source: SPAWNER, host: once });
    const seen = (await agent.call("through", [["c0", "c1", "c2"], { host: ["tool"] }])) as unknown[]; // a list
    assert.deepEqual(seen.map(codeOf), ["a/c0 for a", "RUNTIME_CAPABILITY_QUOTA", "RUNTIME_CAPABILITY_QUOTA"]);
    assert.equal(codeOf(await agent.call("try", ["tool", "whose"])), "RUNTIME_CAPABILITY_QUOTA");
  });

  it("is that of the first who had it, however far it was passed on, and after the program began anew", async (t) => {
    const vault = tempFolder(t);
    const first = await withRuntime(t, { capabilities, vault });
    const agent = await first.spawn({ id: "a", source: SPAWNER, host: once });
    await agent.call("spawn", { id: "b", host: ["tool"] });
    await first.ref("a/b").call("spawn", { id: "c", source: SPAWNER, host: ["tool"] });
    await first.close();
    const second = await withRuntime(t, { capabilities, vault });
    assert.deepEqual(await second.ref("a/b/c").call("try", ["tool", "whose"]), ["a/b/c for a"]);
    assert.equal(codeOf(await second.ref("a/b").call("try", ["tool", "whose"])), "RUNTIME_CAPABILITY_QUOTA");
    const fork = await second.ref("a/b/c").fork({ id: "fork" });
    assert.deepEqual(await fork.call("try", ["tool", "whose"]), ["fork for fork"], "it stands alone");
  });

  it("of a definition is each agent's own, and that of those to whom it passes it on", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    runtime.define("worker", { source: SPAWNER, host: once });
    const agent = await runtime.spawn({ id: "a", source: SPAWNER, host: once });
    assert.deepEqual(await agent.call("through", [["x", "y"], { definition: "worker", host: ["tool"] }]), [
      ["a/x for a/x"],
      ["a/y for a/y"],
    ]);
    await agent.call("spawn", { id: "w", definition: "worker" });
    const seen = (await runtime.ref("a/w").call("through", [["c0", "c1"], { host: ["tool"] }])) as unknown[]; // a list
    assert.deepEqual(seen.map(codeOf), ["a/w/c0 for a/w", "RUNTIME_CAPABILITY_QUOTA"]);
  });
});

describe("the record of all agents", () => {
  it("is not emptied by one with many subagents: what another did is not done again", async (t) => {
    let calls = 0;
    const counted = capabilityOf("tool", { whose: async () => ++calls });
    const runtime = await withRuntime(t, { capabilities: [counted], audit: { countMax: 4 } });
    const source = `export default { version: 1, state: () => ({}), on: { do: async (ctx) => {
      throw new Error(String(await ctx.host.tool.whose()));
    } } };`;
    const careful = await runtime.spawn({ id: "a", source, host: { tool: {} } });
    const loud = await runtime.spawn({ id: "b", source: SPAWNER, host: { tool: {} } });
    const once = (): Promise<void> =>
      assert.rejects(careful.call("do", undefined, { id: "once" }), ({ details }: RuntimeError) => {
        assert.equal(details["message"], "1");
        return true;
      });
    await once();
    await loud.call("through", [["c0", "c1", "c2", "c3", "c4", "c5"], { host: ["tool"] }]);
    await once();
    assert.equal(calls, 7);
    assert.deepEqual(
      runtime.audit().map(({ agent }) => agent),
      ["a", "b/c3", "b/c4", "b/c5"],
    );
  });
});
