/**
 * Live turns on their way to shadows: the agent puts them in and goes on, a stage takes them out when it can.
 *
 *   live turn --put--> [ queue ] --next--> turn
 *                        full: emptied     overflow   (the shadows are behind: fork anew)
 *                        nothing comes     quiet
 *                        its time is over  over
 *                        signal            aborted
 *
 * Invariants
 * 1. `put` never waits and never throws: it runs inside the live agent's turn.
 * 2. In order, and bounded by count and by text; a queue that was full once hands out nothing that came before it was emptied.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import type { Clock, Timer } from "../../vault/index.ts";

/** What `next` found. */
export type Arrival<T> =
  | { readonly kind: "turn"; readonly item: T }
  | { readonly kind: "overflow" }
  | { readonly kind: "quiet" }
  | { readonly kind: "over" }
  | { readonly kind: "aborted" };

/** Turns that may wait: a second of an agent that answers a thousand a second. */
export const LAG_TURNS_MAX = 1_000;
/** Text that may wait, in UTF-16 units: as much as a recorder keeps. */
export const LAG_TEXT_MAX: number = 8 << 20;

/** What a queue is bounded by. */
export interface TurnQueueOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Nothing for so long, in ms: quiet. */
  readonly quietMs: number;
  /** The instant at which it is over, on the monotonic clock. */
  readonly endMs: number;
}

/** A bounded queue of items that each carry a live turn. */
export class TurnQueue<T extends { readonly turn: RecordedTurn }> {
  readonly #options: TurnQueueOptions;
  #items: T[] = [];
  #text = 0;
  #hasOverflowed = false;
  #wake: (() => void) | undefined;
  readonly #onDropped: (item: T) => void;

  /** `onDropped` is told of every item that nobody will take out. */
  constructor(options: TurnQueueOptions, onDropped: (item: T) => void = () => undefined) {
    this.#options = options;
    this.#onDropped = onDropped;
  }

  /** Turns that wait. */
  get length(): number {
    return this.#items.length;
  }

  /** Takes an item in, or empties the queue where it is full. */
  put(item: T): void {
    this.#text += textOf(item.turn);
    this.#items.push(item);
    if (this.#items.length > LAG_TURNS_MAX || this.#text > LAG_TEXT_MAX) {
      this.#hasOverflowed = true;
      this.clear();
    }
    this.#wake?.();
  }

  /** Drops what waits: it came before the state that the shadows begin from. */
  clear(): void {
    const dropped = this.#items;
    this.#items = [];
    this.#text = 0;
    for (const item of dropped) this.#onDropped(item);
  }

  /** The next item, or why there is none. An overflow is told once. */
  async next(): Promise<Arrival<T>> {
    const { clock, quietMs, endMs, signal } = this.#options;
    const quietAtMs = clock.monotonicMs() + quietMs;
    for (;;) {
      const arrival = this.#arrival();
      if (arrival !== undefined) return arrival;
      const nowMs = clock.monotonicMs();
      if (nowMs >= endMs) return { kind: "over" };
      if (nowMs >= quietAtMs) return { kind: "quiet" };
      await this.#woken(signal, Math.min(endMs, quietAtMs) - nowMs);
    }
  }

  #arrival(): Arrival<T> | undefined {
    const { signal, clock, endMs } = this.#options;
    if (signal.aborted) return { kind: "aborted" };
    if (clock.monotonicMs() >= endMs) return { kind: "over" };
    if (this.#hasOverflowed) {
      this.#hasOverflowed = false;
      return { kind: "overflow" };
    }
    const item = this.#items.shift();
    if (item === undefined) return undefined;
    this.#text -= textOf(item.turn);
    return { kind: "turn", item };
  }

  async #woken(signal: AbortSignal, waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer: Timer = this.#options.clock.after(waitMs, resolve);
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort);
    await promise;
    signal.removeEventListener("abort", onAbort);
    timer.cancel();
    this.#wake = undefined;
  }
}

/** All that comes from outside: an answer of the world may be longer than message and reply. */
function textOf({ text, result, asks }: RecordedTurn): number {
  const answers = asks.reduce((sum, ask) => sum + ask.text.length + (ask.answer.ok ? ask.answer.text.length : 0), 0);
  return text.length + (result.ok ? result.reply.length : result.message.length) + answers;
}
