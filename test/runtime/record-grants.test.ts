/** `host:` in the front matter of a record: what a file grants its agent. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WatchedFolder } from "../support/watched-folder.ts";

describe("host: in a record", () => {
  it("grants, takes away, and is refused where it grants what there is not", async (t) => {
    const folder = await WatchedFolder.open(t);
    const save = (front: string): Promise<void> => folder.save("a.agent.md", `---\n${front}\n---\nBe kind.\n`);
    await folder.save(
      "a.agent.ts",
      `export default { version: 1, state: () => ({}), on: {
        grants: (ctx) => Object.keys(ctx.host),
        get: async (ctx, url) => { try { return await ctx.host.fetch(url); } catch ({ code }) { return code; } },
      } };`,
    );
    await save("host:\n  fetch: { allow: [https://example.org/] }");
    await folder.watch();
    const a = folder.runtime.ref("a");
    assert.deepEqual(await a.call("grants"), ["fetch"]);
    assert.equal(await a.call("get", "https://example.com/"), "RUNTIME_CAPABILITY_DENIED");
    for (const [front, code, said] of [
      ["host: { nothing: {} }", "RUNTIME_CAPABILITY_MISSING", /host\.nothing/],
      ["host: { fetch: { allow: 5 } }", "RUNTIME_OPTIONS_INVALID", /host\.fetch\.allow/],
      ["host: [fetch]", "RUNTIME_OPTIONS_INVALID", /host/],
    ] as const) {
      await save(front);
      const refusal = await folder.next("definition.refused", "a");
      assert.equal(refusal.code, code, front);
      assert.match(refusal.reason, said);
    }
    assert.deepEqual(await a.call("grants"), ["fetch"], "what was refused changed nothing");
    await save("intensity: 5");
    assert.deepEqual(await folder.applied("a"), ["settings"]);
    assert.deepEqual(await a.call("grants"), []);
    assert.equal(await a.call("get", "https://example.org/"), "RUNTIME_CAPABILITY_DENIED");
  });
});
