/**
 * After a cell is lost, dozens of agents want to start at once. Those with a waiting message start at once; the others
 * follow a few at a time, so that they do not stand between a caller and its answer.
 */

/** Starts that may run side by side when nobody waits for them. */
export const LAZY_STARTS_MAX = 4;

/** Orders starts by urgency. */
export class StartQueue {
  readonly #waiting = new Set<() => Promise<void>>();
  #running = 0;

  /** Runs `start` when its turn comes. It must not reject: whoever starts owns the outcome. */
  add(start: () => Promise<void>): void {
    this.#waiting.add(start);
    this.#pump();
  }

  /** Takes a start back, because its agent was woken by a message or stopped; harmless when it already ran. */
  remove(start: () => Promise<void>): void {
    this.#waiting.delete(start);
  }

  #pump(): void {
    for (const start of this.#waiting) {
      if (this.#running >= LAZY_STARTS_MAX) return;
      this.#waiting.delete(start);
      this.#running += 1;
      const done = (): void => {
        this.#running -= 1;
        this.#pump();
      };
      start().then(done, done);
    }
  }
}
