/** Agents whose turns overrun their time again and again run behind all others, in a lane that they share with their like. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Runtime, type AgentRef } from "../../runtime/index.ts";
import { isOverrun } from "../../runtime/suspicion.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

const LIMITS = { cpuMs: 20, wallMs: 40 };

async function open(t: TestContext): Promise<Runtime> {
  const folder = mkdtempSync(join(tmpdir(), "planaria-held-"));
  const runtime = await Runtime.open({ vault: join(folder, "vault"), durability: "memory", cells: 1 });
  t.after(async () => {
    await runtime.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return runtime;
}

const spawn = (runtime: Runtime, id: string): Promise<AgentRef> =>
  runtime.spawn({ id, source: COUNTER, limits: LIMITS, intensity: 100, quarantineDeaths: 100 });

/** Ended by its limit, and up again. */
async function overrun(agent: AgentRef): Promise<void> {
  assert.match(await codeOf(agent.call("loop", undefined, { timeoutMs: 30_000 })), /^SANDBOX_(CPU|WALL)_EXCEEDED$/);
  assert.equal(typeof (await agent.call("read")), "number");
}

const residents = (runtime: Runtime): readonly number[] =>
  runtime
    .cells()
    .map((cell) => cell.residents)
    .filter((count) => count > 0)
    .toSorted((a, b) => a - b);

describe("an agent whose turns overrun their time", () => {
  it("stays where it is the first time, and shares a cell with its like from the second on", async (t) => {
    const runtime = await open(t);
    const healthy = await spawn(runtime, "healthy");
    const [first, second] = [await spawn(runtime, "first"), await spawn(runtime, "second")];
    await first.call("add", 3);
    await overrun(first);
    assert.deepEqual(residents(runtime), [3]);
    await overrun(first);
    assert.deepEqual(residents(runtime), [1, 2]);
    await overrun(second);
    await overrun(second);
    assert.deepEqual(residents(runtime), [1, 2]);
    assert.equal(await first.call("add", 1), 4);
    assert.equal(await healthy.call("add", 1), 1);
  });

  it("overran its time on the CPU or on the clock; a heap that is full is something else", () => {
    const limit = (code: string) => isOverrun({ name: "limit", code, message: "" });
    assert.deepEqual(["SANDBOX_CPU_EXCEEDED", "SANDBOX_WALL_EXCEEDED", "SANDBOX_HEAP_EXCEEDED"].map(limit), [
      true,
      true,
      false,
    ]);
    assert.equal(isOverrun({ name: "fault", code: "SANDBOX_CPU_EXCEEDED", message: "" }), false);
  });
});
