/**
 * Slices: how work in the background shares the one thread with turns that somebody waits for.
 *
 *     work, work, ... until the slice is used up --> one turn of the event loop --> work, work, ...
 *
 * Invariants:
 * 1. Whoever asks `pause` after each small step keeps the thread for one slice and one step at most.
 * 2. Work ends between two steps when its signal is aborted: `pause` then throws the signal's reason.
 *
 *     const slices = new Slices({ signal: closing });
 *     for (const row of rows) {
 *       work(row);
 *       await slices.pause();
 *     }
 */

/** Under the 5 ms that a turn may be kept waiting, with room for the step that is just running. */
const SLICE_MS = 3;

/** What the work depends on. */
export interface SlicesOptions {
  /** Aborted when the work is to end early. */
  readonly signal?: AbortSignal;
}

/** One line of work. See the header. */
export class Slices {
  readonly #signal: AbortSignal | undefined;
  #startMs: number = performance.now();

  constructor({ signal }: SlicesOptions = {}) {
    this.#signal = signal;
  }

  /**
   * Undefined while the slice has time left, which costs next to nothing and needs no await; else a promise that resolves
   * when all others had their turn. Throws the signal's reason once that is aborted.
   */
  pause(): Promise<void> | undefined {
    this.#signal?.throwIfAborted();
    return performance.now() - this.#startMs < SLICE_MS ? undefined : this.#turn();
  }

  /** Runs `steps` to their end, with pauses in between. Rejects with what they throw, or the signal's reason. */
  async drive<T>(steps: Iterator<unknown, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const pause = this.pause();
      if (pause !== undefined) await pause;
    }
  }

  async #turn(): Promise<void> {
    await new Promise<void>((resume) => {
      setImmediate(resume);
    });
    this.#signal?.throwIfAborted();
    this.#startMs = performance.now();
  }
}
