/**
 * Journey 3 of an agent that keeps its memory in a table: candidates read the rows of their own fork, and whatever becomes of
 * them, no acknowledged row is lost.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter, offlineStages } from "../../evolution/index.ts";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf } from "../support/agents.ts";

interface Parts {
  readonly add?: string;
  readonly find?: string;
}

/** Notes by topic, one row each, in as many versions as a test needs. */
function notes({ add = "", find = "" }: Parts = {}): string {
  return `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    async add(ctx, note: { topic: string; text: string }) {
      const table = ctx.table<string>("notes");
      ${add}
      table.put(note.topic + "/" + String(ctx.state.count++).padStart(6, "0"), note.text);
      let count = 0;
      for await (const _row of table.range({ prefix: note.topic + "/" })) count++;
      return count;
    },
    find: { reads: true, async handle(ctx, topic: string) {
      ${find}
      const found: string[] = [];
      for await (const [, text] of ctx.table<string>("notes").range({ prefix: topic + "/" })) found.push(text);
      return found;
    } },
  },
});
`;
}

async function withTraffic(runtime: Runtime): Promise<AgentRef> {
  const agent = await runtime.spawn({ id: "notes", source: notes(), limits: { cpuMs: 100, wallMs: 1_000 } });
  for (let turn = 0; turn < 30; turn++) {
    await agent.call("add", { topic: turn % 3 === 0 ? "cats" : "dogs", text: `note ${turn}` });
    await agent.call("find", "cats");
  }
  return agent;
}

describe("a candidate for an agent with a table", () => {
  const bad: readonly (readonly [title: string, source: string])[] = [
    ["that deletes a row", notes({ add: "if (note.text === 'note 20') table.delete('dogs/000001');" })],
    ["that does not find a row", notes({ find: "if (topic === 'cats') return [];" })],
  ];
  for (const [title, source] of bad) {
    it(`${title} is not promoted, and the rows are as before`, async (t) => {
      const runtime = await withRuntime(t);
      const agent = await withTraffic(runtime);
      await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
      const decision = await arbiter.propose({ agent: "notes", source });
      assert.equal(decision.ruling, "rejected", decision.reason);
      assert.match(decision.reason, /different answer/);
      assert.deepEqual([await agent.call("find", "dogs"), await agent.call("find", "cats")].flat().length, 30);
    });
  }

  it("that keeps its rows in another table is found out by the version before, which has them all", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await withTraffic(runtime);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    // The recorded turns begin with an empty table: there it answers alike.
    const decision = await arbiter.propose({ agent: "notes", source: notes().replaceAll('"notes"', '"letters"') });
    assert.equal(decision.ruling, "promoted", decision.reason);
    await agent.call("add", { topic: "cats", text: "the first answer that differs" });
    assert.equal((await arbiter.probation(decision.id))?.end, "rolled_back");
    assert.deepEqual(((await agent.call("find", "cats")) as string[]).length, 11);
  });

  it("that answers alike is promoted, and rolled back with every row that was acknowledged since", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await withTraffic(runtime);
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    const source = notes({ find: "if (topic === 'birds') throw new Error('never heard of them');" });
    const decision = await arbiter.propose({ agent: "notes", source });
    assert.equal(decision.ruling, "promoted", decision.reason);
    for (let turn = 0; turn < 10; turn++) await agent.call("add", { topic: "birds", text: `later ${turn}` });
    assert.equal(await codeOf(agent.call("find", "birds")), "RUNTIME_HANDLER_THREW");
    assert.equal((await arbiter.probation(decision.id))?.end, "rolled_back");
    assert.equal((await agent.info()).hash, decision.championHash);
    assert.deepEqual(
      await agent.call("find", "birds"),
      Array.from({ length: 10 }, (_, turn) => `later ${turn}`),
    );
    assert.equal(await agent.call("add", { topic: "cats", text: "one more" }), 11);
  });
});
