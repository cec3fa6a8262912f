/** A runtime that requires layers of protection opens where every cell really has them, and nowhere else. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime, type RuntimeError } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { cellBundle } from "../../sandbox/bundle.ts";
import { Cell, confirmedLayers, LAYER_NAMES } from "../../sandbox/index.ts";
import { findLayers } from "../../sandbox/layers.ts";
import { withoutBubblewrap } from "../sandbox/support.ts";
import { COUNTER } from "../support/agents.ts";

const skip = await withoutBubblewrap();

describe("a runtime that requires layers", { skip }, () => {
  it("opens where all of them work, and has them in each cell", async (t) => {
    const runtime = await withRuntime(t, { sandbox: { require: LAYER_NAMES } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, profile: "hardened" });
    assert.equal(await counter.call("add", 1), 1);
    for (const { pid } of runtime.cells()) assert.deepEqual(confirmedLayers(pid), LAYER_NAMES);
  });

  it("does not open where one is missing, says which and what to do, and leaves the vault to the next one", async (t) => {
    const vault = await mkdtemp(join(tmpdir(), "planaria-require-"));
    t.after(() => rm(vault, { recursive: true, force: true }));
    const layers = { ...(await findLayers()), prlimit: undefined };
    const bundle = await cellBundle();
    // What this machine would be like, were the program missing at the very start of a cell.
    const startCell = (options: Parameters<typeof Cell.start>[0]) => Cell.startWith(options, layers, bundle);
    const options = { vault, durability: "memory", sandbox: { require: ["rlimits"] } } as const;
    await assert.rejects(Runtime.open(options, { startCell }), (error: RuntimeError) => {
      assert.equal(error.code, "SANDBOX_LAYER_MISSING");
      assert.match(error.message, /rlimits is required.*What to do: install util-linux/);
      const { layer, advice } = error.details;
      assert.equal(layer, "rlimits");
      return String(advice).startsWith("install util-linux, which has prlimit");
    });
    await using runtime = await Runtime.open(options);
    assert.equal(runtime.ids().length, 0);
  });
});
