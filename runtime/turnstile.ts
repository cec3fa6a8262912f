/**
 * Lets a few pieces of work run side by side; the others wait in the order in which they came.
 */

/** Bounds how much runs at once. */
export class Turnstile {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnceMax: number) {
    this.#free = atOnceMax;
  }

  /** Runs `work` when there is room. Settles as it does. Work that waits for other work of the same turnstile may wait for ever. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((go) => void this.#waiting.push(go));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift(); // takes our place
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
