/**
 * Back-pressure: what waits for the disk is bounded, and whoever makes more of it is asked to wait.
 *
 *     commits --> queue of the log --> tables --> checkpoint
 *                      |                  |
 *                      '--- too much ---> room() is a promise, until one of them has shrunk
 *
 * Invariants:
 * 1. A waiter is woken when there is room, and when the vault takes no more commits at all: its next commit tells why.
 * 2. Nobody is made to wait who does not ask: commits are taken up to the hard limits of log.ts and vault.ts.
 */

/** What is measured, and how much of it may wait. */
export interface PressureLimits {
  readonly queuedBytes: () => number;
  readonly queuedBytesMax: number;
  readonly tableBytes: () => number;
  readonly tableBytesMax: number;
}

/** See the header. */
export class Pressure {
  readonly #limits: PressureLimits;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(limits: PressureLimits) {
    this.#limits = limits;
  }

  /** Undefined when there is room, else a promise that resolves when it is worth asking again. */
  room(): Promise<void> | undefined {
    if (!this.#isHigh()) return undefined;
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** The disk has taken something. */
  relieve(): void {
    if (this.#waiting !== undefined && !this.#isHigh()) this.release();
  }

  /** Wakes everybody. */
  release(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #isHigh(): boolean {
    const { queuedBytes, queuedBytesMax, tableBytes, tableBytesMax } = this.#limits;
    return queuedBytes() > queuedBytesMax || tableBytes() > tableBytesMax;
  }
}
