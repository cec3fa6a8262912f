/** How long an agent that did nothing takes to answer, asked at a steady pace. */
import { setTimeout as after } from "node:timers/promises";
import type { AgentRef } from "../../runtime/index.ts";

const PACE_MS = 5;
const PATIENCE_MS = 60_000;

/** Times calls until `work` has ended. */
export async function timesDuring(witness: AgentRef, work: Promise<unknown>): Promise<readonly number[]> {
  const over = new AbortController();
  const ended = work.finally(() => over.abort());
  const samplesMs = await timesUntil(witness, over.signal);
  await ended;
  return samplesMs;
}

/** Times calls for so long. */
export function timesFor(witness: AgentRef, ms: number): Promise<readonly number[]> {
  return timesDuring(witness, after(ms));
}

async function timesUntil(witness: AgentRef, over: AbortSignal): Promise<readonly number[]> {
  const samplesMs: number[] = [];
  while (!over.aborted) {
    const started = performance.now();
    await witness.call("add", 0, { timeoutMs: PATIENCE_MS });
    samplesMs.push(performance.now() - started);
    await after(PACE_MS);
  }
  return samplesMs;
}
