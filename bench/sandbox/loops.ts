/**
 * Four agents in endless loops, asked again as soon as they are up again: how long does a healthy agent of the same runtime
 * take to answer, against the time it takes without them? Default options, but the agents are not parked for what they do.
 *
 *     alone -> four new loops, until each was ended three times ("at first") -> later beside them -> loops gone -> alone -> …
 *
 * In turns, so that a machine that grows slow or fast in the meantime does so for all three.
 */
import { setTimeout as after } from "node:timers/promises";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { openLab, refusalOf, type Lab, type Probe } from "../probe.ts";
import { percentile } from "../statistics.ts";
import { barWithin, duration, type Findings, type Tools } from "../suite.ts";
import { timesDuring, timesFor, WITNESS_LIMITS } from "./witness.ts";

const LOOPERS = 4;
/** Rounds of each after which the runtime knows who they are: the second overrun moves an agent out of the way. */
const LEARNT = 3;
const TURNS = 5;
/** By how much limits on the clock are stretched at most where many want a core (sandbox/crowd.ts). */
const STRETCH_MAX = 4;

/** Samples of the healthy one, in ms. */
interface Samples {
  readonly alone: number[];
  readonly first: number[];
  readonly later: number[];
}

/** The p99 of the healthy one with loops against without, at first and later. */
export async function measureLoops(tools: Tools): Promise<Findings> {
  const ms = (tools.isQuick ? 3_000 : 15_000) / TURNS;
  await using lab = await openLab();
  const healthy = await lab.spawn("healthy", { limits: WITNESS_LIMITS });
  await timesFor(healthy, 500); // warm: no sample
  const samples: Samples = { alone: [], first: [], later: [] };
  let ended = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    tools.progress(`a healthy agent alone, then beside ${LOOPERS} agents in endless loops (${turn + 1} of ${TURNS})`);
    samples.alone.push(...(await timesFor(healthy, ms)));
    ended += await besideLoops(lab, healthy, { samples, ms, turn });
  }
  return report(samples, ended);
}

/** How often loops were ended. They are gone when it resolves. */
async function besideLoops(
  lab: Lab,
  healthy: Probe,
  { samples, ms, turn }: { readonly samples: Samples; readonly ms: number; readonly turn: number },
): Promise<number> {
  const over = new AbortController();
  const known = Array.from({ length: LOOPERS }, () => Promise.withResolvers<void>());
  const loops = known.map(({ resolve }, no) =>
    loop(lab, { id: `loop-${turn}-${no}`, over: over.signal, isKnown: resolve }),
  );
  samples.first.push(...(await timesDuring(healthy, Promise.all(known.map(({ promise }) => promise)))));
  samples.later.push(...(await timesFor(healthy, ms)));
  over.abort();
  const rounds = await Promise.all(loops);
  return rounds.reduce((sum, count) => sum + count, 0);
}

function report({ alone, first, later }: Samples, ended: number): Findings {
  const against = (samplesMs: readonly number[]): number => percentile(samplesMs, 0.99) / percentile(alone, 0.99);
  const atFirst = {
    what: `p99 of a healthy agent while ${LOOPERS} new endless loops are not yet known as such / alone`,
    value: against(first),
  };
  const known = {
    what: `p99 of a healthy agent beside ${LOOPERS} endless loops that are known / alone`,
    value: against(later),
  };
  // In the cell that they share each turn waits for those before it, which end by their limits; that, and no more.
  const waits = {
    what: `p99 of a healthy agent while ${LOOPERS} new endless loops are not yet known as such / ${LOOPERS} turns of wallMs each`,
    value: percentile(first, 0.99) / (LOOPERS * AGENT_LIMITS.wallMs),
  };
  return {
    figures: [
      duration("a call of a healthy agent, alone", alone),
      duration(
        `a call of a healthy agent, beside ${LOOPERS} endless loops, until each was ended ${LEARNT} times`,
        first,
      ),
      duration(`a call of a healthy agent, later beside ${LOOPERS} endless loops`, later),
    ],
    ratios: [known, atFirst, waits],
    bars: [barWithin(known, { bar: 5, aim: 2 }), barWithin(waits, { bar: STRETCH_MAX, aim: 1 })],
    notes: [`The loops ended ${ended} times by their limits.`],
  };
}

/** Loops again and again; how often it was ended. */
async function loop(
  lab: Lab,
  { id, over, isKnown }: { readonly id: string; readonly over: AbortSignal; readonly isKnown: () => void },
): Promise<number> {
  const agent = await lab.spawn(id);
  let rounds = 0;
  for (; ; rounds++) {
    if (over.aborted) break;
    if (rounds === LEARNT) isKnown();
    await refusalOf(agent.call("spin", undefined, { timeoutMs: 60_000 }));
    await after(1);
  }
  await lab.runtime.drop(id);
  return rounds;
}
