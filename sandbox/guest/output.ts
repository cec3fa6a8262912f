/** The texts that a guest answers with. Their form is described, and parsed, in protocol.ts. */

import { pack } from "../envelope.ts";
import {
  DONE,
  FAULT,
  LOADED,
  SAY,
  THREW,
  WAIT,
  type Ask,
  type GuestFault,
  type GuestLog,
  type Outbound,
  type StateOp,
} from "../protocol.ts";
import type { RowOp, RowRead } from "../rows.ts";
import { bare } from "./primordials.ts";

/** What is said when even describing what went wrong goes wrong. Built while the realm is still clean. */
export const LAST_RESORT: string = FAULT + pack(["", "Error", "the guest cannot describe what went wrong", ""]);

/** What a turn has to send and say. */
interface Sayings {
  readonly id: number;
  readonly outbox: readonly Outbound[];
  readonly logs: readonly GuestLog[];
}

/** A turn that settled, with everything that it changed and sends. */
export function doneText(turn: Sayings, reply: string, ops: readonly StateOp[], rows: readonly RowOp[]): string {
  const { id, outbox, logs } = turn;
  const segments: string[] = bare([
    `${id}`,
    reply,
    `${ops.length}`,
    `${rows.length}`,
    `${outbox.length}`,
    `${logs.length}`,
  ]);
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index];
    if (op !== undefined) add(segments, op[0], opText(op[1]));
  }
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index];
    if (row === undefined) continue;
    add(segments, row[0], row[1]);
    segments[segments.length] = opText(row[2]);
  }
  for (let index = 0; index < outbox.length; index++) {
    const outbound = outbox[index];
    if (outbound !== undefined) add(segments, outbound.verb, outbound.text);
  }
  addLogs(segments, logs);
  return DONE + pack(segments);
}

/** A turn that failed; nothing of it counts but its log. */
export function threwText(turn: Sayings, fault: GuestFault): string {
  const { code = "", name, message, stack } = fault;
  const segments: string[] = bare([`${turn.id}`, code, name, message, stack, `${turn.logs.length}`]);
  addLogs(segments, turn.logs);
  return THREW + pack(segments);
}

/** A turn that waits, with the asks and reads that are new since it last said so. */
export function waitText(id: number, asks: readonly Ask[], reads: readonly RowRead[]): string {
  const segments: string[] = bare([`${id}`, `${asks.length}`, `${reads.length}`]);
  for (let index = 0; index < asks.length; index++) {
    const ask = asks[index];
    if (ask === undefined) continue;
    segments[segments.length] = `${ask.ask}`;
    add(segments, ask.verb, ask.step);
    segments[segments.length] = ask.text;
  }
  for (let index = 0; index < reads.length; index++) {
    const read = reads[index];
    if (read === undefined) continue;
    add(segments, `${read.ask}`, read.kind);
    add(segments, read.table, read.key);
    add(segments, read.to, read.after);
    add(segments, read.prefix, `${read.rowsMax}`);
  }
  return WAIT + pack(segments);
}

/** A guest that cannot go on, or cannot take what it was given; with what the module said until then. */
export function faultText(fault: GuestFault, logs: readonly GuestLog[]): string {
  const segments: string[] = bare([fault.code ?? "", fault.name, fault.message, fault.stack]);
  if (logs.length > 0) segments[4] = `${logs.length}`;
  addLogs(segments, logs);
  return FAULT + pack(segments);
}

/** A module that was evaluated: what it declares, and what it said meanwhile. */
export function loadedText(declared: string, logs: readonly GuestLog[]): string {
  const segments: string[] = bare([declared, `${logs.length}`]);
  addLogs(segments, logs);
  return LOADED + pack(segments);
}

/** What was logged so far, by a turn that is to be ended. */
export function saidText(logs: readonly GuestLog[]): string {
  const segments: string[] = bare([`${logs.length}`]);
  addLogs(segments, logs);
  return SAY + pack(segments);
}

function opText(text: string | undefined): string {
  return text === undefined ? "-" : `=${text}`;
}

function addLogs(segments: string[], logs: readonly GuestLog[]): void {
  for (let index = 0; index < logs.length; index++) {
    const log = logs[index];
    if (log === undefined) continue;
    add(segments, log.level, log.text);
    segments[segments.length] = log.at;
  }
}

function add(segments: string[], first: string, second: string): void {
  segments[segments.length] = first;
  segments[segments.length] = second;
}
