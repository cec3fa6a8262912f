/**
 * A candidate that tries every way out there is, against real servers, real agents and a real vault: nothing leaves, and nothing is
 * written but its own fork.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { Runtime, Shadow, SpawnOptions, StampedEvent } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { Vault } from "../../vault/index.ts";
import { chatServer } from "../support/chat-server.ts";
import { programServer } from "../support/mcp.ts";
import { reply, turnOf } from "../support/shadows.ts";
import { processesWith } from "../support/processes.ts";
import { contentOf, tempFolder, vaultOptions } from "../support/temp-vault.ts";
import { recordingServer } from "../support/web-server.ts";

/** Counts what it hears, and so does whoever else is told. */
const PEER = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ heard: 0 }),
  on: { hear: (ctx) => (ctx.state.heard += 1), heard: (ctx) => ctx.state.heard },
});
`;

/** Every way out, by name; each is tried by itself, and what it threw is its answer. */
const WAYS = `{
  call: (ctx) => ctx.call("peer", "hear", 1),
  spawn: (ctx) => ctx.spawn({ id: "child", source: "export default {}" }),
  stop: (ctx) => ctx.stop("peer"),
  kill: (ctx) => ctx.kill("peer"),
  propose: (ctx) => ctx.propose("export default {}"),
  step: (ctx) => ctx.step("pay", () => ctx.call("peer", "hear", 2)),
  fetch: (ctx, { web }) => ctx.host.fetch(web),
  stream: async (ctx, { web }) => { for await (const part of ctx.host.fetch.stream(web)) return part; },
  files: (ctx) => ctx.host.files.write("left.txt", "behind"),
  exec: (ctx) => ctx.host.exec("touch"),
  llm: (ctx) => ctx.host.llm.chat({ messages: [{ role: "user", content: "hi" }] }),
  mcp: (ctx) => ctx.host.mcp("s", "echo", { text: "hi" }),
  cast: (ctx) => ctx.cast("peer", "hear", 3),
  publish: (ctx) => ctx.publish("news", "flash"),
  subscribe: (ctx) => ctx.subscribe("news", "everything"),
  unsubscribe: (ctx) => ctx.unsubscribe("news"),
  after: (ctx) => ctx.after(1, "everything"),
  cron: (ctx) => ctx.cron("* * * * *", "everything"),
  cancel: (ctx) => ctx.cancel(ctx.after(5, "everything")),
  link: (ctx) => ctx.link("peer"),
  unlink: (ctx) => ctx.unlink("peer"),
  monitor: (ctx) => ctx.monitor("peer"),
  checkpoint: (ctx) => ctx.checkpoint("mark"),
  log: (ctx) => ctx.log.error("help"),
  row: (ctx) => ctx.table("rows").put("a", 1),
  used: (ctx) => ctx.used(1),
  handover: (ctx) => ctx.handover("note"),
  exit: (ctx) => ctx.exit("mutiny"),
}`;
const PRISONER = `
import { agent } from "planaria/agent";
const WAYS = ${WAYS};
export default agent({
  version: 1,
  state: () => ({ tries: 0 }),
  on: {
    read: { reads: true, handle: (ctx) => ctx.state.tries },
    async everything(ctx, places) {
      ctx.state.tries += 1;
      const codes = {};
      for (const [name, way] of Object.entries(WAYS)) {
        try { await way(ctx, places); codes[name] = "-"; } catch (error) { codes[name] = error.code ?? String(error); }
      }
      return codes;
    },
    twice: async (ctx) => [await ctx.call("peer", "hear", 1), await ctx.call("peer", "hear", 1)],
    guess: async (ctx) => [await ctx.call("peer", "hear", 1), await ctx.step("pay", () => 1), await ctx.host.fetch("http://example.com/")],
  },
  down: () => {},
});
`;
const ASKED = ["call", "spawn", "stop", "kill", "propose", "step", "fetch", "stream", "files", "exec", "llm", "mcp"];

/** All that a vault keeps, by branch name: entries and snapshots. */
async function dumpOf(path: string): Promise<Record<string, unknown>> {
  await using vault = await Vault.open(vaultOptions(path));
  const dump: Record<string, unknown> = {};
  for (const { name } of vault.names()) {
    const branch = vault.head(name);
    assert.ok(branch !== undefined, name);
    dump[name] = [contentOf(branch), branch.snapshots().map(({ label }) => label)];
  }
  return dump;
}

/** A runtime with the two agents, used so far that nothing of the first use is left to do. */
async function opened(t: TestContext, vault: string, host?: SpawnOptions["host"]): Promise<Runtime> {
  const runtime = await withRuntime(t, { vault, durability: "disk" });
  await runtime.spawn({ id: "peer", source: PEER });
  await runtime.spawn({ id: "prisoner", source: PRISONER, ...(host === undefined ? {} : { host }) });
  await runtime.ref("peer").call("heard");
  await runtime.ref("prisoner").call("read");
  return runtime;
}

async function trial(runtime: Runtime, options: Parameters<Trial>[0] = {}): Promise<Shadow> {
  const artifact = await compile({ source: PRISONER, name: "candidate.agent.ts" });
  return runtime.control("prisoner").shadow({ artifact, ...options });
}
type Trial = (options: Partial<Parameters<ReturnType<Runtime["control"]>["shadow"]>[0]>) => Promise<Shadow>;

describe("a candidate that tries every way out", () => {
  it("reaches nobody and writes nothing outside of its fork, byte for byte; each try is counted", async (t) => {
    const folder = tempFolder(t);
    const [vault, shared] = [join(folder, "vault"), join(folder, "shared")];
    mkdirSync(shared);
    const word = `way${randomBytes(8).toString("hex")}`;
    const web = await recordingServer(t, (_asked, response) => response.end("out"));
    const chat = await chatServer(t);
    const program = { file: process.execPath, args: ["-e", "setInterval(() => {}, 1000)", word] };
    const host: SpawnOptions["host"] = {
      fetch: { allow: [web.origin], privateAddresses: true },
      files: { folder: shared, write: true },
      exec: { programs: { touch: program } },
      llm: { endpoint: chat.endpoint, models: ["m-1"], privateAddresses: true },
      mcp: { servers: { s: programServer("good", {}, word) } },
    };
    await (await opened(t, vault, host)).close();
    await (await opened(t, vault, host)).close();
    const before = await dumpOf(vault);

    const runtime = await opened(t, vault, host);
    let proposals = 0;
    runtime.provide("propose", () => Promise.resolve(String(++proposals)));
    const news = runtime.topic("news").subscribe();
    const events: string[] = [];
    runtime.subscribe(({ event }: StampedEvent) => events.push(event.type));
    const shadow = await trial(runtime);
    const turn = await shadow.run(turnOf("everything", { web: web.origin }));
    const codes = reply(turn) as Record<string, string>; // by way
    for (const [way, code] of Object.entries(codes))
      assert.equal(code, ASKED.includes(way) ? "RUNTIME_EFFECT_REFUSED" : "-", way);
    assert.equal(Object.keys(codes).length, 28);
    const counted = turn.effects.map(({ verb, nth, isMatched, how }) => `${verb} ${nth} ${isMatched} ${how}`);
    const askedVerbs = ["call", "spawn", "stop", "kill", "propose", "step.begin", ...Array<string>(6).fill("host")];
    assert.deepEqual(
      counted.slice(0, ASKED.length),
      askedVerbs.map((verb) => `${verb} 1 false refused`),
    );
    const sent = ["cast", "publish", "subscribe", "unsubscribe", "after", "cron", "after", "cancel"];
    sent.push("link", "unlink", "monitor", "checkpoint", "exit", "handover");
    assert.deepEqual(
      counted.slice(ASKED.length).map((line) => line.split(" ")[0]),
      sent,
    );
    assert.ok(counted.slice(ASKED.length).every((line) => line.endsWith("1 false sent")));
    assert.deepEqual(turn.refusedEffects, askedVerbs);
    assert.match(turn.effects[0]?.hash ?? "", /^[0-9a-f]{32}$/);
    // It did write: to its own fork.
    assert.deepEqual(Object.fromEntries(shadow.state()), { "state.tries": "1", "table.rows.a": "1" });

    assert.deepEqual([web.asked.length, chat.asked.length, proposals], [0, 0, 0]);
    assert.deepEqual([readdirSync(shared), processesWith(word)], [[], []]);
    assert.deepEqual([runtime.timers().length, runtime.ids(), runtime.audit().length], [0, ["peer", "prisoner"], 0]);
    assert.equal(await runtime.ref("peer").call("heard"), 0);
    assert.equal(runtime.topic("news").info().last, 0);
    await news.return?.();
    await shadow.drop();
    const strange = events.filter((type) => !/^(cell|branch|log|checkpoint|segment)\./.test(type));
    assert.deepEqual(strange, [], "nobody heard of it");
    await runtime.close();
    assert.deepEqual(await dumpOf(vault), before);
  });
});

describe("a candidate that asks what the live turn asked", () => {
  it("gets the recorded answers by their number, and nobody is asked", async (t) => {
    const runtime = await withRuntime(t);
    const peer = await runtime.spawn({ id: "peer", source: PEER });
    const prisoner = await runtime.spawn({ id: "prisoner", source: PRISONER });
    assert.deepEqual(await prisoner.call("twice"), [1, 2]);
    const [turn] = runtime.control("prisoner").turns();
    assert.ok(turn !== undefined);
    await using shadow = await trial(runtime);
    for (let round = 0; round < 2; round++) {
      const replayed = await shadow.run(turn);
      assert.deepEqual(reply(replayed), [1, 2]);
      assert.deepEqual(
        replayed.effects.map(({ verb, nth, isMatched }) => [verb, nth, isMatched]),
        [
          ["call", 1, true],
          ["call", 2, true],
        ],
      );
    }
    const { outcome, refusedEffects } = await shadow.run({ ...turn, asks: turn.asks.slice(0, 1) });
    assert.equal(outcome.kind === "threw" && outcome.fault.code, "RUNTIME_EFFECT_REFUSED");
    assert.deepEqual(refusedEffects, ["call"]);
    assert.equal(await peer.call("heard"), 2);
  });
});

describe("a candidate in a trial that simulates the world", () => {
  it("gets what the trial says, reaches nobody, and its functions of steps do not run", async (t) => {
    const runtime = await withRuntime(t);
    const peer = await runtime.spawn({ id: "peer", source: PEER });
    await runtime.spawn({ id: "prisoner", source: PRISONER, host: { fetch: { allow: ["http://example.com/"] } } });
    const answers: Record<string, string> = { call: "41", "step.begin": '"paid"', host: '{"status":200}' };
    await using shadow = await trial(runtime, { simulate: ({ verb }) => answers[verb] });
    const turn = await shadow.run(turnOf("guess"));
    assert.deepEqual(reply(turn), [41, "paid", { status: 200 }]);
    assert.deepEqual(
      turn.effects.map(({ verb, how, isMatched }) => [verb, how, isMatched]),
      Object.keys(answers).map((verb) => [verb, "simulated", false]),
    );
    assert.equal(await peer.call("heard"), 0);
  });

  it("is not blamed where the trial's own function is at fault: nothing is written, and a reload makes it whole", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "prisoner", source: PRISONER });
    let answer = "{";
    await using shadow = await trial(runtime, { simulate: () => answer });
    const before = await shadow.stateDigest();
    await assert.rejects(shadow.run(turnOf("everything", {})), { code: "RUNTIME_SIMULATION_FAILED" });
    assert.equal(await shadow.stateDigest(), before);
    await shadow.reload();
    answer = "1";
    assert.deepEqual(reply(await shadow.run(turnOf("read"))), 0);
    assert.deepEqual(reply(await shadow.run(turnOf("twice"))), [1, 1]);
  });
});
