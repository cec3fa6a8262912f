/**
 * How many steps of one key may run at once, across all agents of a runtime. Who finds no room waits in order of arrival;
 * nobody overtakes, also not one with a higher limit.
 *
 * Invariants
 * 1. A step is granted when fewer steps of its key run than its own limit says.
 * 2. Each slot is given back once; who gives up while waiting is gone from the queue.
 * 3. A key without steps takes no space.
 */

/** A place in the queue, then a slot. */
export interface StepSlot {
  /** Resolves when the step may run; never, when it was released before. */
  readonly granted: Promise<void>;
  /** Gives the slot or the place back. Harmless the second time. */
  release(): void;
}

interface Waiting {
  readonly concurrency: number;
  readonly grant: () => void;
}

interface KeyState {
  running: number;
  /** In order of arrival. Bounded: each agent runs one turn, and a turn has a bounded number of steps. */
  readonly waiting: Set<Waiting>;
}

/** The slots of one runtime. */
export class StepSlots {
  readonly #keys = new Map<string, KeyState>();

  /** Keys that have steps running or waiting. */
  get size(): number {
    return this.#keys.size;
  }

  /** Asks for a slot of `key`; at most `concurrency` steps of it run then. */
  take(key: string, concurrency: number): StepSlot {
    const state = this.#keys.get(key) ?? { running: 0, waiting: new Set() };
    this.#keys.set(key, state);
    const { promise: granted, resolve: grant } = Promise.withResolvers<void>();
    const place: Waiting = { concurrency, grant };
    state.waiting.add(place);
    let isHeld = true;
    this.#serve(key, state);
    return {
      granted,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        if (!state.waiting.delete(place)) state.running--;
        this.#serve(key, state);
      },
    };
  }

  #serve(key: string, state: KeyState): void {
    for (const place of state.waiting) {
      if (state.running >= place.concurrency) return;
      state.waiting.delete(place);
      state.running++;
      place.grant();
    }
    if (state.running === 0) this.#keys.delete(key);
  }
}
