/**
 * Durable timers in the vault: one branch `~timers` for all agents, ordered by what falls due next.
 *
 *   t:<agent>\0<id>                 the timer (JSON)
 *   a:<due>:<agent>\0<id>           its place in the order, of an `after`
 *   c:<due>:<agent>\0<id>           its place in the order, of a `cron`
 *   n:<agent>                       how many timers the agent has
 *
 * The two kinds are ordered apart because they are measured by different clocks: an `after` by the time that passes, a cron
 * by what the wall clock says.
 *
 * Invariants
 * 1. A timer and its place are written and deleted in one commit, with the count.
 * 2. A timer's due times are used once each: the commit of the turn that a due time started deletes or moves it.
 */
import type { Branch, Op, View } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";
import { cronAfter } from "./cron.ts";
import type { CronTime } from "./cron.ts";

/** Which order a timer stands in. */
export type TimerKind = "after" | "cron";

/** A timer as it stands in the vault. */
export interface TimerRecord {
  readonly agent: string;
  readonly id: string;
  /** The method that gets the message, and its encoded argument. */
  readonly method: string;
  readonly text: string;
  /** When it falls due (next), in ms. */
  readonly dueMs: number;
  /** Of a cron. */
  readonly cron?: CronTime | undefined;
}

/** Reads of single keys, before or after a turn's own writes. */
type Reads = Pick<View, "get">;

const KIND_LETTERS: Readonly<Record<TimerKind, string>> = { after: "a:", cron: "c:" };
const DUE_DIGITS = 16;

/** Which order a timer stands in. */
export function kindOf({ cron }: TimerRecord): TimerKind {
  return cron === undefined ? "after" : "cron";
}

/** A timer's name within the branch: its agent's and its own. */
function timerName(agent: string, id: string): string {
  return `${agent}\0${id}`;
}

/** What keys of an order begin with. */
export function orderPrefix(kind: TimerKind): string {
  return KIND_LETTERS[kind];
}

/** A timer's key in its order. */
export function orderKey(timer: TimerRecord): string {
  const due = String(timer.dueMs).padStart(DUE_DIGITS, "0");
  return `${orderPrefix(kindOf(timer))}${due}:${timerName(timer.agent, timer.id)}`;
}

/** What a key in an order says. */
export function readOrderKey(key: string): { readonly dueMs: number; readonly agent: string; readonly id: string } {
  const [agent = "", id = ""] = key.slice(2 + DUE_DIGITS + 1).split("\0");
  return { dueMs: Number(key.slice(2, 2 + DUE_DIGITS)), agent, id };
}

/** The timer of this name. */
export function timerIn(reads: Reads, agent: string, id: string): TimerRecord | undefined {
  const value = reads.get(timerKey(agent, id));
  return value === undefined ? undefined : (JSON.parse(textOf(value)) as TimerRecord); // written by setOps alone
}

/** All timers of an agent. */
export function* timersOf(view: View, agent: string): Iterable<TimerRecord> {
  for (const [, value] of view.range({ prefix: timerKey(agent, "") })) yield JSON.parse(textOf(value)) as TimerRecord; // as above
}

/** How many timers an agent has. */
export function timerCount(reads: Reads, agent: string): number {
  const value = reads.get(countKey(agent));
  return value === undefined ? 0 : Number(textOf(value));
}

/** The ops that set a timer, in place of one of the same name. */
export function setOps(reads: Reads, timer: TimerRecord): readonly Op[] {
  const before = timerIn(reads, timer.agent, timer.id);
  const ops: Op[] = before === undefined ? countOps(reads, timer.agent, 1) : [{ delete: orderKey(before) }];
  ops.push({ put: timerKey(timer.agent, timer.id), value: Buffer.from(JSON.stringify(timer)) });
  ops.push({ put: orderKey(timer), value: new Uint8Array() });
  return ops;
}

/** The ops that take a timer away. */
export function removeOps(reads: Reads, timer: TimerRecord): readonly Op[] {
  const { agent, id } = timer;
  return [{ delete: orderKey(timer) }, { delete: timerKey(agent, id) }, ...countOps(reads, agent, -1)];
}

/** The ops that take all timers of an agent away. */
export function removeAllOps(branch: Branch, agent: string): readonly Op[] {
  const ops: Op[] = [];
  for (const timer of timersOf(branch, agent))
    ops.push({ delete: orderKey(timer) }, { delete: timerKey(agent, timer.id) });
  return ops.length === 0 ? ops : [...ops, { delete: countKey(agent) }];
}

/** The ops that use up a due time: a cron moves on to its next one, all others are over. */
export function useOps(reads: Reads, timer: TimerRecord): readonly Op[] {
  const dueMs = timer.cron === undefined ? undefined : cronAfter(timer.cron, timer.dueMs);
  return dueMs === undefined ? removeOps(reads, timer) : setOps(reads, { ...timer, dueMs });
}

function countOps(reads: Reads, agent: string, by: number): Op[] {
  const count = timerCount(reads, agent) + by;
  const key = countKey(agent);
  return [count <= 0 ? { delete: key } : { put: key, value: Buffer.from(String(count)) }];
}

function timerKey(agent: string, id: string): string {
  return `t:${timerName(agent, id)}`;
}

function countKey(agent: string): string {
  return `n:${agent}`;
}
