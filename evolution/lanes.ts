/**
 * One candidate per agent at a time, in the order proposed; candidates of different agents do not wait for each other.
 *
 * Invariant: at most `queueMax` candidates of an agent wait or are tried; a lane without any is forgotten.
 */

/** Work in lanes, one lane per agent. */
export class Lanes {
  readonly #queueMax: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(queueMax: number) {
    this.#queueMax = queueMax;
  }

  /** How many of this agent wait or are tried. */
  waiting(agent: string): number {
    return this.#lanes.get(agent)?.waiting ?? 0;
  }

  /** True when there is no room for another one. */
  isFull(agent: string): boolean {
    return this.waiting(agent) >= this.#queueMax;
  }

  /** Takes a place at once, and runs `work` when everything before it in this lane is over, however that ended. */
  enter<T>(agent: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(agent) ?? { tail: Promise.resolve(), waiting: 0 };
    this.#lanes.set(agent, lane);
    lane.waiting += 1;
    const done = lane.tail.then(work);
    const over = (): void => {
      lane.waiting -= 1;
      if (lane.waiting === 0) this.#lanes.delete(agent);
    };
    lane.tail = done.then(over, over); // who entered is told; the next one begins either way
    return done;
  }

  /** Resolves when every lane is empty that has somebody in it now. */
  async drained(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(({ tail }) => tail));
  }
}

interface Lane {
  tail: Promise<unknown>;
  waiting: number;
}
