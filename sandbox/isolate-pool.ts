/**
 * Ready isolates: an isolate takes about a millisecond to make, so some wait with the prelude already run. A cell that waits
 * as a spare keeps enough of them for a whole cell's agents; once it is in use it keeps a few. They are made when no placement
 * came for 25 ms, one at a time, so that a burst of placements and the turns behind it never wait for the pool.
 *
 * Programs on trial come and go by the hundred a second, and half of what one costs is the heap that is made and thrown away for it.
 * Their isolates are given back, and each has a few realms, one after the other and never two at a time.
 *
 * Invariant: an isolate that was given back has left of its heap what `make` was asked for: it was made with `LEFT_MB` more, and
 * whoever leaves more than that behind has its isolate thrown away.
 */
import type { Clock, Timer } from "../vault/index.ts";
import type { Isolate } from "./isolate.ts";

/** Quiet time after the last placement before the pool is filled again. */
const REFILL_AFTER_MS = 25;
/** Between two isolates of a refill: long enough for a waiting frame to be read first. */
const REFILL_STEP_MS = 1;

/** Realms in one heap: each leaves some 0.4 MiB behind, and from eight on the young ones' collection eats what a ninth saves. */
const REALMS_MAX = 8;
/** Heap that may be left behind, in MiB: eight realms and what small programs make. */
const LEFT_MB = 6;
const MEBIBYTE = 1024 * 1024;

/** What the pool needs. */
export interface IsolatePoolOptions {
  /** Ready when the constructor returns, and until the first one is taken. */
  readonly size: number;
  /** Kept ready from then on; `size` where that is less. */
  readonly refillSize: number;
  readonly heapMb: number;
  readonly clock: Clock;
  readonly make: (heapMb: number) => Isolate;
  /** Isolates are given back, and lived in again. Default: each has one realm. */
  readonly isRenewing?: boolean | undefined;
}

/** A few isolates of one heap size, kept ready. */
export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  readonly #ready: Isolate[] = [];
  /** Given back; the one with the warmest caches is the last. */
  readonly #left: Isolate[] = [];
  #timer: Timer | undefined;

  /** Filled when the constructor returns: a cell that says it is ready is ready for all its agents. */
  constructor(options: IsolatePoolOptions) {
    this.#options = options;
    while (this.#ready.length < options.size) this.#ready.push(this.#make(options.heapMb));
  }

  /** An isolate of this size that was given back, with a new realm, or one that waits; else a new one. */
  take(heapMb: number): Isolate {
    const isOurs = heapMb === this.#options.heapMb;
    const left = isOurs ? this.#left.pop() : undefined;
    if (left !== undefined) {
      left.renew();
      return left;
    }
    const isolate = isOurs ? this.#ready.pop() : undefined;
    this.#refillIn(REFILL_AFTER_MS);
    return isolate ?? this.#make(heapMb);
  }

  /**
   * Takes back an isolate whose entries all ended as they should; true where somebody else may live in it. Else it is the caller's to
   * throw away.
   */
  giveBack(isolate: Isolate, heapMb: number): boolean {
    const { isRenewing, heapMb: ourMb, size } = this.#options;
    if (isRenewing !== true || heapMb !== ourMb || this.#left.length >= size) return false;
    if (isolate.realms >= REALMS_MAX || isolate.leftBytesSync() > LEFT_MB * MEBIBYTE) return false;
    this.#left.push(isolate);
    return true;
  }

  #make(heapMb: number): Isolate {
    return this.#options.make(heapMb + (this.#options.isRenewing === true ? LEFT_MB : 0));
  }

  #refillIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#ready.length >= Math.min(this.#options.size, this.#options.refillSize)) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#ready.push(this.#make(this.#options.heapMb));
      this.#refillIn(REFILL_STEP_MS);
    });
  }
}
