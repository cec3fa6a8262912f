/**
 * Work that must not overlap with a turn: stop, snapshot, swap, restore. One at a time, in the order asked for; while one
 * waits or runs, no new message is handed to the isolate.
 */

/** Serialises work with turns. */
export class BetweenTurns {
  readonly #isBusy: () => boolean;
  readonly #onRelease: () => void;
  #holds = 0;
  #tail: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  /** `isBusy`: a turn is in flight or a life is starting. `onRelease`: messages may flow again. */
  constructor(parts: { readonly isBusy: () => boolean; readonly onRelease: () => void }) {
    this.#isBusy = parts.isBusy;
    this.#onRelease = parts.onRelease;
  }

  /** True while work waits or runs: hand out no message. */
  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Runs `work` alone: after earlier work, and when nothing is in flight. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    const done = Promise.withResolvers<void>();
    this.#tail = done.promise;
    this.#holds += 1;
    await before;
    try {
      await this.#quiet();
      return await work();
    } finally {
      this.#holds -= 1;
      done.resolve();
      if (this.#holds === 0) this.#onRelease();
    }
  }

  /** A turn or a start has ended: whoever waits for quiet looks again. */
  nudge(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const look of waiting) look();
  }

  async #quiet(): Promise<void> {
    while (this.#isBusy()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
  }
}
