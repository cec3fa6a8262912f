/**
 * An answer that comes in parts: read from the capability as fast as it speaks, a bounded way ahead, and handed to the guest
 * in batches, each the answer to one question.
 *
 *   iterator --next--> parts that wait (bounded) --batch 0, 1, 2 …--> guest
 *
 * A turn may ask only so many questions, and a model says thousands of words: the longer a stream goes on, the longer a batch
 * waits for more.
 *
 * Invariants
 * 1. Batches are asked for in order, each once; a turn that is run again is given them by the ledger of its message.
 * 2. However it ends (done, failed, late, left, turn over), the iterator is told to return, and `onEnd` is called once.
 */
import { BATCH_PARTS_MAX, batchText } from "../../sandbox/index.ts";
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { CallSpan } from "./span.ts";

/** Each batch waits so much longer than the one before, in ms, from the first one on … */
const PACE_MS = 4;
/** … but no longer than this: 256 questions, which is what a turn may ask, are enough for a minute and a half. */
const PACE_MS_MAX = 500;

/** Parts that wait at most, however small: a capability that never pauses would keep the program from everything else. */
const PARTS_WAITING_MAX: number = 2 * BATCH_PARTS_MAX;

/** Where the parts of an answer come from. */
export interface PartSource {
  /** The next batch as text. Rejects with what the stream ended with, once the parts before that are taken. */
  batch(number: number): Promise<string>;
  /** The guest wants no more of it. */
  leave(): void;
}

/** What a stream needs. */
export interface StreamOptions {
  readonly clock: Clock;
  readonly span: CallSpan;
  /** Bytes of parts that wait, and of one batch; a single part may have as many. */
  readonly bytesMax: number;
  /** A part as text. Throws what the agent shall be told. */
  readonly encode: (part: unknown) => string;
  /** It is over. `error`: what it ended with, if that was not well. Never rejects; the guest hears of the end when it is done. */
  readonly onEnd: (end: { readonly error?: unknown; readonly bytes: number }) => Promise<void>;
}

/** One stream. */
export class CapabilityStream implements PartSource {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #options: StreamOptions;
  #parts: string[] = [];
  /** Of the parts that wait. */
  #bytes = 0;
  #bytesRead = 0;
  #nextBatch = 0;
  #isReading = false;
  #end: { readonly error?: unknown } | undefined;
  #recorded: Promise<void> = Promise.resolve();
  /** Called when a part came, one was taken, or it is over. */
  #nudge: () => void = () => undefined;
  #moved: Promise<void> = Promise.resolve();

  constructor(iterator: AsyncIterator<unknown>, options: StreamOptions) {
    this.#iterator = iterator;
    this.#options = options;
    this.#stir();
    const { signal } = options.span;
    const aborted = (): void => {
      const error: unknown = signal.reason;
      this.#over({ error });
    };
    // A signal that was given already is not given again.
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  }

  async batch(number: number): Promise<string> {
    if (number !== this.#nextBatch) {
      throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", "the batches of a stream are asked for in order");
    }
    this.#nextBatch += 1;
    if (!this.#isReading) void this.#read(); // never rejects: how it ends is kept
    this.#isReading = true;
    while (this.#parts.length === 0 && this.#end === undefined) await this.#moved;
    await this.#pace(number);
    await this.#recorded;
    if (this.#parts.length === 0 && this.#end?.error !== undefined) throw this.#end.error;
    const parts = this.#take();
    const isOver = this.#parts.length === 0 && this.#end !== undefined && this.#end.error === undefined;
    return batchText(parts, isOver);
  }

  leave(): void {
    this.#over({});
    this.#options.span.abort(new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "called off, the stream was left"));
  }

  /** Waits for more to come with what is there, the longer the more batches there were. */
  async #pace(number: number): Promise<void> {
    const waitMs = Math.min(PACE_MS_MAX, PACE_MS * number);
    if (waitMs === 0 || this.#end !== undefined) return;
    const { promise: isTime, resolve } = Promise.withResolvers<"time">();
    const timer = this.#options.clock.after(waitMs, () => resolve("time"));
    while (
      this.#end === undefined &&
      this.#parts.length < BATCH_PARTS_MAX &&
      this.#bytes < this.#options.bytesMax / 2
    ) {
      if ((await Promise.race([isTime, this.#moved])) === "time") break;
    }
    timer.cancel();
  }

  #take(): readonly string[] {
    const taken: string[] = [];
    let bytes = 0;
    for (const part of this.#parts) {
      const more = Buffer.byteLength(part);
      if (taken.length > 0 && (bytes + more > this.#options.bytesMax || taken.length === BATCH_PARTS_MAX)) break;
      taken.push(part);
      bytes += more;
    }
    this.#parts = this.#parts.slice(taken.length);
    this.#bytes -= bytes;
    this.#stir();
    return taken;
  }

  /** Reads until it is over, a bounded way ahead. Never rejects. */
  async #read(): Promise<void> {
    const { span, bytesMax, encode } = this.#options;
    try {
      while (this.#end === undefined) {
        while (this.#isFull(bytesMax) && this.#end === undefined) await span.within(this.#moved);
        const part = await span.within(next(this.#iterator));
        if (part.done === true) return this.#over({});
        if (this.#end === undefined) this.#add(encode(part.value));
      }
    } catch (error) {
      // An agent that waits for a part must be told something, also where nothing at all was thrown.
      this.#over({ error: error ?? new RuntimeError("RUNTIME_CAPABILITY_FAILED", `it threw ${String(error)}`) });
    }
  }

  #isFull(bytesMax: number): boolean {
    return this.#bytes >= bytesMax || this.#parts.length >= PARTS_WAITING_MAX;
  }

  #add(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#parts.push(text);
    this.#bytes += bytes;
    this.#bytesRead += bytes;
    this.#stir();
  }

  #over(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    void close(this.#iterator); // never rejects; nobody waits for it
    this.#recorded = this.#options.onEnd({ ...end, bytes: this.#bytesRead });
    this.#stir();
  }

  /** Whoever waits for a change looks again. */
  #stir(): void {
    this.#nudge();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#moved = promise;
    this.#nudge = resolve;
  }
}

async function next(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
  const result: unknown = await iterator.next();
  if (typeof result === "object" && result !== null) return result as IteratorResult<unknown>; // what it lacks reads as undefined
  throw new TypeError("its iterator answered with no result");
}

/** Gives it the chance to let go of what it holds. Never rejects. */
async function close(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // It is over; how it took that is its own matter.
  }
}
