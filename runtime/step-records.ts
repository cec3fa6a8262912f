/**
 * The results of steps, kept in the agent's own branch until the turn they belong to is committed.
 *
 *   e:<message>:<use>:<name>  ->  <order, 12 digits><result as text>      message: its identity, a hash
 *
 * Invariants
 * 1. A record is written once and goes in the commit of its turn.
 * 2. What is left of messages that never came to their end is bounded by count and by bytes; the oldest message's go first,
 *    and never those of the message in work.
 */
import type { Op, View } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";
import { isRefusal } from "./feed.ts";

/** Messages whose records are kept though their turns were not committed: as many as ids of calls. */
export const STEP_MESSAGES_KEPT = 1_024;
/** Bytes of all records of one agent: the steps of the message in work come on top. */
const STEP_BYTES_KEPT: number = 64 << 20;

const PREFIX = "e:";
const ORDER_DIGITS = 12;
const IDENTITY_LENGTH = 43;

/** A step of a message. */
export interface StepPlace {
  /** The message's, a hash. */
  readonly identity: string;
  readonly name: string;
  readonly use: number;
}

interface Kept {
  readonly keys: string[];
  bytes: number;
}

/** The recorded result of a step. */
export function recordedResult(view: View, place: StepPlace): string | undefined {
  const value = view.get(keyOf(place));
  return value === undefined ? undefined : textOf(value).slice(ORDER_DIGITS);
}

/** Which records a branch holds, oldest message first. Filled from the branch once, then kept beside it. */
export class StepRecords {
  readonly #messages = new Map<string, Kept>();
  #order = 0;
  #bytes = 0;

  constructor(view: View) {
    const found: { readonly key: string; readonly order: number; readonly bytes: number }[] = [];
    for (const [key, value] of view.range({ prefix: PREFIX })) {
      found.push({ key, order: Number(textOf(value.subarray(0, ORDER_DIGITS))), bytes: value.length });
    }
    found.sort((a, b) => a.order - b.order);
    for (const { key, order, bytes } of found) {
      this.#add(key.slice(PREFIX.length, PREFIX.length + IDENTITY_LENGTH), key, bytes);
      this.#order = order;
    }
  }

  /** The ops that record a result, and let the oldest records of other messages go where there are too many. */
  record(place: StepPlace, result: string): readonly Op[] {
    const key = keyOf(place);
    const value = Buffer.from(String(++this.#order).padStart(ORDER_DIGITS, "0") + result);
    this.#add(place.identity, key, value.length);
    const ops: Op[] = [{ put: key, value }];
    for (const identity of this.#messages.keys()) {
      if (this.#messages.size <= STEP_MESSAGES_KEPT && this.#bytes <= STEP_BYTES_KEPT) break;
      if (identity !== place.identity) ops.push(...this.settle(identity));
    }
    return ops;
  }

  /** The ops that remove a message's records: its turn is committed, or can never be run again. */
  settle(identity: string): readonly Op[] {
    const kept = this.#messages.get(identity);
    if (kept === undefined) return [];
    this.#messages.delete(identity);
    this.#bytes -= kept.bytes;
    return kept.keys.map((key) => ({ delete: key }));
  }

  #add(identity: string, key: string, bytes: number): void {
    const kept = this.#messages.get(identity) ?? { keys: [], bytes: 0 };
    this.#messages.set(identity, kept);
    kept.keys.push(key);
    kept.bytes += bytes;
    this.#bytes += bytes;
  }
}

/**
 * What a restore of an earlier state must write with it: the records of now. What was done outside is done, whatever state the
 * agent goes back to, and the messages they belong to may come again. None where they cannot be read.
 */
export function standingSteps(now: View): readonly Op[] {
  try {
    return Array.from(now.range({ prefix: PREFIX }), ([put, value]) => ({ put, value }));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return []; // damaged pages may be the very reason of the restore
  }
}

function keyOf({ identity, name, use }: StepPlace): string {
  return `${PREFIX}${identity}:${use}:${name}`;
}
