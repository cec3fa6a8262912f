/** Code that an agent brings along is hostile text to a compiler, too: it costs its author an answer, and nobody else anything. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import type { RuntimeError } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { commandOf, descendantsOf } from "../support/processes.ts";

const AUTHOR = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    bear: (ctx, options) => ctx.spawn(options),
    add: (ctx, by: number) => (ctx.state.count += by),
  },
});
`;

/** The code of what a handler was refused. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = (await call.then(
    () => assert.fail("it was answered"),
    (thrown: unknown) => thrown,
  )) as RuntimeError; // calls reject with nothing else
  return error.details["code"];
}

describe("a source that an agent brings along", () => {
  it("that no compiler survives costs nobody but its author anything", async (t) => {
    const runtime = await withRuntime(t);
    const author = await runtime.spawn({ id: "author", source: AUTHOR });
    const other = await runtime.spawn({ id: "other", source: AUTHOR });
    const bomb = refusal(author.call("bear", { id: "bomb", source: "[".repeat(900_000) }));
    for (let count = 1; count <= 20; count += 1) assert.equal(await other.call("add", 1), count);
    assert.equal(await bomb, "SANDBOX_COMPILE_FAILED");
    await runtime.spawn({ id: "later", source: AUTHOR.replace("count: 0", "count: 1") });
    assert.equal(
      await author.call("bear", { id: "child", source: AUTHOR.replace("count: 0", "count: 2") }),
      "author/child",
    );
    assert.equal(await runtime.ref("author/child").call("add", 1), 3);
  });

  it("reads no file of this machine by a path that it makes up", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "planaria-secret-"));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, ".env"), "KEY=1");
    const runtime = await withRuntime(t);
    const author = await runtime.spawn({ id: "author", source: AUTHOR });
    const path = `${relative(process.cwd(), folder)}/.e`;
    const source = `export default { version: 1, state: () => ({}), on: {
      read: async (_ctx, end) => (await import("./${path}" + end, { with: { type: "text" } })).default,
    } };`;
    assert.equal(await refusal(author.call("bear", { id: "reader", source })), "SANDBOX_COMPILE_FAILED");
    assert.deepEqual(runtime.ids(), ["author"]);
  });

  it(
    "leaves no process of a compiler to a runtime that was closed",
    { skip: process.platform !== "linux" && "reads /proc" },
    async (t) => {
      const runtime = await withRuntime(t);
      const author = await runtime.spawn({ id: "author", source: AUTHOR });
      await author.call("bear", { id: "child", source: AUTHOR.replace("count: 0", "count: 9") });
      const compilers = (): number =>
        descendantsOf(process.pid).filter((pid) => commandOf(pid).includes("compiler-")).length;
      assert.ok(compilers() > 0);
      await runtime.close();
      assert.equal(compilers(), 0);
    },
  );
});
