/**
 * The story of promotion.ts: an agent that counts, and three candidates for it. One is rolled back by itself, one by hand after
 * it has migrated the state, one stays. Everything that anybody was told is noted as it is told.
 */
import assert from "node:assert/strict";
import type { Stage } from "../../evolution/index.ts";
import { Arbiter } from "../../evolution/index.ts";
import { Runtime } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import { compile } from "../../sandbox/index.ts";
import type { LogFiles } from "../../vault/index.ts";

/** What was told by some moment. */
export interface Told {
  /** Turns that were answered … */
  acked: number;
  /** … and asked for. */
  sent: number;
  /** Proposals that were accepted. */
  proposed: number;
  /** Rulings by decision. */
  readonly decided: Record<string, string>;
  /** Ends of probations by decision. */
  readonly ended: Record<string, string>;
  /** The first candidate is about to be proposed. */
  isBegun: boolean;
}

/** What is acknowledged is the kernel's: a kill does not undo it. */
export const promotionOptions = { durability: "os", osSandbox: "off", cells: 1, logLevel: "silent" } as const;

/** The agent as its program deploys it. */
export const FIRST = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    add(ctx, by: number) { return (ctx.state.count += by); },
    all: (ctx) => ({ ...ctx.state }),
    odd: () => "fine",
    who: () => 1,
  },
});
`;
const SECOND = FIRST.replace("who: () => 1", "who: () => 1, who2: () => 2").replace(
  'odd: () => "fine"',
  'odd: () => { throw new Error("odd"); }',
);
const MIGRATING = FIRST.replace("version: 1", "version: 2").replace(
  "  on: {",
  "  migrate: (old) => ({ ...(old as object), more: 1 }),\n  on: {",
);
/** A candidate that answers as the first version does. */
export const THIRD: string = FIRST.replace("who: () => 1", "who: () => 1, who3: () => 3");

/** The only stage: here it is not judging that is on trial. */
export const compiles: Stage = {
  name: "compiles",
  run: async (trial) => {
    trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
    return { verdict: "pass", reason: "it compiles" };
  },
};

/** Tells the story; from its first proposal on, `files` sees each step. */
export async function runPromotions(story: {
  readonly path: string;
  readonly told: Told;
  readonly files: LogFiles;
}): Promise<void> {
  const { path, told } = story;
  {
    await using runtime = await Runtime.open({ ...promotionOptions, vault: path });
    await add(await runtime.spawn({ id: "counter", source: FIRST }), told, 2);
  }
  await using runtime = await Runtime.open({ ...promotionOptions, vault: path }, { files: story.files });
  const agent = await runtime.spawn({ id: "counter", source: FIRST });
  await using arbiter = await Arbiter.start(runtime, { quarantineMs: 1 }, [compiles]);
  runtime.subscribe(({ event }) => {
    if (event.type === "candidate.proposed") told.proposed += 1;
  });
  told.isBegun = true;
  const first = await propose(arbiter, told, SECOND);
  await add(agent, told, 2);
  await assert.rejects(agent.call("odd"));
  told.ended[first] = (await arbiter.probation(first))?.end ?? "";
  await add(agent, told, 2);
  const second = await propose(arbiter, told, MIGRATING);
  await add(agent, told, 2);
  told.ended[second] = (await arbiter.rollback(second, "the story wants it")).end;
  await add(agent, told, 1);
  await propose(arbiter, told, THIRD);
  await add(agent, told, 1);
}

async function propose(arbiter: Arbiter, told: Told, source: string): Promise<string> {
  const { id, ruling } = await arbiter.propose({ agent: "counter", source });
  told.decided[id] = ruling;
  return id;
}

async function add(agent: AgentRef, told: Told, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    told.sent += 1;
    await agent.call("add", 1);
    told.acked += 1;
  }
}
