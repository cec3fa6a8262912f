/**
 * Four agents in endless loops, asked again as soon as they are up again: how long does a healthy agent of the same runtime
 * take to answer, against the time it takes without them? Default options, but the agents are not parked for what they do.
 */
import { setTimeout as after } from "node:timers/promises";
import { openLab, refusalOf, type Lab } from "../probe.ts";
import { percentile } from "../statistics.ts";
import { barWithin, duration, type Findings, type Tools } from "../suite.ts";
import { timesDuring, timesFor } from "./witness.ts";

const LOOPERS = 4;
/** Rounds of each after which the runtime knows who they are: the second overrun moves an agent out of the way. */
const LEARNT = 3;

/** The p99 of the healthy one with loops against without. */
export async function measureLoops(tools: Tools): Promise<Findings> {
  const ms = tools.isQuick ? 3_000 : 15_000;
  await using lab = await openLab();
  const healthy = await lab.spawn("healthy");
  await timesFor(healthy, 500); // warm: no sample
  tools.progress("a healthy agent alone");
  const aloneMs = await timesFor(healthy, ms);
  tools.progress(`beside ${LOOPERS} agents in endless loops`);
  const over = new AbortController();
  const known = Array.from({ length: LOOPERS }, () => Promise.withResolvers<void>());
  const loops = known.map(({ resolve }, no) => loop(lab, { id: `loop-${no}`, over: over.signal, isKnown: resolve }));
  const firstMs = await timesDuring(healthy, Promise.all(known.map(({ promise }) => promise)));
  const besideMs = await timesFor(healthy, ms);
  over.abort();
  const rounds = await Promise.all(loops);
  const ratio = {
    what: `p99 of a healthy agent beside ${LOOPERS} endless loops / alone`,
    value: percentile(besideMs, 0.99) / percentile(aloneMs, 0.99),
  };
  return {
    figures: [
      duration("a call of a healthy agent, alone", aloneMs),
      duration(
        `a call of a healthy agent, beside ${LOOPERS} endless loops, until each was ended ${LEARNT} times`,
        firstMs,
      ),
      duration(`a call of a healthy agent, later beside ${LOOPERS} endless loops`, besideMs),
    ],
    ratios: [ratio],
    bars: [barWithin(ratio, { bar: 5, aim: 2 })],
    notes: [`The loops ended ${rounds.reduce((sum, count) => sum + count, 0)} times by their limits.`],
  };
}

/** Loops again and again; how often it was ended. */
async function loop(
  lab: Lab,
  { id, over, isKnown }: { readonly id: string; readonly over: AbortSignal; readonly isKnown: () => void },
): Promise<number> {
  const agent = await lab.spawn(id);
  for (let rounds = 0; ; rounds++) {
    if (over.aborted) return rounds;
    if (rounds === LEARNT) isKnown();
    await refusalOf(agent.call("spin", undefined, { timeoutMs: 60_000 }));
    await after(1);
  }
}
