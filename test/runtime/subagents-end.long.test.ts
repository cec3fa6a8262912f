/**
 * The end of whole trees of subagents: in order, in one time, and with nothing left; also when the runtime ends in between.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import type { PlanariaEvent } from "../../runtime/index.ts";
import { Kinship } from "../../runtime/kinship.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { systemClock, systemFiles, Vault, VAULT_SETTINGS } from "../../vault/index.ts";
import { eventOf } from "../support/agents.ts";
import { FailingFiles } from "../support/failing-files.ts";

const TREE = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    async grow(ctx, ids: string[]) { for (const id of ids) await ctx.spawn({ id }); },
    async bear(ctx, options) { return await ctx.spawn(options); },
    async end(ctx, child: string) { await ctx.stop(child); },
    async endUnheard(ctx, child: string) { await ctx.call(child, "callBack"); },
    hang: (ctx) => ctx.propose(""),
    callUp: (ctx, up: string) => ctx.call(up, "hang"),
    ask: (ctx, other: string) => ctx.call(other, "hang"),
    add: (ctx, by: number) => (ctx.state.count += by),
  },
  stop(ctx) { ctx.log.info("last words"); },
});
`;
const LIMITS = { heapMb: 8, subagentsMax: 200, subagentDepthMax: 30, subtreeMax: 2_000 };

type Ended = Extract<PlanariaEvent, { readonly type: "subagents.ended" }>;

async function ended(runtime: Runtime, agent: string): Promise<Ended> {
  const event = await eventOf(runtime, (one) => one.type === "subagents.ended" && one.agent === agent);
  return event as Ended; // as just asked for
}

/** `width` chains of `depth` agents below `top`. */
async function chains(runtime: Runtime, width: number, depth: number): Promise<void> {
  const ids = Array.from({ length: width }, (_, index) => `c${index}`);
  await runtime.ref("top").call("grow", ids, { timeoutMs: Infinity });
  for (const id of ids)
    for (let at = 1, path = `top/${id}`; at < depth; at++, path += "/x") await runtime.ref(path).call("grow", ["x"]);
}

/** Agents in the order in which they said their last words. */
function lastWords(runtime: Runtime): readonly string[] {
  const said: string[] = [];
  runtime
    .subscribe(({ event }) => event.type === "agent.logged" && event.text === "last words" && said.push(event.agent), {
      after: 0,
    })
    .unsubscribe();
  return said;
}

describe("a tree of subagents that ends", () => {
  for (const how of ["stop", "kill"] as const) {
    it(`by ${how} leaves nothing: no agent, no branch, no isolate, and takes one commit`, async (t) => {
      const runtime = await withRuntime(t, { limits: LIMITS, agentsPerCell: 100 });
      const top = await runtime.spawn({ id: "top", source: TREE, restart: "temporary" });
      await chains(runtime, 3, 20);
      assert.equal(runtime.vaultStats().branches, 61);
      const before = runtime.vaultStats().seq;
      if (how === "stop") await top.stop();
      else await top.kill();
      const { agents, killed } = await ended(runtime, "top");
      assert.deepEqual([agents, killed], [60, how === "stop" ? 0 : 60]);
      assert.deepEqual(runtime.ids(), ["top"]);
      assert.equal(runtime.vaultStats().branches, 1);
      assert.equal(runtime.vaultStats().seq - before, 1);
      assert.deepEqual(
        runtime.tree().children.map(({ id }) => id),
        ["top"],
      );
      assert.equal(
        runtime.cells().reduce((sum, { residents }) => sum + residents, 0),
        0,
      );
      const said = lastWords(runtime);
      assert.equal(said.length, how === "stop" ? 61 : 0);
      for (const [index, agent] of said.entries())
        assert.ok(
          !said.slice(index + 1).some((later) => later.startsWith(`${agent}/`)),
          `${agent} before its children`,
        );
    });
  }

  it("holds nobody for one that is blocked: the others are gone at once, and it within the time", async (t) => {
    const runtime = await withRuntime(t, { limits: LIMITS });
    const top = await runtime.spawn({ id: "top", source: TREE, shutdownMs: 300 });
    runtime.provide("propose", () => new Promise(() => undefined)); // never answered
    await top.call("grow", ["a", "blocked", "z"]);
    await runtime.ref("top/blocked").call("grow", ["below"]);
    runtime.ref("top/blocked").cast("hang");
    const blocked = runtime.ref("top/blocked").call("add", 1);
    const gone = assert.rejects(blocked, { code: "RUNTIME_AGENT_DOWN" });
    await top.stop();
    await gone;
    const { agents, killed } = await ended(runtime, "top");
    assert.deepEqual([agents, killed], [4, 1]);
    assert.deepEqual(lastWords(runtime).toSorted(), ["top", "top/a", "top/blocked/below", "top/z"]);
    assert.deepEqual(runtime.ids(), ["top"]);
  });

  it("holds nobody for one that never returns: its siblings have stopped before it is killed", async (t) => {
    const runtime = await withRuntime(t, { limits: { ...LIMITS, cpuMs: 20_000, wallMs: 20_000 } });
    const top = await runtime.spawn({ id: "top", source: TREE, shutdownMs: 300 });
    runtime.define("loop", {
      source: `export default { version: 1, state: () => ({}), on: { loop() { for (;;); } } }`,
    });
    for (const id of ["a", "loops", "z"]) await top.call("bear", { id, definition: "loop" });
    runtime.ref("top/loops").cast("loop");
    await top.stop();
    const { agents, killed } = await ended(runtime, "top");
    assert.deepEqual([agents, killed], [3, 1]);
    const stopped: string[] = [];
    runtime.subscribe(({ event }) => event.type === "agent.stopped" && stopped.push(event.agent), { after: 0 });
    assert.deepEqual(stopped, ["top/z", "top/a", "top/loops", "top"]);
  });

  it("does not wait for answers that its own members owe each other, or that their parent owes them", async (t) => {
    const runtime = await withRuntime(t, { limits: LIMITS });
    const top = await runtime.spawn({ id: "top", source: TREE, shutdownMs: "infinity" });
    await top.call("bear", { id: "w", shutdownMs: "infinity" });
    await runtime.ref("top/w").call("grow", ["x"]);
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<string>();
    runtime.provide("propose", () => (asked.resolve(), answer.promise));
    // The outside holds up the top; w waits for the top, x for w.
    const held = top.call("hang");
    await asked.promise;
    const callUp = runtime.ref("top/w").call("callUp", "top");
    const up = assert.rejects(callUp, { code: "RUNTIME_HANDLER_THREW" });
    const ask = assert.rejects(runtime.ref("top/w/x").call("ask", "top/w"), { code: /RUNTIME_/ });
    const end = top.call("end", "top/w");
    answer.resolve('"go on"');
    await Promise.all([held, up, ask, end]);
    assert.deepEqual(runtime.ids(), ["top"]);
  });

  it("takes nobody new: who spawns meanwhile is refused", async (t) => {
    const runtime = await withRuntime(t, { limits: LIMITS });
    const top = await runtime.spawn({ id: "top", source: TREE });
    await top.call("grow", ["w"]);
    const growing = runtime.ref("top/w").call(
      "grow",
      Array.from({ length: 150 }, (_, index) => `n${index}`),
    );
    const refused = assert.rejects(growing);
    await eventOf(runtime, (one) => one.type === "agent.spawned" && one.agent === "top/w/n0");
    await top.stop();
    await refused;
    assert.deepEqual(runtime.ids(), ["top"]);
    assert.equal(runtime.vaultStats().branches, 1);
  });

  it("begins with nobody while the runtime closes, and no agent is told as failed for it", async (t) => {
    const runtime = await withRuntime(t, { limits: LIMITS });
    const failed: string[] = [];
    runtime.subscribe(({ event }) => {
      if (event.type === "agent.exited" && event.reason.name !== "shutdown") failed.push(event.agent);
    });
    const top = await runtime.spawn({ id: "top", source: TREE });
    const grown = top
      .call(
        "grow",
        Array.from({ length: 50 }, (_, index) => `c${index}`),
      )
      .catch(() => undefined);
    await eventOf(runtime, (event) => event.type === "agent.started" && event.agent === "top/c0");
    await Promise.all([runtime.close(), grown]);
    assert.deepEqual(failed, []);
  });

  it("takes along what was just being started", async (t) => {
    const runtime = await withRuntime(t, { limits: LIMITS });
    const top = await runtime.spawn({ id: "top", source: TREE });
    const growing = top.call("grow", ["a", "b", "c"]).catch(() => undefined); // killed on the way
    await eventOf(runtime, (one) => one.type === "agent.spawned" && one.agent === "top/a");
    await top.kill();
    await growing;
    await top.call("add", 1);
    await top.call("grow", ["b"]);
    assert.deepEqual(runtime.ids(), ["top", "top/b"]);
  });
});

describe("a tree that cannot be dropped, because the disk is full", () => {
  it("has ended all the same, sleeps in the vault, and goes with the next end of its parent", async (t) => {
    const files = new FailingFiles(systemFiles);
    const runtime = await withRuntime(t, { limits: LIMITS, durability: "disk" }, { files });
    const top = await runtime.spawn({ id: "top", source: TREE });
    await top.call("grow", ["w"]);
    await runtime.ref("top/w").call("grow", ["x"]);
    await runtime.ref("top/w/x").call("add", 3);
    files.plan = (_no, operation) => (operation === "write" ? { code: "ENOSPC" } : undefined);
    const failed = eventOf(runtime, (one) => one.type === "commit.failed");
    await top.kill();
    await failed;
    files.plan = () => undefined;
    assert.equal(await runtime.ref("top/w/x").call("add", 1), 4, "nothing acknowledged is lost");
    assert.deepEqual(runtime.ids(), ["top", "top/w", "top/w/x"]);
    assert.equal(await top.call("add", 1), 1);
    await top.stop();
    assert.deepEqual(runtime.ids(), ["top"]);
    assert.equal(runtime.vaultStats().branches, 1);
  });
});

describe("subagents and the end of the runtime", () => {
  it("sleep in the vault with their parent, and still belong to it", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const vault = join(folder, "vault");
    await using first = await Runtime.open({ vault, limits: LIMITS });
    const top = await first.spawn({ id: "top", source: TREE });
    await top.call("grow", ["w"]);
    await first.ref("top/w").call("grow", ["x"]);
    await first.ref("top/w/x").call("add", 5);
    await first.close();
    await using second = await Runtime.open({ vault, limits: LIMITS });
    assert.deepEqual(second.ids(), ["top", "top/w", "top/w/x"]);
    assert.equal(await second.ref("top/w/x").call("add", 1), 6);
    await assert.rejects(second.ref("top").call("grow", ["w"]), { code: "RUNTIME_HANDLER_THREW" });
    await second.ref("top").kill();
    await ended(second, "top");
    assert.deepEqual(second.ids(), ["top"]);
    await second.ref("top").call("grow", ["w"]);
  });

  it("without an owner, or half made, are swept when a runtime opens; children of supervisors are not", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "vault");
    await using before = await Runtime.open({ vault: path, limits: LIMITS });
    for (const id of ["lost", "kept"]) await before.spawn({ id, source: TREE });
    await before.ref("lost").call("grow", ["w"]);
    await before.ref("lost/w").call("grow", ["x"]);
    await before.ref("kept").call("grow", ["w"]);
    await before.close();
    const vault = await Vault.open({
      ...VAULT_SETTINGS,
      path,
      durability: "disk",
      clock: systemClock,
      onEvent: () => undefined,
    });
    const lost = vault.head("lost")?.id;
    assert.ok(lost !== undefined);
    const spec = JSON.stringify({ ...LIMITS, id: "kept/half", parent: "kept" });
    vault.create({ name: "kept/half", ops: [{ put: "a:spec", value: Buffer.from(spec) }] });
    vault.create({ name: "pool/a", ops: [{ put: "a:spec", value: Buffer.from('{"id":"pool/a"}') }] });
    const free = { type: "name", name: "lost", branch: undefined } as const;
    await vault.commit([free, { type: "drop", branch: lost }]).durable;
    await vault.close();
    await using after = await Runtime.open({ vault: path, limits: LIMITS });
    assert.deepEqual(after.ids(), ["kept", "kept/w", "pool/a"]);
    const swept: string[] = [];
    after.subscribe(({ event }) => event.type === "subagent.orphaned" && swept.push(event.agent), { after: 0 });
    assert.deepEqual(swept, ["kept/half", "lost/w", "lost/w/x"]);
    assert.equal(await after.ref("kept/w").call("add", 1), 1);
  });

  it("by kill -9 at any moment leave what somebody owns, and nothing else", async (t) => {
    for (const events of [5, 14, 27]) {
      const folder = await mkdtemp(join(tmpdir(), "planaria-test-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const vault = join(folder, "vault");
      await killedGuardian(vault, events);
      await using runtime = await Runtime.open({ vault, limits: LIMITS, osSandbox: "off" });
      const ids = new Set(runtime.ids());
      for (const id of ids) {
        const parent = id.slice(0, Math.max(0, id.lastIndexOf("/")));
        assert.ok(parent === "" || ids.has(parent), `${id} has no parent among ${[...ids].join(" ")}`);
      }
      // Everybody who is there is whole: it answers, and goes with its parent.
      for (const id of ids) assert.equal(await runtime.ref(id).call("add", 1), 1, id);
      if (ids.has("top")) await runtime.drop("top");
      assert.equal(runtime.vaultStats().branches, 0);
    }
  });
});

/** A process that grows and cuts down a tree, and is killed at its n-th event. */
async function killedGuardian(vault: string, events: number): Promise<void> {
  const child = fork(join(import.meta.dirname, "../fixtures/growing-guardian.ts"), [vault, String(events)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exit = Promise.withResolvers<void>();
  child.once("exit", () => exit.resolve());
  child.once("message", () => child.kill("SIGKILL"));
  await exit.promise;
}

describe("who is whose subagent", () => {
  it("is counted for the root of a tree, and nothing is left when all are gone", () => {
    const kin = new Kinship();
    const first = kin.add("a/b");
    kin.add("a/b/c");
    kin.add("a/d");
    assert.equal(kin.add("a/b"), first, "who is here is not born again");
    assert.deepEqual(kin.descendants("a"), ["a/b/c", "a/d", "a/b"]);
    assert.deepEqual([kin.root("a/b/c"), kin.depth("a/b/c"), kin.depth("a"), kin.count("a")], ["a", 2, 0, 3]);
    for (const path of kin.descendants("a")) kin.remove(path);
    kin.remove("a/b");
    assert.deepEqual([kin.count("a"), kin.descendants("a"), kin.has("a/b")], [0, [], false]);
    assert.notEqual(kin.add("a/b"), first, "a name that is used again is somebody else");
  });
});
