/**
 * What does a mirror cost the agent that goes on serving? The same caller asks at the same pace, with and without a candidate and its
 * control running every turn as well.
 *
 * What is a sample
 *     one call, from the moment it was due until its answer: a stall is felt by every call that fell into it.
 *
 * Slices with and without a mirror take turns, and each is compared with its neighbour, so that whatever else the machine does falls
 * on both. Loading the shadows is not
 * sampled: a slice with a mirror begins with its first pair.
 */
import { setTimeout } from "node:timers/promises";
import { Arbiter, compileStage, mirrorStage } from "../../evolution/index.ts";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { openLab } from "../probe.ts";
import { median, percentile } from "../statistics.ts";
import type { Findings, Ratio, Tools } from "../suite.ts";
import { barWithin, duration } from "../suite.ts";

/** From one call to the next, in ms: a hundred a second. */
const PACE_MS = 10;
/** Calls of one slice: two seconds. */
const SLICE_CALLS = 200;
/** What a mirror may add to the agent's p99. */
const P99_RATIO_MAX = 1.1;

const source = (no: number): string => `
import { agent } from "planaria/agent";
const name = "version ${no}";
export default agent({
  version: 1,
  state: () => ({ count: 0, names: {} as Record<string, number> }),
  on: {
    add(ctx, by: number) {
      let sum = 0;
      for (let i = 0; i < 20_000; i++) sum += (i * by) % 7;
      ctx.state.names[by % 10] = sum;
      return (ctx.state.count += by);
    },
    who: () => name,
  },
});
`;

/** Slices with and without a mirror, in turns. */
export async function measureMirror(tools: Tools): Promise<Findings> {
  const rounds = tools.isQuick ? 5 : 20;
  await using lab = await openLab();
  const agent = await lab.runtime.spawn({ id: "mirrored", source: source(0) });
  await slice(agent); // warm
  const bare: number[] = [];
  const mirrored: number[] = [];
  const ratios = new Map<number, number[]>([
    [0.5, []],
    [0.99, []],
  ]);
  for (let round = 0; round < rounds; round++) {
    tools.progress(`calls with and without a mirror, round ${round + 1} of ${rounds}`);
    const without = await slice(agent);
    const withMirror = await mirroredSlice(lab.runtime, agent, round + 1);
    bare.push(...without);
    mirrored.push(...withMirror);
    for (const [share, found] of ratios) found.push(percentile(withMirror, share) / percentile(without, share));
  }
  const [p50, p99] = [...ratios].map(([share, found]) => ({
    what: `p${share * 100} of a call while a mirror runs every turn twice more : without a mirror (median of the rounds)`,
    value: median(found),
  })) as [Ratio, Ratio]; // one per entry of the map
  return {
    figures: [
      duration("call without a mirror, from when it was due -> answer", bare),
      duration("call while a mirror runs, from when it was due -> answer", mirrored),
    ],
    ratios: [p50, p99],
    bars: [barWithin(p99, P99_RATIO_MAX)],
    notes: [
      `one caller, a call every ${PACE_MS} ms, ${SLICE_CALLS} calls per slice, ${rounds} slices of each kind in turns`,
    ],
  };
}

/** Calls at their pace; how long each took from when it was due, in ms. */
async function slice(agent: AgentRef): Promise<readonly number[]> {
  const samples: Promise<number>[] = [];
  const startedMs = performance.now();
  for (let call = 0; call < SLICE_CALLS; call++) {
    const dueMs = startedMs + call * PACE_MS;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await setTimeout(waitMs);
    samples.push(agent.call("add", 1 + (call % 17)).then(() => Math.max(0, performance.now() - dueMs)));
  }
  return await Promise.all(samples);
}

/** The same while a mirror runs that nothing can end but its arbiter. */
async function mirroredSlice(runtime: Runtime, agent: AgentRef, no: number): Promise<readonly number[]> {
  const arbiter = await Arbiter.start(runtime, { marginPoints: 1e-6, cpuRatioMax: 1_000, mirrorTurnsMax: 1_000_000 }, [
    compileStage,
    mirrorStage,
  ]);
  const first = Promise.withResolvers<void>();
  const { unsubscribe } = runtime.subscribe(({ event }) => event.type === "candidate.progress" && first.resolve());
  const deciding = arbiter.propose({ agent: "mirrored", source: source(no) });
  const begun = first.promise.then(() => true as const);
  while ((await Promise.race([begun, agent.call("add", 1)])) !== true) await setTimeout(PACE_MS); // a mirror begins with a turn
  const samples = await slice(agent);
  unsubscribe();
  await Promise.all([arbiter.close(), deciding]);
  return samples;
}
