/**
 * Hand-over: an agent whose context is full ends its life in order and tells the next one what it must know. What is counted
 * and handed over is committed with the turn that says it, in the agent's own branch.
 *
 *   h:used        what was used since the last hand-over
 *   h:note        the newest note, as encoded text: `ctx.note` of every life from here on
 *   h:r:<order>   one hand-over (JSON): its note and what was used; order has 12 digits
 *
 *   turn --"used"------> h:used grows
 *        --"handover"--> h:used goes, h:note and a record come --durable--> the life ends, the next one begins
 *
 * Invariants
 * 1. A hand-over and its record are one commit with everything else that its turn wrote.
 * 2. It is no exit: nobody is told but by one event, and no restart is charged. Messages that wait go to the next life.
 * 3. The newest `HANDOVERS_KEPT` records are kept; the oldest goes in the commit that brings one too many.
 */
import { decode, HANDOVER, lifeText, parseHandover, parseUsed, SandboxError, USED } from "../sandbox/index.ts";
import type { Outbound } from "../sandbox/index.ts";
import type { Op, View } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { OutgoingVerbs } from "./outgoing.ts";

/** Records of hand-overs kept per agent. */
export const HANDOVERS_KEPT = 100;

/** Ends a life so that the next one takes over: compared by identity, because it is no exit of the agent. */
export const HANDED_OVER: ExitReason = { name: "normal", message: "it handed over to its next life" };

const USED_KEY = "h:used";
const NOTE_KEY = "h:note";
const RECORD_PREFIX = "h:r:";
const ORDER_DIGITS = 12;

/** One hand-over, as it is recorded. */
export interface HandoverRecord {
  /** Encoded; "" for none. */
  readonly note: string;
  /** Since the hand-over before. */
  readonly used: number;
}

/** What a life of the agent in this branch starts with, as a text for its isolate. */
export function lifeOf(view: View, contextBudget: number | undefined): string {
  return lifeText({ note: noteIn(view), used: usedIn(view), budget: contextBudget ?? 0 });
}

/** What was used since the last hand-over. */
function usedIn(view: View): number {
  const value = view.get(USED_KEY);
  return value === undefined ? 0 : Number(textOf(value));
}

/** What a commit that wrote these keys handed over; undefined where it is none, empty where its record is gone. */
export function handoverIn(
  view: View,
  keys: readonly string[],
): { readonly note?: unknown; readonly used?: number } | undefined {
  const key = keys.find((written) => written.startsWith(RECORD_PREFIX)); // the new one; the oldest that goes comes behind
  if (key === undefined) return undefined;
  const value = view.get(key);
  if (value === undefined) return {};
  const { note, used } = JSON.parse(textOf(value)) as HandoverRecord; // written by handoverOps alone
  return { note: note === "" ? undefined : decode(note, { bytesMax: Number.POSITIVE_INFINITY }), used };
}

/** Lets agents count their context and hand over. */
export function provideHandover(outgoing: OutgoingVerbs, events: EventStream): void {
  outgoing.provide(USED, ({ branch }, text) => ({ ops: usedOps(branch, text), actions: [] }));
  outgoing.provide(HANDOVER, ({ agent, branch }, text) => {
    const { isDue } = parseHandover(text);
    const { ops, used } = handoverOps(branch, text);
    return {
      ops,
      actions: [],
      leave: () => events.emit({ type: "agent.handed_over", agent, used, isDue }),
      exit: HANDED_OVER,
    };
  });
}

/**
 * What a turn's outbox says about its context, as ops: for a version on trial, which sends nothing else. What no honest guest
 * says counts for nothing.
 */
export function contextOps(view: View, outbox: readonly Outbound[]): readonly Op[] {
  return outbox.flatMap(({ verb, text }) => {
    if (verb !== USED && verb !== HANDOVER) return [];
    try {
      return verb === USED ? usedOps(view, text) : handoverOps(view, text).ops;
    } catch (error) {
      if (error instanceof SandboxError) return [];
      throw error;
    }
  });
}

function usedOps(view: View, text: string): Op[] {
  const used = Math.min(Number.MAX_SAFE_INTEGER, usedIn(view) + parseUsed(text));
  return [{ put: USED_KEY, value: Buffer.from(String(used)) }];
}

function handoverOps(view: View, text: string): { readonly ops: Op[]; readonly used: number } {
  const said = parseHandover(text);
  // A note that cannot be read would stand in the way of every life to come, and of the history.
  if (said.note !== "") decode(said.note, { bytesMax: Number.POSITIVE_INFINITY });
  const used = Math.min(Number.MAX_SAFE_INTEGER, usedIn(view) + said.used);
  const record: HandoverRecord = { note: said.note, used };
  const [newest] = view.range({ prefix: RECORD_PREFIX, reverse: true, limit: 1 });
  const order = newest === undefined ? 1 : Number(newest[0].slice(RECORD_PREFIX.length)) + 1;
  const ops: Op[] = [
    { delete: USED_KEY },
    said.note === "" ? { delete: NOTE_KEY } : { put: NOTE_KEY, value: Buffer.from(said.note) },
    { put: recordKey(order), value: Buffer.from(JSON.stringify(record)) },
  ];
  if (order > HANDOVERS_KEPT) ops.push({ delete: recordKey(order - HANDOVERS_KEPT) });
  return { ops, used };
}

function recordKey(order: number): string {
  return RECORD_PREFIX + String(order).padStart(ORDER_DIGITS, "0");
}

function noteIn(view: View): string {
  const value = view.get(NOTE_KEY);
  return value === undefined ? "" : textOf(value);
}
