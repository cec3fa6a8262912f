/**
 * Kept traffic of real agents: what is there after the program ended, and what becomes of it where its agent goes back, changes,
 * is dropped or forked, and where its pages are damaged.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Runtime, runsOf } from "../../runtime/index.ts";
import type { AgentRef, RecordedTurn } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { VAULT_SETTINGS, Vault, restoreVault, systemClock } from "../../vault/index.ts";
import type { VaultOptions } from "../../vault/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";
import { capabilityOf, hostAgent } from "../support/host-agent.ts";
import { flipPages, storedPages } from "../support/page-file.ts";
import { FaultyFiles, tempFolder } from "../support/temp-vault.ts";

const RING = "~traffic:counter";
const CHANGED = COUNTER.replace("ctx.state.count += by", "ctx.state.count += by + 0");

const texts = (turns: readonly RecordedTurn[]): readonly string[] => turns.map(({ text }) => text);
const runs = (runtime: Runtime, id = "counter"): readonly (readonly string[])[] =>
  runsOf(runtime.control(id).turns()).map(texts);

async function add(agent: AgentRef, ...numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await agent.call("add", number);
}

function settingsOf(path: string): VaultOptions {
  return { ...VAULT_SETTINGS, path, clock: systemClock, durability: "disk", onEvent: () => undefined };
}

/** What is in a closed vault. */
async function lookInto<T>(path: string, look: (vault: Vault) => T | Promise<T>): Promise<T> {
  const vault = await Vault.open(settingsOf(path));
  try {
    return await look(vault);
  } finally {
    await vault.close();
  }
}

async function ringNames(path: string): Promise<readonly string[]> {
  return lookInto(path, (vault) =>
    vault
      .names()
      .map(({ name }) => name)
      .filter((name) => name.startsWith("~traffic:")),
  );
}

/** Runs a program over a vault: it keeps the counter's traffic, if there is a counter, and closes in order. */
async function program<T>(vault: string, run: (runtime: Runtime) => Promise<T>): Promise<T> {
  await using runtime = await Runtime.open({ vault, durability: "os" });
  if (runtime.ids().includes("counter")) runtime.control("counter").keepTraffic();
  return await run(runtime);
}

async function spawn(runtime: Runtime, source = COUNTER): Promise<AgentRef> {
  const counter = await runtime.spawn({ id: "counter", source });
  runtime.control("counter").keepTraffic();
  return counter;
}

async function temp(t: TestContext): Promise<string> {
  return join(tempFolder(t), "vault");
}

describe("kept traffic", () => {
  it("is there when the program runs again, with its answers, and each run can be repeated from its first state", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      const other = await runtime.spawn({ id: "other", source: COUNTER });
      await add(counter, 1, 2);
      await counter.call("relay", { agent: "other", method: "add", arg: 5 });
      await other.call("relay", { agent: "counter", method: "read", arg: null });
      assert.equal(await codeOf(counter.call("fail", "no")), "RUNTIME_HANDLER_THREW");
      assert.equal(runtime.control("counter").turns()[3]?.from, "other");
    });
    await program(vault, async (runtime) => {
      const control = runtime.control("counter");
      const [run, ...none] = runsOf(control.turns());
      assert.ok(run !== undefined && none.length === 0 && run[0] !== undefined);
      assert.deepEqual(
        run.map(({ method }) => method),
        ["add", "add", "relay", "read", "fail"],
      );
      assert.deepEqual(
        run[2]?.asks.map(({ answer }) => answer),
        [{ ok: true, text: "5" }],
      );
      assert.deepEqual(run[4]?.result, { ok: false, name: "RangeError", message: "no" });
      assert.equal(run[3]?.from, "other");
      await add(runtime.ref("counter"), 9);
      assert.deepEqual(
        runs(runtime).map(({ length }) => length),
        [5, 1],
      );
      await using shadow = await control.shadow({ artifact: control.code.artifact, at: { seq: run[0].beforeSeq } });
      for (const turn of run) {
        const { outcome } = await shadow.run(turn);
        assert.deepEqual(
          outcome.kind === "done" ? { ok: true, reply: outcome.reply } : outcome.kind,
          turn.result.ok ? turn.result : "threw",
        );
      }
    });
  });

  it("goes to the vault for those agents alone that somebody keeps", async (t) => {
    const vault = await temp(t);
    {
      await using runtime = await Runtime.open({ vault, durability: "os" });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      const other = await runtime.spawn({ id: "other", source: COUNTER });
      const stop = runtime.control("counter").keepTraffic({ turnsMax: 100 });
      await add(counter, 1, 2);
      await add(other, 1, 2);
      stop();
      await add(counter, 3);
      assert.equal(
        await codeOf(Promise.resolve().then(() => runtime.control("other").keepTraffic({ turnsMax: 0 }))),
        "RUNTIME_OPTIONS_INVALID",
      );
    }
    assert.deepEqual(await ringNames(vault), [RING]);
    await program(vault, async (runtime) => assert.deepEqual(runs(runtime), [["1", "2"]]));
  });

  it("is cut by a restore; what ran before it can still be repeated", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      await add(counter, 1, 2);
      await counter.snapshot("two");
      await add(counter, 3);
      await counter.restore({ label: "two" });
      await add(counter, 4);
      assert.deepEqual(runs(runtime), [["1", "2", "3"], ["4"]]);
    });
    await program(vault, async (runtime) => {
      const control = runtime.control("counter");
      const all = runsOf(control.turns());
      assert.deepEqual(all.map(texts), [["1", "2", "3"], ["4"]]);
      for (const run of all) {
        const at = { seq: run[0]?.beforeSeq ?? 0 };
        await using shadow = await control.shadow({ artifact: control.code.artifact, at });
        for (const turn of run) {
          const { outcome } = await shadow.run(turn);
          assert.ok(outcome.kind === "done" && turn.result.ok && outcome.reply === turn.result.reply);
        }
      }
    });
  });

  it("is cut by a hand-over: the life that follows has another note", async (t) => {
    const runtime = await withRuntime(t);
    const source = `export default { version: 1, state: () => ({}), on: { note: (ctx) => ctx.note ?? 0, over: (ctx, note) => ctx.handover(note) } }`;
    const writer = await runtime.spawn({ id: "counter", source });
    runtime.control("counter").keepTraffic();
    await writer.call("note", "a");
    await writer.call("over", "b");
    assert.equal(await writer.call("note", "c"), "b");
    assert.deepEqual(runs(runtime), [['"a"', '"b"'], ['"c"']]);
  });

  it("stays over a swap of code, and is cleared where the state is migrated or its owner deploys", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      const control = runtime.control("counter");
      await add(counter, 1);
      await control.swap({ artifact: await compile({ source: CHANGED, name: "counter.agent.ts" }), label: "one" });
      await add(counter, 2);
      assert.deepEqual(runs(runtime), [["1", "2"]]);
      const migrated = COUNTER.replace("version: 1", "version: 2").replace(
        "stop(ctx",
        "migrate: (old) => old, stop(ctx",
      );
      await control.swap({ artifact: await compile({ source: migrated, name: "counter.agent.ts" }), label: "two" });
      assert.deepEqual(runs(runtime), []);
      await add(counter, 3);
    });
    await program(vault, async (runtime) => {
      assert.deepEqual(runs(runtime), [["3"]]);
      await spawn(
        runtime,
        CHANGED.replace("version: 1", "version: 3").replace("stop(ctx", "migrate: (old) => old, stop(ctx"),
      );
      assert.deepEqual(runs(runtime), [], "deployed while the program was away");
    });
  });

  it("goes with its agent; one of the same name, and a fork, begin with none", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      await add(counter, ...Array.from({ length: 40 }, () => 1));
      const fork = await counter.fork({ id: "fork" });
      runtime.control("fork").keepTraffic();
      await add(fork, 7);
      assert.deepEqual(runs(runtime, "fork"), [["7"]]);
      await runtime.drop("counter");
      await add(await spawn(runtime), 8);
      assert.deepEqual(runs(runtime), [["8"]]);
      await runtime.drop("counter");
    });
    assert.deepEqual(await ringNames(vault), ["~traffic:fork"]);
  });

  it("of a subagent goes as it ends", async (t) => {
    const runtime = await withRuntime(t);
    const source = `export default { version: 1, state: () => ({ n: 0 }), on: {
      bear: (ctx) => ctx.spawn({ id: "kid", source: "export default { version: 1, state: () => ({ n: 0 }), on: { add: (ctx, by) => (ctx.state.n += by) } }" }),
      ask: (ctx, by) => ctx.call("top/kid", "add", by),
      end: (ctx) => ctx.stop("top/kid"),
    } }`;
    const top = await runtime.spawn({ id: "top", source });
    await top.call("bear");
    for (const id of ["top", "top/kid"]) runtime.control(id).keepTraffic({ turnsMax: 32 });
    await top.call("ask", 1);
    await top.call("ask", 2);
    assert.deepEqual(runs(runtime, "top/kid"), [["1", "2"]]);
    const { branches } = runtime.vaultStats();
    assert.equal(branches, 4, "two agents, and their rings: each block of one turn is written at once");
    await top.call("end");
    await eventOf(runtime, (event) => event.type === "agent.dropped" && event.agent === "top/kid");
    assert.equal(runtime.vaultStats().branches, branches - 2);
  });

  it("holds no turn whose commit was undone, and begins a run behind it", async (t) => {
    const files = new FaultyFiles();
    const runtime = await withRuntime(t, { durability: "disk" }, { files });
    const counter = await spawn(runtime);
    await add(counter, 1, 2, 3);
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    assert.equal(await codeOf(counter.call("add", 50)), "VAULT_COMMIT_FAILED");
    files.plan = () => undefined;
    await add(counter, 4);
    const kept = runs(runtime);
    assert.ok(!kept.flat().includes("50"));
    assert.deepEqual(kept.at(-1), ["4"]);
    assert.equal(await counter.call("read"), 10);
  });

  it("whose pages are damaged is begun anew, with an event; the agent and everything else go on", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      for (let number = 0; number < 100; number++) await counter.call("echo", "x".repeat(500));
      await add(counter, 5);
    });
    const arena = await lookInto(vault, (open) => open.head(RING)?.id);
    const pages = join(vault, "pages.mdb");
    const hurt = storedPages(pages).filter(({ id }) => id.arena === arena);
    assert.ok(hurt.length > 0, "the ring has pages of its own");
    flipPages(pages, hurt);
    await program(vault, async (runtime) => {
      assert.deepEqual(runs(runtime), []);
      assert.equal((await eventOf(runtime, ({ type }) => type === "traffic.discarded")).type, "traffic.discarded");
      const counter = runtime.ref("counter");
      assert.equal(await counter.call("add", 1), 6);
      assert.deepEqual(runs(runtime), [["1"]]);
    });
    await program(vault, async (runtime) => assert.deepEqual(runs(runtime), [["1"]]));
  });

  it("holds the answers of capabilities as the agent got them: without the secrets that were read for them", async (t) => {
    process.env["PLANARIA_TEST_KEY"] = "sk-kept-traffic-1";
    t.after(() => delete process.env["PLANARIA_TEST_KEY"]);
    const vault = await temp(t);
    const tool = capabilityOf("tool", { tell: async (call) => `it is ${call.secret("PLANARIA_TEST_KEY")}` });
    {
      await using runtime = await Runtime.open({ vault, durability: "os", capabilities: [tool] });
      const agent = await runtime.spawn(hostAgent({ tool: {} }, "counter"));
      runtime.control("counter").keepTraffic();
      assert.equal(await agent.call("call", ["tool", "tell"]), "it is ***");
    }
    const kept = await lookInto(vault, (open) =>
      [...(open.head(RING)?.range() ?? [])].map(([, value]) => Buffer.from(value).toString()).join("\n"),
    );
    assert.match(kept, /it is \*\*\*/);
    assert.ok(!kept.includes("sk-kept-traffic-1"));
  });

  it("comes back with a backup of its vault", async (t) => {
    const folder = tempFolder(t);
    const [vault, copy, back] = [join(folder, "vault"), join(folder, "copy"), join(folder, "back")];
    await program(vault, async (runtime) => {
      const counter = await spawn(runtime);
      await add(counter, ...Array.from({ length: 31 }, () => 1), 2);
      await runtime.backup(copy);
    });
    await restoreVault({ from: copy, vault: settingsOf(back) });
    await program(back, async (runtime) =>
      assert.equal(runs(runtime).flat().length, 31, "the block that was full by then"),
    );
  });

  it("of an agent that sleeps is read without waking it", async (t) => {
    const vault = await temp(t);
    await program(vault, async (runtime) => add(await spawn(runtime), 1));
    await program(vault, async (runtime) => {
      assert.deepEqual(runs(runtime), [["1"]]);
      assert.equal((await runtime.ref("counter").info()).status, "asleep");
    });
  });
});
