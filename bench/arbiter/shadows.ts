/**
 * Fifty candidates of one agent at once: how long from the proposal to the first answer of each?
 *
 * What is a sample
 *     all are handed in together; each is compiled, placed on a fork of the same state, and asked one recorded turn. Its sample
 *     ends with its answer. The total is the slowest of a wave.
 *
 * Every candidate has a text of its own, so that no two share an artifact.
 */
import assert from "node:assert/strict";
import { compile } from "../../sandbox/index.ts";
import type { Artifact } from "../../sandbox/index.ts";
import { openLab } from "../probe.ts";
import type { Findings, Tools } from "../suite.ts";
import { barWorstMs, duration } from "../suite.ts";

const SHADOWS = 50;
/** From all proposals to all answers, in ms. */
const TOTAL_MS = 2_000;

/** A little more than the smallest agent: it has state, a few methods and something to work through. */
function sourceOf(no: number): string {
  return `
import { agent } from "planaria/agent";
const name = "candidate ${no}";
export default agent({
  version: 1,
  state: () => ({ count: 0, names: {} as Record<string, number> }),
  on: {
    add(ctx, by: number) {
      let sum = 0;
      for (let i = 0; i < 1_000; i++) sum += (i * by) % 7;
      ctx.state.names[by % 10] = sum;
      return (ctx.state.count += by);
    },
    who: () => name,
  },
});
`;
}

/** Waves of fifty shadows of one agent. */
export async function measureShadows(tools: Tools): Promise<Findings> {
  const waves = tools.isQuick ? 2 : 6;
  await using lab = await openLab();
  const agent = await lab.runtime.spawn({ id: "evolving", source: sourceOf(0) });
  for (let turn = 0; turn < 20; turn++) await agent.call("add", turn);
  const compileMs: number[] = [];
  const answerMs: number[] = [];
  const totalMs: number[] = [];
  for (let wave = 0; wave < waves; wave++) {
    tools.progress(`${SHADOWS} shadows at once, wave ${wave + 1} of ${waves}`);
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: SHADOWS }, (_, no) => answered(lab.runtime.control("evolving"), wave * SHADOWS + no + 1)),
    );
    totalMs.push(performance.now() - started);
    compileMs.push(...answers.map(({ compiledMs }) => compiledMs - started));
    answerMs.push(...answers.map(({ answeredMs }) => answeredMs - started));
    await Promise.all(answers.map(({ shadow }) => shadow.drop()));
  }
  const total = duration(`${SHADOWS} shadows of one agent at once: proposals -> all have answered`, totalMs);
  return {
    figures: [
      duration(`one of ${SHADOWS} proposals at once -> compiled`, compileMs),
      duration(`one of ${SHADOWS} proposals at once -> its shadow's first answer`, answerMs),
      total,
    ],
    ratios: [],
    bars: [barWorstMs(total, { bar: TOTAL_MS })],
    notes: [],
  };
}

type Control = ReturnType<Awaited<ReturnType<typeof openLab>>["runtime"]["control"]>;

async function answered(
  control: Control,
  no: number,
): Promise<{ shadow: Awaited<ReturnType<Control["shadow"]>>; compiledMs: number; answeredMs: number }> {
  const artifact: Artifact = await compile({ source: sourceOf(no), name: `candidate-${no}.agent.ts` });
  const compiledMs = performance.now();
  const [turn] = control.turns();
  assert.ok(turn !== undefined, "the agent has no recorded turn");
  const shadow = await control.shadow({ artifact, at: { seq: turn.beforeSeq } });
  const { outcome } = await shadow.run(turn);
  assert.equal(outcome.kind, "done", JSON.stringify(outcome));
  return { shadow, compiledMs, answeredMs: performance.now() };
}
