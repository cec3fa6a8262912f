/**
 * Journey 3: a new brain, from proposal to promotion, rejection or roll-back.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Arbiter, offlineStages } from "../../evolution/index.ts";
import { Runtime } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";

interface Parts {
  readonly version?: number;
  readonly add?: string;
  readonly find?: string;
  readonly more?: string;
  readonly top?: string;
}

/** A note store in as many versions as a test needs. */
function notes({ version = 1, add = "", find = "", more = "", top = "" }: Parts = {}): string {
  return `
import { agent } from "planaria/agent";
${top}
export default agent({
  version: ${version},
  state: () => ({ notes: [] as string[], heard: "" }),
  on: {
    add(ctx, note: string) { ${add} ctx.state.notes.push(note); return ctx.state.notes.length; },
    find: { reads: true, handle(ctx, word: string) { ${find} return ctx.state.notes.filter((note) => note.includes(word)).length; } },
    count: (ctx) => ctx.state.notes.length,
    propose: (ctx, source: string) => ctx.propose(source),
    verdict(ctx, told: { ruling: string }) { ctx.state.heard = told.ruling; },
    heard: (ctx) => ctx.state.heard,
  },
  ${more}
});
`;
}

async function withTraffic(runtime: Runtime, turns = 30): Promise<AgentRef> {
  const agent = await runtime.spawn({ id: "notes", source: notes(), limits: { cpuMs: 100, wallMs: 1_000 } });
  for (let turn = 0; turn < turns; turn++) {
    await agent.call("add", `note ${turn} about ${turn % 3 === 0 ? "cats" : "dogs"}`);
    await agent.call("find", "cats");
  }
  return agent;
}

describe("a candidate", () => {
  const bad: readonly (readonly [title: string, source: string, stage: string])[] = [
    ["that does not compile", "export default {", "compile"],
    ["that is the running code", notes(), "compile"],
    ["that throws as it loads", notes({ top: "throw new Error('no');" }), "smoke"],
    ["that loops as it loads", notes({ top: "for (;;);" }), "smoke"],
    ["that lacks a method in use", notes().replace("count:", "size:"), "smoke"],
    ["of a new version without a migration", notes({ version: 2 }), "smoke"],
    [
      "that recurses for ever",
      notes({ find: "const down = (n: number): number => 1 + down(n + 1); down(0);" }),
      "smoke",
    ],
    ["that loops for ever", notes({ find: "for (;;);" }), "smoke"],
    [
      "that eats its heap",
      notes({ add: "const all: unknown[] = []; for (;;) all.push(new Array(100000).fill(1));" }),
      "smoke",
    ],
    ["that drops notes", notes({ add: "if (note.includes('7')) return ctx.state.notes.length + 1;" }), "replay"],
    [
      "that throws on its 20th message only",
      notes({ top: "let seen = 0;", add: "if (++seen === 20) throw new Error('tired');" }),
      "replay",
    ],
    [
      "that is much slower",
      notes({ find: "let x = 0; for (let i = 0; i < 300000; i++) x += Math.sqrt(i); if (x < 0) return 0;" }),
      "replay",
    ],
  ];
  for (const [title, source, stage] of bad) {
    it(`${title} is rejected at ${stage}, and the live agent does not notice`, async (t) => {
      const runtime = await withRuntime(t);
      const agent = await withTraffic(runtime);
      await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
      const before = await agent.info();
      const decision = await arbiter.propose({ agent: "notes", source });
      assert.equal(decision.ruling, "rejected");
      assert.equal(decision.stages.at(-1)?.stage, stage, decision.reason);
      assert.match(arbiter.explain(decision.id), /rejected/);
      const after = await agent.info();
      assert.deepEqual([after.hash, after.restarts, after.epoch], [before.hash, before.restarts, before.epoch]);
      assert.equal(await agent.call("count"), 30);
    });
  }

  it("with too little traffic to judge is not promoted", async (t) => {
    const runtime = await withRuntime(t);
    await withTraffic(runtime, 3);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    const decision = await arbiter.propose({
      agent: "notes",
      source: notes({ find: "if (word.length > 1000) return 0;" }),
    });
    assert.equal(decision.ruling, "rejected");
    assert.equal(decision.stages.at(-1)?.verdict, "inconclusive", decision.reason);
  });

  it("that answers alike is promoted, code and migrated state together, and survives a reopened vault", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-promotion-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const migrate = "migrate: (old) => ({ ...(old as object), extra: 1 }),";
    const source = notes({ version: 2, more: migrate });
    {
      await using runtime = await Runtime.open({ vault: folder, durability: "os" });
      const agent = await withTraffic(runtime);
      await using arbiter = await Arbiter.start(runtime, { probationTurns: 5 }, offlineStages);
      const decision = await arbiter.propose({ agent: "notes", source });
      assert.equal(decision.ruling, "promoted", decision.reason);
      assert.equal((await agent.info()).version, 2);
      for (let turn = 0; turn < 5; turn++) await agent.call("add", "after");
      assert.equal((await arbiter.probation(decision.id))?.end, "confirmed");
    }
    await using runtime = await Runtime.open({ vault: folder, durability: "os" });
    const agent = await runtime.spawn({ id: "notes", source: notes() }); // the program deploys what it always deployed
    assert.equal((await agent.info()).version, 2, "a restart of the program does not undo a promotion");
    assert.equal(await agent.call("count"), 35);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    assert.equal(arbiter.decisions().length, 1);
  });

  it("that fails on probation is rolled back with every acknowledged turn", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await withTraffic(runtime);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    const source = notes({ find: "if (word === 'birds') throw new Error('never heard of them');" });
    const decision = await arbiter.propose({ agent: "notes", source });
    assert.equal(decision.ruling, "promoted", decision.reason);
    const championHash = decision.championHash;
    assert.notEqual((await agent.info()).hash, championHash);
    for (let turn = 0; turn < 10; turn++) await agent.call("add", `later ${turn}`);
    assert.equal(await codeOf(agent.call("find", "birds")), "RUNTIME_HANDLER_THREW");
    const report = await arbiter.probation(decision.id);
    assert.equal(report?.end, "rolled_back");
    assert.equal((await agent.info()).hash, championHash);
    assert.equal(await agent.call("find", "birds"), 0);
    assert.equal(await agent.call("count"), 40);
    assert.match(arbiter.explain(decision.id), /rolled_back/);
  });

  it("that crashes on probation is rolled back while calls keep coming", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await withTraffic(runtime);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    const decision = await arbiter.propose({
      agent: "notes",
      source: notes({ find: "if (word === 'bang') for (;;);" }),
    });
    assert.equal(decision.ruling, "promoted", decision.reason);
    const adds = Array.from({ length: 20 }, (_, turn) => agent.call("add", `under load ${turn}`));
    const code = await codeOf(agent.call("find", "bang"));
    assert.match(code, /SANDBOX_(?:CPU|WALL)_EXCEEDED/);
    await Promise.all(adds);
    const report = await arbiter.probation(decision.id);
    assert.equal(report?.end, "rolled_back");
    assert.equal((await agent.info()).hash, decision.championHash);
    assert.equal(await agent.call("count"), 50);
  });
});

describe("an agent", () => {
  it("can propose its own successor and learns the verdict as a message", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await withTraffic(runtime);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    assert.deepEqual(await agent.call("propose", notes({ find: "if (word.length > 1000) return 0;" })), {
      accepted: true,
      id: "d1",
      waiting: 0,
    });
    await eventOf(runtime, (event) => event.type === "candidate.promoted");
    await eventOf(runtime, (event) => event.type === "agent.started" && event.agent === "notes");
    const heard = await agent.call("heard");
    assert.ok(heard === "promoted" || (await agent.call("heard")) === "promoted");
    assert.equal(arbiter.decisions()[0]?.author, "agent:notes");
  });
});
