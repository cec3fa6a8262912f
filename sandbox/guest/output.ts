/** The texts that a guest answers with. Their form is described, and parsed, in protocol.ts. */

import { pack, Packer } from "../envelope.ts";
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
import type { Linked } from "./chain.ts";

/** What is said when even describing what went wrong goes wrong. Built while the realm is still clean. */
export const LAST_RESORT: string = FAULT + pack(["", "Error", "the guest cannot describe what went wrong", ""]);

/** What a turn has to send and say. */
interface Sayings {
  readonly id: number;
  readonly outbox: Linked<Outbound>;
  readonly logs: Linked<GuestLog>;
}

/** A turn that settled, with everything that it changed and sends. */
export function doneText(turn: Sayings, reply: string, ops: Linked<StateOp>, rows: Linked<RowOp>): string {
  const { id, outbox, logs } = turn;
  const packer = new Packer();
  add(packer, `${id}`, reply);
  add(packer, `${ops.length}`, `${rows.length}`);
  add(packer, `${outbox.length}`, `${logs.length}`);
  for (let link = ops.first; link !== undefined; link = link.next) add(packer, link.item[0], opText(link.item[1]));
  for (let link = rows.first; link !== undefined; link = link.next) {
    const row = link.item;
    add(packer, row[0], row[1]);
    packer.add(opText(row[2]));
  }
  for (let link = outbox.first; link !== undefined; link = link.next) add(packer, link.item.verb, link.item.text);
  addLogs(packer, logs);
  return DONE + packer.text;
}

/** A turn that failed; nothing of it counts but its log. */
export function threwText(turn: Sayings, fault: GuestFault): string {
  const packer = new Packer();
  packer.add(`${turn.id}`);
  addFault(packer, fault);
  packer.add(`${turn.logs.length}`);
  addLogs(packer, turn.logs);
  return THREW + packer.text;
}

/** A turn that waits, with the asks and reads that are new since it last said so. */
export function waitText(id: number, asks: Linked<Ask>, reads: Linked<RowRead>): string {
  const packer = new Packer();
  packer.add(`${id}`);
  add(packer, `${asks.length}`, `${reads.length}`);
  for (let link = asks.first; link !== undefined; link = link.next) {
    const ask = link.item;
    add(packer, `${ask.ask}`, ask.verb);
    add(packer, ask.step, ask.text);
  }
  for (let link = reads.first; link !== undefined; link = link.next) {
    const read = link.item;
    add(packer, `${read.ask}`, read.kind);
    add(packer, read.table, read.key);
    add(packer, read.to, read.after);
    add(packer, read.prefix, `${read.rowsMax}`);
  }
  return WAIT + packer.text;
}

/** A guest that cannot go on, or cannot take what it was given; with what the module said until then. */
export function faultText(fault: GuestFault, logs: Linked<GuestLog>): string {
  const packer = new Packer();
  addFault(packer, fault);
  if (logs.length > 0) packer.add(`${logs.length}`);
  addLogs(packer, logs);
  return FAULT + packer.text;
}

/** A module that was evaluated: what it declares, and what it said meanwhile. */
export function loadedText(declared: string, logs: Linked<GuestLog>): string {
  const packer = new Packer();
  add(packer, declared, `${logs.length}`);
  addLogs(packer, logs);
  return LOADED + packer.text;
}

/** What was logged so far, by a turn that is to be ended. */
export function saidText(logs: Linked<GuestLog>): string {
  const packer = new Packer();
  packer.add(`${logs.length}`);
  addLogs(packer, logs);
  return SAY + packer.text;
}

function opText(text: string | undefined): string {
  return text === undefined ? "-" : `=${text}`;
}

function addFault(packer: Packer, { code = "", name, message, stack }: GuestFault): void {
  add(packer, code, name);
  add(packer, message, stack);
}

function addLogs(packer: Packer, logs: Linked<GuestLog>): void {
  for (let link = logs.first; link !== undefined; link = link.next) {
    add(packer, link.item.level, link.item.text);
    packer.add(link.item.at);
  }
}

function add(packer: Packer, first: string, second: string): void {
  packer.add(first);
  packer.add(second);
}
