/**
 * What an operator sees of timers.
 */
import type { Branch } from "../vault/index.ts";
import type { TimerKind, TimerRecord } from "./timer-record.ts";
import { orderPrefix, readOrderKey, timerIn, timersOf } from "./timer-record.ts";

/** A durable timer as it stands. */
export interface TimerInfo {
  readonly agent: string;
  /** The name that `ctx.after` or `ctx.cron` returned. */
  readonly id: string;
  readonly method: string;
  /** When it falls due, in ms since 1970; in the past while its agent is down or busy. */
  readonly dueMs: number;
  /** Of a cron. */
  readonly pattern?: string;
  readonly timeZone?: string;
}

/** Which timers are wanted. */
export interface TimerQuery {
  readonly agent?: string | undefined;
  /** How many at most. */
  readonly limit: number;
}

/** Those that fall due next, in order. */
export function listTimers(branch: Branch | undefined, { agent, limit }: TimerQuery): readonly TimerInfo[] {
  if (branch === undefined) return [];
  const found = agent === undefined ? nextOfAll(branch, limit) : [...timersOf(branch, agent)];
  return found
    .toSorted((a, b) => a.dueMs - b.dueMs)
    .slice(0, limit)
    .map(infoOf);
}

/** Of each order as many as are wanted of both. */
function nextOfAll(branch: Branch, limit: number): readonly TimerRecord[] {
  const kinds: readonly TimerKind[] = ["after", "cron"];
  return kinds.flatMap((kind) =>
    [...branch.range({ prefix: orderPrefix(kind), limit })]
      .map(([key]) => readOrderKey(key))
      .map(({ agent, id }) => timerIn(branch, agent, id))
      .filter((timer) => timer !== undefined),
  );
}

function infoOf({ agent, id, method, dueMs, cron }: TimerRecord): TimerInfo {
  return { agent, id, method, dueMs, ...cron };
}
