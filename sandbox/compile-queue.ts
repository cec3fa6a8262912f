/** Who waits for the compiler, by whose they are: one of each in turn, so that nobody's hundred stand before another's one. Pure. */

/** Bounds of a queue. */
export interface CompileQueueLimits {
  readonly waitingMax: number;
  readonly waitingEachMax: number;
}

/** First come, first served among those of one owner; owners take turns. */
export class CompileQueue<Item> {
  readonly #limits: CompileQueueLimits;
  /** Nobody is in here without an item; the first is next. */
  readonly #waiting = new Map<string, Item[]>();
  #size = 0;

  constructor(limits: CompileQueueLimits) {
    this.#limits = limits;
  }

  /** False, and nothing happens, where there is no room. */
  add(whose: string, item: Item): boolean {
    const own = this.#waiting.get(whose) ?? [];
    if (this.#size >= this.#limits.waitingMax || own.length >= this.#limits.waitingEachMax) return false;
    own.push(item);
    this.#size += 1;
    this.#waiting.set(whose, own);
    return true;
  }

  /** The next one, which waits no longer; undefined when nobody does. */
  take(): Item | undefined {
    for (const [whose, own] of this.#waiting) {
      this.#waiting.delete(whose);
      this.#size -= 1;
      const item = own.shift();
      if (own.length > 0) this.#waiting.set(whose, own); // Behind all others.
      return item;
    }
    return undefined;
  }
}
