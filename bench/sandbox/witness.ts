/**
 * How long an agent that did nothing takes to answer, asked at a steady pace, whether it has answered before or not. The time runs
 * from when a call was due: a slow answer hides nothing of what others would have waited meanwhile.
 */
import { setTimeout as after } from "node:timers/promises";
import type { AgentRef } from "../../runtime/index.ts";

/** Slow enough for what is due while it is kept waiting to be answered at once when it can: up to 128 messages are on their way to a cell. */
const PACE_MS = 10;
const PATIENCE_MS = 60_000;
/** What a witness is spawned with: it refuses nothing of what is due. */
export const WITNESS_LIMITS = { mailboxMax: 100_000 } as const;

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
  const calls: Promise<number>[] = [];
  for (let dueMs = performance.now(); !over.aborted; dueMs += PACE_MS) {
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await after(earlyMs);
    calls.push(timedFrom(Math.min(dueMs, performance.now()), witness)); // a timer may fire a little before its time
  }
  return await Promise.all(calls);
}

async function timedFrom(startMs: number, witness: AgentRef): Promise<number> {
  await witness.call("add", 0, { timeoutMs: PATIENCE_MS });
  return performance.now() - startMs;
}
