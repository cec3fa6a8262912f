/**
 * Ready isolates: an isolate takes about a millisecond to make, so some wait with the prelude already run. A cell that waits
 * as a spare keeps enough of them for a whole cell's agents; once it is in use it keeps a few. They are made when no placement
 * came for 25 ms, one at a time, so that a burst of placements and the turns behind it never wait for the pool.
 */
import type { Clock, Timer } from "../vault/index.ts";
import type { Isolate } from "./isolate.ts";

/** Quiet time after the last placement before the pool is filled again. */
const REFILL_AFTER_MS = 25;
/** Between two isolates of a refill: long enough for a waiting frame to be read first. */
const REFILL_STEP_MS = 1;

/** What the pool needs. */
export interface IsolatePoolOptions {
  /** Ready when the constructor returns, and until the first one is taken. */
  readonly size: number;
  /** Kept ready from then on; `size` where that is less. */
  readonly refillSize: number;
  readonly heapMb: number;
  readonly clock: Clock;
  readonly make: (heapMb: number) => Isolate;
}

/** A few isolates of one heap size, kept ready. */
export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  readonly #ready: Isolate[] = [];
  #timer: Timer | undefined;

  /** Filled when the constructor returns: a cell that says it is ready is ready for all its agents. */
  constructor(options: IsolatePoolOptions) {
    this.#options = options;
    while (this.#ready.length < options.size) this.#ready.push(options.make(options.heapMb));
  }

  /** A ready isolate where one of this size waits, else a new one. */
  take(heapMb: number): Isolate {
    const isolate = heapMb === this.#options.heapMb ? this.#ready.pop() : undefined;
    this.#refillIn(REFILL_AFTER_MS);
    return isolate ?? this.#options.make(heapMb);
  }

  #refillIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#ready.length >= Math.min(this.#options.size, this.#options.refillSize)) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#ready.push(this.#options.make(this.#options.heapMb));
      this.#refillIn(REFILL_STEP_MS);
    });
  }
}
