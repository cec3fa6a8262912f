/**
 * Who lives with code on trial, and what its neighbours feel of it: shadows of one agent share cells, nobody else is ever with
 * them, and whoever loses a cell through another one's doing is told so.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentControl, Runtime, Shadow } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { TRIALS_PER_CELL } from "../../runtime/trial-cells.ts";
import { compile } from "../../sandbox/index.ts";
import type { Artifact } from "../../sandbox/index.ts";
import { COUNTER, codeOf } from "../support/agents.ts";
import { dropAll, reply, turnOf } from "../support/shadows.ts";

/** As the counter, and one method that V8 cannot interrupt: it looks at a length once too often for the guard rails. */
const CULPRIT = COUNTER.replace(
  "on: {",
  `on: {
    stuck() { let looks = 0; return Array.prototype.every.call({ get length() { return looks++ === 0 ? 1 : 2 ** 53 - 1; } }, Boolean); },`,
);
const STUCK_AT_LOAD = `let looks = 0;
Array.prototype.every.call({ get length() { return looks++ === 0 ? 1 : 2 ** 53 - 1; } }, Boolean);
${COUNTER}`;

async function compiled(source: string): Promise<Artifact> {
  return await compile({ source, name: "candidate.agent.ts" });
}

/** Shadows in each cell that has residents and no live agent. */
function trialCells(runtime: Runtime, live: ReadonlySet<string>): readonly number[] {
  return runtime
    .cells()
    .filter(({ id, residents }) => residents > 0 && !live.has(id))
    .map(({ residents }) => residents);
}

describe("shadows of one agent", () => {
  it("share cells with each other, 25 to a cell, and never with live agents or other agents' shadows", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const live = new Set<string>();
    for (const id of ["a", "b"]) {
      const agent = await runtime.spawn({ id, source: COUNTER, profile: "hardened" });
      await agent.call("add", 1);
      live.add((await agent.info()).cell ?? "");
    }
    const [a, b] = [runtime.control("a"), runtime.control("b")];
    const { artifact } = a.code;
    const many = await Promise.all(Array.from({ length: TRIALS_PER_CELL + 3 }, () => a.shadow({ artifact })));
    assert.deepEqual(trialCells(runtime, live), [TRIALS_PER_CELL, 3]);
    const alone = await a.shadow({ artifact, isAlone: true });
    const trusted = await a.shadow({ artifact, profile: "trusted" });
    const other = await b.shadow({ artifact });
    assert.deepEqual(trialCells(runtime, live), [TRIALS_PER_CELL, 3, 1, 1, 1]);
    const later = await runtime.spawn({ id: "later", source: COUNTER, profile: "hardened" });
    assert.ok(live.has((await later.info()).cell ?? ""), "who comes later moves in with the living");
    // Each has a state of its own.
    const replies = await Promise.all(many.map((shadow, by) => shadow.run(turnOf("add", by))));
    assert.deepEqual(
      replies.map(reply),
      many.map((_, by) => by + 1),
    );
    assert.equal(await runtime.ref("a").call("read"), 1);
    await dropAll([...many, alone, trusted, other]);
    assert.deepEqual(trialCells(runtime, live), []);
  });
});

describe("a shadow", () => {
  it("begins a new life on what its fork has: what the code kept elsewhere is gone, what it wrote is there", async (t) => {
    const source = COUNTER.replace("export default", "let kept = 0;\nexport default").replace(
      "on: {",
      `on: { keep: () => ++kept, row(ctx, key) { ctx.table("rows").put(key, key); },`,
    );
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source });
    const control = runtime.control("counter");
    await using shadow = await control.shadow({ artifact: await compiled(source) });
    assert.deepEqual([reply(await shadow.run(turnOf("keep"))), reply(await shadow.run(turnOf("keep")))], [1, 2]);
    assert.equal(reply(await shadow.run(turnOf("add", 5))), 5);
    await shadow.run(turnOf("row", "one"));
    const [digest, state] = [await shadow.stateDigest(), [...shadow.state()]];
    assert.deepEqual(state, [
      ["state.count", "5"],
      ["state.last", '""'],
      ["table.rows.one", '"one"'],
    ]);
    await shadow.reload();
    assert.deepEqual([reply(await shadow.run(turnOf("keep"))), reply(await shadow.run(turnOf("read")))], [1, 5]);
    assert.deepEqual([await shadow.stateDigest(), [...shadow.state()]], [digest, state]);
    // The digest tells states apart, and nothing but states.
    await using twin = await control.shadow({ artifact: await compiled(source) });
    assert.notEqual(await twin.stateDigest(), digest);
    await twin.run(turnOf("row", "one"));
    await twin.run(turnOf("add", 5));
    assert.equal(await twin.stateDigest(), digest);
    assert.ok((shadow.heapBytes ?? 0) > 100_000, `${shadow.heapBytes} bytes`);
  });

  it("that exceeded a limit has no heap and no isolate until it is loaded again", async (t) => {
    const runtime = await withRuntime(t, { limits: { cpuMs: 50 } });
    await runtime.spawn({ id: "counter", source: COUNTER });
    const control = runtime.control("counter");
    await using shadow = await control.shadow({ artifact: control.code.artifact });
    const exceeded = await shadow.run(turnOf("loop"));
    assert.deepEqual([exceeded.outcome.kind, exceeded.heapBytes, exceeded.loss], ["exceeded", undefined, undefined]);
    const { outcome } = await shadow.run(turnOf("add", 1));
    assert.deepEqual([outcome.kind, shadow.heapBytes], ["lost", undefined]);
    await shadow.reload();
    assert.equal(reply(await shadow.run(turnOf("add", 1))), 1);
  });

  it("runs the turns it is given at once one after the other, each on what the one before wrote", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    const control = runtime.control("counter");
    await using shadow = await control.shadow({ artifact: control.code.artifact });
    const turns = await Promise.all(Array.from({ length: 20 }, () => shadow.run(turnOf("add", 1))));
    assert.deepEqual(
      turns.map(reply),
      turns.map((_, at) => at + 1),
    );
  });

  it("that is dropped while it loads, or while a turn waits, leaves nothing behind", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    const control = runtime.control("counter");
    const shadow = await control.shadow({ artifact: control.code.artifact });
    const reloading = codeOf(shadow.reload());
    const turn = shadow.run(turnOf("add", 1));
    await shadow.drop();
    assert.equal(await reloading, "SANDBOX_DISPOSED");
    assert.equal((await turn).outcome.kind, "lost");
    assert.equal((await shadow.run(turnOf("add", 1))).outcome.kind, "lost");
    assert.throws(() => [...shadow.state()], { code: "VAULT_BRANCH_UNKNOWN" });
    assert.ok(runtime.cells().every(({ residents }) => residents <= 1));
  });

  it("that shared its cell with code on trial never becomes the agent", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const control = runtime.control("counter");
    const { artifact, current } = control.code;
    await using shadow = await control.shadow({ artifact });
    await shadow.run(turnOf("add", 7));
    const adopting = control.adopt(shadow, { code: current, caughtUp: () => Promise.resolve() });
    assert.equal(await codeOf(adopting), "RUNTIME_SWAP_FAILED");
    assert.equal(await counter.call("read"), 0);
  });
});

describe("a cell that is lost with several shadows in it", () => {
  /** One that hangs its cell in earnest, and two that have nothing to do with it. */
  async function trio(
    t: TestContext,
  ): Promise<{ readonly control: AgentControl; readonly shadows: readonly Shadow[] }> {
    const runtime = await withRuntime(t, { cells: 1, limits: { cpuMs: 100, wallMs: 200 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    const control = runtime.control("counter");
    const artifacts = [await compiled(CULPRIT), control.code.artifact, control.code.artifact];
    const shadows = await Promise.all(artifacts.map((artifact) => control.shadow({ artifact })));
    return { control, shadows };
  }

  it("says to each whose doing it was, and each goes on from its fork", async (t) => {
    const { control, shadows } = await trio(t);
    for (const shadow of shadows) await shadow.run(turnOf("add", 1));
    const turns = await Promise.all([
      shadows[0]?.run(turnOf("stuck")),
      ...shadows.slice(1).map((shadow) => shadow.run(turnOf("add", 1))),
    ]);
    assert.deepEqual(
      turns.map((turn) => [turn?.outcome.kind, turn?.loss?.isOwnDoing, turn?.loss?.isAlone, turn?.loss?.exit.reason]),
      [
        ["lost", true, false, "stuck"],
        ["lost", false, false, "stuck"],
        ["lost", false, false, "stuck"],
      ],
    );
    assert.deepEqual(turns[0]?.loss?.exit.suspects, [shadows[0]?.name]);
    for (const shadow of shadows) {
      await shadow.reload();
      assert.equal(reply(await shadow.run(turnOf("add", 1))), 3, "the lost turn wrote nothing");
    }
    // Tried alone there is no doubt.
    await using alone = await control.shadow({ artifact: await compiled(CULPRIT), isAlone: true });
    const { loss } = await alone.run(turnOf("stuck"));
    assert.deepEqual([loss?.isOwnDoing, loss?.isAlone], [true, true]);
  });

  it("blames nobody where somebody killed the process", async (t) => {
    const { shadows } = await trio(t);
    const turns = shadows.map((shadow) => shadow.run(turnOf("loop")));
    process.kill(shadows[0]?.cell?.pid ?? assert.fail(), "SIGKILL");
    for (const { outcome, loss } of await Promise.all(turns))
      assert.deepEqual([outcome.kind, loss?.isOwnDoing], ["lost", false]);
  });

  it("while they load is lost to the one that costs it alone; the others load", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, limits: { loadMs: 300, wallMs: 300 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const control = runtime.control("counter");
    const artifacts = [control.code.artifact, await compiled(STUCK_AT_LOAD), control.code.artifact];
    const [first, second, third] = await Promise.allSettled(artifacts.map((artifact) => control.shadow({ artifact })));
    assert.ok(first?.status === "fulfilled" && third?.status === "fulfilled");
    assert.equal(second?.status === "rejected" && (second.reason as { code: string }).code, "SANDBOX_CELL_LOST");
    for (const { value } of [first, third]) {
      // They may have been loaded before the cell was lost.
      const { loss } = await value.run(turnOf("read"));
      assert.notEqual(loss?.isOwnDoing, true);
      await value.reload();
      assert.equal(reply(await value.run(turnOf("add", 1))), 1);
    }
    await dropAll([first.value, third.value]);
    assert.equal(await counter.call("add", 1), 1);
  });
});
