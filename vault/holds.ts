/**
 * Holds: who is reading what, so that the collector leaves it alone. A branch and its landmarks keep their pages by being
 * there; a frozen view keeps them for as long as somebody has it, an iteration or a walk over pages by a hold.
 *
 * Invariants:
 * 1. From before its first page is read until it is released, the pages of a hold are not collected.
 * 2. What nobody can reach any more is not held: views have no close, iterations may be abandoned. So whoever reads must
 *    keep the hold itself alive, which releasing it in a `finally` does.
 */
import type { StateLayer } from "./layer.ts";
import type { Roots } from "./roots.ts";

/** One reader's claim. */
export class Hold {
  readonly roots: readonly Roots[];

  constructor(roots: readonly Roots[]) {
    this.roots = roots;
  }
}

/** All claims of one vault. */
export class Holds {
  readonly #holds = new WeakSetOf<Hold>();
  readonly #layers = new WeakSetOf<StateLayer>();

  /** Claims these pages, until the hold is released or out of everybody's reach. */
  take(roots: readonly Roots[]): Hold {
    const hold = new Hold(roots);
    this.#holds.add(hold);
    return hold;
  }

  release(hold: Hold): void {
    this.#holds.delete(hold);
  }

  /** Claims a layer's pages, however it is stored at the time, for as long as somebody has the layer. */
  watch(layer: StateLayer): void {
    this.#layers.add(layer);
  }

  /** What is claimed at this moment. */
  *roots(): Generator<Roots, void> {
    for (const { roots } of this.#holds) yield* roots;
    for (const layer of this.#layers) yield* layer.allRoots();
  }
}

/** A set that can be listed and keeps nothing alive. */
class WeakSetOf<T extends WeakKey> implements Iterable<T> {
  readonly #refs = new Set<WeakRef<T>>();
  readonly #refOf = new WeakMap<T, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<WeakRef<T>>((ref) => this.#refs.delete(ref));

  add(value: T): void {
    if (this.#refOf.has(value)) return;
    const ref = new WeakRef(value);
    this.#refs.add(ref);
    this.#refOf.set(value, ref);
    this.#gone.register(value, ref, value);
  }

  delete(value: T): void {
    const ref = this.#refOf.get(value);
    if (ref === undefined) return;
    this.#refs.delete(ref);
    this.#refOf.delete(value);
    this.#gone.unregister(value);
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (const ref of this.#refs) {
      const value = ref.deref();
      if (value !== undefined) yield value;
    }
  }
}
