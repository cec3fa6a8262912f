/**
 * The end of a tree of subagents: 1,000 of them, 20 deep. How long from the word to the last one that is gone?
 *
 * What is a sample
 * 1. A tree of chains under one agent, all of them up in isolates, durable.
 * 2. From `stop()` or `kill()` to the moment at which no isolate, no name and no branch of a subagent is left.
 * 3. Stop and kill take turns; each has a tree of its own.
 */
import assert from "node:assert/strict";
import { setImmediate as breathe } from "node:timers/promises";
import type { AgentRef } from "../runtime/index.ts";
import type { Lab } from "./probe.ts";
import { openLab, timed } from "./probe.ts";
import { barWorstMs, duration } from "./suite.ts";
import type { Suite } from "./suite.ts";

const AGENTS = 1_000;
const LEVELS = 20;
/** What the end of the tree must stay below, in ms. */
const END_LIMIT_MS = 1_000;
/** An end that takes longer has failed, in ms: the run stops instead of waiting for ever. */
const PATIENCE_MS = 30_000;

/** Room for the tree: small heaps, many isolates in a cell. */
const ROOM = {
  agentsPerCell: 100,
  cells: 10,
  limits: { heapMb: 8, subagentsMax: AGENTS, subagentDepthMax: LEVELS, subtreeMax: AGENTS },
} as const;

const module = new URL("./agents/branch.agent.ts", import.meta.url);

/** Ends trees of subagents, in order and at once. */
export const tree: Suite = async (tools) => {
  const rounds = tools.isQuick ? 1 : 3;
  const ends: {
    readonly what: string;
    readonly samplesMs: number[];
    readonly end: (top: AgentRef) => Promise<void>;
  }[] = [
    { what: "stopped in order", samplesMs: [], end: (top) => top.stop() },
    { what: "killed", samplesMs: [], end: (top) => top.kill() },
  ];
  await using lab = await openLab(ROOM);
  for (let round = 0; round < rounds; round++) {
    for (const { what, samplesMs, end } of ends) {
      tools.progress(`a tree of ${AGENTS}, ${LEVELS} deep, to be ${what}`);
      const top = await grown(lab, `tree-${what.slice(0, 4)}-${round}`);
      const { ms } = await timed(async () => {
        await end(top);
        await isGone(lab, top.id);
      });
      samplesMs.push(ms);
      await lab.runtime.drop(top.id);
    }
  }
  const figures = ends.map(({ what, samplesMs }) =>
    duration(`${AGENTS} subagents, ${LEVELS} deep, ${what} -> all gone`, samplesMs),
  );
  return { figures, ratios: [], bars: figures.map((figure) => barWorstMs(figure, { bar: END_LIMIT_MS })), notes: [] };
};

/** A tree of chains: `AGENTS / LEVELS` of them side by side. */
async function grown(lab: Lab, id: string): Promise<AgentRef> {
  const top = await lab.runtime.spawn({ id, module });
  const names = Array.from({ length: AGENTS / LEVELS }, (_, index) => `c${index}`);
  await top.call("grow", names, { timeoutMs: Infinity });
  const deepen = async (path: string, levels: number): Promise<void> => {
    if (levels === 0) return;
    await lab.runtime.ref(path).call("grow", ["x"], { timeoutMs: Infinity });
    await deepen(`${path}/x`, levels - 1);
  };
  await Promise.all(names.map((name) => deepen(`${id}/${name}`, LEVELS - 1)));
  assert.equal(subagentsOf(lab, id), AGENTS, "the whole tree is there");
  return top;
}

/** Resolves when nothing of the tree is left. */
async function isGone(lab: Lab, id: string): Promise<void> {
  const started = performance.now();
  const residents = (): number => lab.runtime.cells().reduce((sum, cell) => sum + cell.residents, 0);
  while (subagentsOf(lab, id) > 0 || residents() > 1) {
    assert.ok(performance.now() - started < PATIENCE_MS, `${subagentsOf(lab, id)} of ${AGENTS} subagents are left`);
    await breathe();
  }
  assert.equal(lab.runtime.vaultStats().branches, lab.runtime.ids().length, "no branch is left without its name");
}

function subagentsOf(lab: Lab, id: string): number {
  return lab.runtime.ids().filter((name) => name.startsWith(`${id}/`)).length;
}
