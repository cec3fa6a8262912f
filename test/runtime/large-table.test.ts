/**
 * An agent whose tables are larger than its heap may ever be: filled, restarted, forked and restored under its cap, and
 * opened by reading only what is asked for. What is counted is pages read from the file, which no busy machine changes.
 *
 * `TABLE_MB=1024 node --test test/runtime/large-table.test.ts` is the long form.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import type ledger from "../fixtures/agents/ledger.agent.ts";

const TABLE_MB = Number(process.env["TABLE_MB"] ?? 96);
const HEAP_MB = 64;
/** What an isolate with this agent and a few rows in it takes. */
const HEAP_IDLE_BYTES = 8 << 20;
const ROW_BYTES = 4_096;
const ROWS = (TABLE_MB << 20) / ROW_BYTES;
/** Rows of one turn: 4 MiB, half of what a turn may write. */
const ROWS_PER_TURN = 1_024;
/** Levels of two trees, the agent's spec, code and state, and a leaf or two: whatever the size of the table. */
const PAGES_TO_FIRST_ROW = 16;

const module = new URL("../fixtures/agents/ledger.agent.ts", import.meta.url);
type Ledger = AgentRef<typeof ledger>;

const sumOf = (from: number, to: number): number => ((from + to - 1) * (to - from)) / 2;

/** Does `work` and returns how many pages it read. */
async function pagesOf(runtime: Runtime, work: () => Promise<void>): Promise<number> {
  const before = runtime.vaultStats().pageReads;
  await work();
  return runtime.vaultStats().pageReads - before;
}

async function fill(agent: Ledger): Promise<void> {
  for (let from = 0; from < ROWS; from += ROWS_PER_TURN) {
    await agent.call("fill", { from, count: ROWS_PER_TURN, bytes: ROW_BYTES });
  }
}

/** Adds up all rows, a part per turn. */
async function sumAll(agent: Ledger): Promise<number> {
  let sum = 0;
  const part = ROWS_PER_TURN * 4;
  for (let from = 0; from < ROWS; from += part) sum += await agent.call("sum", { from, to: from + part });
  return sum;
}

async function assertSmall(agent: Ledger): Promise<void> {
  const { heapBytes, restarts } = await agent.info();
  assert.ok(heapBytes < HEAP_IDLE_BYTES, `${heapBytes} bytes of heap`);
  assert.equal(restarts, 0);
}

async function openAndRead(t: TestContext, runtime: Runtime, label: string): Promise<void> {
  const agent = runtime.ref<typeof ledger>("ledger");
  const opened = await pagesOf(runtime, async () => assert.equal(await agent.call("at", ROWS - 1), ROWS - 1));
  await assertSmall(agent);
  const forked = await pagesOf(runtime, async () => {
    const fork = await agent.fork({ id: `fork-${label}` });
    await fork.call("fill", { from: 0, count: 1, bytes: 10 });
    assert.deepEqual([await fork.call("at", 0), await fork.call("at", ROWS / 2)], [0, ROWS / 2]);
    await assertSmall(fork);
  });
  const restored = await pagesOf(runtime, async () => {
    await agent.restore({ label: "full" });
    assert.equal(await agent.call("at", ROWS / 4), ROWS / 4);
    assert.deepEqual(
      await agent.call("newest", 2),
      [ROWS - 1, ROWS - 2].map((row) => String(row).padStart(9, "0")),
    );
    await assertSmall(agent);
  });
  t.diagnostic(
    `${label}: ${runtime.vaultStats().pages} pages; read: ${opened} open, ${forked} fork, ${restored} restore`,
  );
  assert.ok(runtime.vaultStats().pages > 40 * TABLE_MB, "the rows are in pages");
  for (const pages of [opened, forked, restored]) assert.ok(pages <= PAGES_TO_FIRST_ROW, `${pages} pages read`);
}

it(`${TABLE_MB} MB of rows live under a heap cap of ${HEAP_MB} MB, and opening them reads a few pages`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "planaria-table-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const open = { vault: join(folder, "vault"), durability: "os" } as const;
  {
    await using runtime = await Runtime.open(open);
    const limits = { heapMb: HEAP_MB, cpuMs: 10_000 };
    const agent: Ledger = await runtime.spawn<typeof ledger>({ id: "ledger", module, limits });
    await fill(agent);
    await agent.snapshot("full");
    await agent.kill();
    assert.equal(await agent.call("at", 1), 1);
    assert.equal((await agent.info()).restarts, 1);
  }
  {
    await using runtime = await Runtime.open(open);
    await openAndRead(t, runtime, "first");
    // Changed and erased rows lie over the others; the restore must not see them.
    const agent = runtime.ref<typeof ledger>("ledger");
    await agent.call("fill", { from: 0, count: ROWS_PER_TURN, bytes: 2_000 });
  }
  await using runtime = await Runtime.open(open);
  await openAndRead(t, runtime, "second");
  const agent = runtime.ref<typeof ledger>("ledger");
  assert.equal(await sumAll(agent), sumOf(0, ROWS));
  assert.equal((await agent.info()).restarts, 0);
});
