/**
 * One turn from the inside: what it asked, what it wants to send, what it logged, and whether its handler has settled.
 *
 * Invariants
 * 1. A turn is over once, and nothing counts that agent code does with its `ctx` afterwards.
 * 2. Nothing leaves a turn but through its lists; their lengths keep the limits, so the Guardian never has to refuse what an
 *    honest guest sends.
 */

import { decode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import { LOG_LINES_MAX, type Ask, type GuestLog, type IsolateLimits, type Outbound, type Turn } from "../protocol.ts";
import type { RowQuery, RowRead } from "../rows.ts";
import { Chain, type Linked } from "./chain.ts";
import {
  assign,
  define,
  mapDelete,
  mapForEach,
  mapGet,
  mapSet,
  NativeError,
  NativeMap,
  NativePromise,
  toWellFormed,
} from "./primordials.ts";
import { frames, framesOf, position } from "./position.ts";
import { readOnly } from "./read-only.ts";
import { RowDraft } from "./row-draft.ts";
import { utf8Length } from "./utf8.ts";

/** How a handler settled. */
export type Result = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly thrown: unknown };

/** An answer from outside, as it came: a code stands in `text` where it is a refusal. */
export interface Answer {
  readonly isOk: boolean;
  readonly text: string;
  readonly message: string;
}

interface OpenAsk {
  /** Where it was asked: its frames are the stack of a refusal, which comes from nowhere else in the agent's code. */
  readonly from: object;
  /** Takes the text of an answer; throws what the text does not say rightly. */
  readonly take: (text: string) => void;
  readonly reject: (error: unknown) => void;
  /** The turn may end without the answer. */
  isLoose?: boolean;
}

/** Said once when a turn logs more than it may; its bytes are kept free. */
const LOG_CUT = "(more lines of this turn were dropped: it logged more than its limit)";
const LOG_CUT_BYTES = LOG_CUT.length;

/** The turn in progress. */
export class TurnRun {
  readonly id: number;
  readonly kind: Turn["kind"];
  /** The handler was declared `reads: true`. */
  reads = false;
  isOver = false;
  result: Result | undefined;
  /** What its handler was given. */
  context: object | undefined;
  readonly outbox: Chain<Outbound> = new Chain();
  readonly logs: Chain<GuestLog> = new Chain();
  /** What the turn wrote to its tables. */
  readonly rows: RowDraft;
  /** The step that asks now, "" outside of steps. */
  stepScope: () => string = () => "";
  readonly #limits: IsolateLimits;
  readonly #open: Map<number, OpenAsk> = new NativeMap();
  #openCount = 0;
  #looseCount = 0;
  #askCount = 0;
  #readCount = 0;
  #lastAsk = 0;
  #unsent: Chain<Ask> = new Chain();
  #unsentReads: Chain<RowRead> = new Chain();
  #logBytes = 0;
  #isLogCut = false;
  #timerCount = 0;

  constructor(id: number, kind: Turn["kind"], limits: IsolateLimits) {
    this.id = id;
    this.kind = kind;
    this.#limits = limits;
    this.rows = new RowDraft(limits);
  }

  /** Asks and reads are open, and the turn cannot end without their answers. */
  get mustWait(): boolean {
    return this.#openCount > (this.result === undefined ? 0 : this.#looseCount);
  }

  /** The number of the newest ask or read. */
  get lastAsk(): number {
    return this.#lastAsk;
  }

  /** What was asked after this number and is still open need not be answered before the turn ends: a try has given it up. */
  loosen(afterAsk: number): void {
    mapForEach(this.#open, (open, ask) => {
      if (ask <= afterAsk || open.isLoose === true) return;
      open.isLoose = true;
      this.#looseCount++;
    });
  }

  /** @throws {SandboxError} SANDBOX_REQUEST_INVALID when the turn is over: `ctx` outlived it. */
  assertOpen(): void {
    if (!this.isOver) return;
    throw new SandboxError("SANDBOX_REQUEST_INVALID", "This turn is over: ctx is valid until its handler has settled.");
  }

  /** A promise of the answer. Rejects with SANDBOX_ASKS_EXCEEDED beyond the limit. */
  ask(verb: string, write: () => string): Promise<unknown> {
    const answer = new NativePromise<unknown>((resolve, reject) => {
      const take = (text: string): void => resolve(decode(text, { bytesMax: Infinity }));
      this.#put({ verb, step: this.stepScope(), write }, { take, reject, from: frames() });
    });
    return quiet(answer);
  }

  /** As `ask`, for an answer that is no encoded value. `step`: whose question it is, "" for the turn's own. */
  askText(verb: string, text: string, step = ""): Promise<string> {
    const answer = new NativePromise<string>((resolve, reject) => {
      this.#put({ verb, step, write: () => text }, { take: resolve, reject, from: frames() });
    });
    return quiet(answer);
  }

  #put({ verb, step, write }: Pick<Ask, "verb" | "step"> & { readonly write: () => string }, open: OpenAsk): void {
    this.assertOpen();
    if (this.reads && verb !== "call") throw readOnly(`cannot ${verb}`);
    const max = this.#limits.asksPerTurnMax;
    if (this.#askCount >= max)
      throw exceeded("SANDBOX_ASKS_EXCEEDED", `asks more than ${max} times (limits.asksPerTurnMax)`);
    const text = write();
    this.#askCount++;
    this.#unsent.add({ ask: this.#await(open), verb, step, text });
  }

  /** A promise of the answer's text. Rejects with SANDBOX_READS_EXCEEDED beyond the limit. */
  read(query: RowQuery): Promise<string> {
    const answer = new NativePromise<string>((resolve, reject) => {
      this.assertOpen();
      const max = this.#limits.tableReadsPerTurnMax;
      if (this.#readCount >= max)
        throw exceeded(
          "SANDBOX_READS_EXCEEDED",
          `reads more than ${max} times from its tables (limits.tableReadsPerTurnMax)`,
        );
      this.#readCount++;
      const ask = this.#await({ take: resolve, reject, from: frames() });
      this.#unsentReads.add({ ...query, ask });
    });
    return quiet(answer);
  }

  #await(open: OpenAsk): number {
    const ask = ++this.#lastAsk;
    mapSet(this.#open, ask, open);
    this.#openCount++;
    return ask;
  }

  /** The asks since the last time, to be sent. */
  takeAsks(): Linked<Ask> {
    const asks = this.#unsent;
    this.#unsent = new Chain();
    return asks;
  }

  /** The reads since the last time, to be sent. */
  takeReads(): Linked<RowRead> {
    const reads = this.#unsentReads;
    this.#unsentReads = new Chain();
    return reads;
  }

  /** Hands an answer to the handler. False when nobody asked. */
  answer(ask: number, { isOk, text, message }: Answer): boolean {
    const open = mapGet(this.#open, ask);
    if (open === undefined) return false;
    mapDelete(this.#open, ask);
    this.#openCount--;
    if (open.isLoose === true) this.#looseCount--;
    try {
      if (!isOk) throw refusal(message, text, open.from);
      open.take(text);
    } catch (thrown) {
      open.reject(thrown);
    }
    return true;
  }

  /** @throws {SandboxError} SANDBOX_OUTBOX_EXCEEDED; SANDBOX_STATE_READONLY for all but casts in a handler that only reads */
  send(verb: string, text: string): void {
    this.assertOpen();
    if (this.reads && verb !== "cast") throw readOnly(`cannot ${verb}`);
    const max = this.#limits.outboxPerTurnMax;
    if (this.outbox.length >= max)
      throw exceeded("SANDBOX_OUTBOX_EXCEEDED", `sends more than ${max} messages (limits.outboxPerTurnMax)`);
    this.outbox.add({ verb, text });
  }

  /** Numbers the timers that the turn sets, from 1. */
  nextTimer(): number {
    return ++this.#timerCount;
  }

  /** Logging never fails a turn: what is too much is dropped, and one line says so. `say` never throws. */
  log(level: GuestLog["level"], say: () => string): void {
    if (!this.isOver) this.#write(level, say);
  }

  /** Logs a rejection that nobody handles, also when the turn is over: V8 tells of it last of all. */
  logStray(text: string): void {
    this.#write("error", () => `Uncaught (in promise) ${text}`);
  }

  #write(level: GuestLog["level"], say: () => string): void {
    const bytesMax = this.#limits.logBytesPerTurnMax;
    if (this.#isLogCut) return;
    const text = toWellFormed(say());
    const bytes = utf8Length(text);
    const hasRoom = this.#logBytes + bytes + LOG_CUT_BYTES <= bytesMax;
    if (hasRoom && this.logs.length < LOG_LINES_MAX - 1) {
      this.#logBytes += bytes;
      this.logs.add({ level, text, at: position() });
      return;
    }
    this.#isLogCut = true;
    if (LOG_CUT_BYTES <= bytesMax) this.logs.add({ level: "warn", text: LOG_CUT, at: "" });
  }
}

/** Marks a promise as handled: a call whose promise nobody awaits must not become a stray rejection of the next entry. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  // Not awaited on purpose: it settles with the promise and never rejects.
  void swallow(promise);
  return promise;
}

async function swallow(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Whoever awaits the promise itself sees the error.
  }
}

function refusal(message: string, code: string, from: object): Error {
  const error = assign(new NativeError(message), { code });
  define(error, "stack", `Error: ${message}\n${framesOf(from)}`);
  return error;
}

function exceeded(
  code: "SANDBOX_ASKS_EXCEEDED" | "SANDBOX_OUTBOX_EXCEEDED" | "SANDBOX_READS_EXCEEDED",
  what: string,
): SandboxError {
  return new SandboxError(code, `This turn ${what}; that is its limit.`);
}
