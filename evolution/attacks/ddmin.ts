/**
 * The few parts of a list that still do what the whole list did: delta debugging, ddmin (Zeller and Hildebrandt 2002, "Simplifying
 * and Isolating Failure-Inducing Input"). Deterministic: the same answers give the same list.
 *
 *     n parts --one of them alone?--> that one, 2 parts
 *             --all but one?--------> those, n - 1 parts
 *             --else----------------> 2n parts, until each part is one item
 */

/** How candidates are asked about. */
export interface Asking<Candidate> {
  /** Candidates that are asked about, at most. */
  readonly triesMax: number;
  /** The place of the first of these that still does it, -1 where none does. Those behind it need not be tried. */
  first(candidates: readonly Candidate[]): Promise<number>;
}

/** How many questions are left of a bound; shared by all who make one thing smaller. */
export class Tries<Candidate> {
  readonly #asking: Asking<Candidate>;
  #spent = 0;

  constructor(asking: Asking<Candidate>) {
    this.#asking = asking;
  }

  /** Candidates that were asked about so far. */
  get spent(): number {
    return this.#spent;
  }

  get isOver(): boolean {
    return this.#spent >= this.#asking.triesMax;
  }

  /** The first that still does it, of as many as may be tried. */
  async first(candidates: readonly Candidate[]): Promise<Candidate | undefined> {
    const some = candidates.slice(0, this.#asking.triesMax - this.#spent);
    if (some.length === 0) return undefined;
    const found = await this.#asking.first(some);
    this.#spent += found < 0 ? some.length : found + 1;
    return some[found];
  }
}

/**
 * The smallest list found; `items` does it as a whole. Where the tries suffice no single item can be left out. Rejects with what
 * `first` rejects with.
 */
export async function ddmin<T>(items: readonly T[], tries: Tries<readonly T[]>): Promise<readonly T[]> {
  let best = items;
  let count = 2;
  while (best.length > 1 && !tries.isOver) {
    const parts = partsOf(best, count);
    const alone = await tries.first(parts);
    // Of two parts, all but one is the other one.
    const others = alone === undefined && parts.length > 2 ? await tries.first(othersOf(parts)) : undefined;
    if (alone !== undefined) [best, count] = [alone, 2];
    else if (others !== undefined) [best, count] = [others, Math.max(count - 1, 2)];
    else if (count >= best.length) break;
    else count = Math.min(count * 2, best.length);
  }
  return best;
}

/** In `count` parts of nearly equal length, none of them empty. */
function partsOf<T>(items: readonly T[], count: number): readonly (readonly T[])[] {
  const parts = Math.min(count, items.length);
  const at = (index: number): number => Math.floor((index * items.length) / parts);
  return Array.from({ length: parts }, (_, index) => items.slice(at(index), at(index + 1)));
}

function othersOf<T>(parts: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return parts.map((_, left) => parts.flatMap((part, index) => (index === left ? [] : part)));
}
