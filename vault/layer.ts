/**
 * A state as a stack: what was written lately over what is in pages.
 *
 *     branch --> open layer --> frozen layer --> frozen layer --> pages (delta over base)
 *                                    ^                              ^
 *     fork, snapshot, view ----------'          fold turns a layer and all below it into pages, in place
 *
 * Invariants:
 * 1. Only the topmost layer of a branch takes writes; whatever is shared is frozen.
 * 2. Folding changes how a layer is stored, never what it holds: everybody who shares it goes on reading the same.
 * 3. A layer either has a table (and perhaps something below), or roots, never both.
 */
import assert from "node:assert/strict";
import { Memtable } from "./memtable.ts";
import { entriesMerged, rangeMerged, treeLayer } from "./merge.ts";
import type { Layer as MergeLayer } from "./merge.ts";
import type { RangeOptions } from "./model.ts";
import { NO_ROOTS, treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import { getFromTree } from "./tree.ts";
import type { Entry, PageSource } from "./tree.ts";

/** One layer and, through `below`, all under it. */
export class StateLayer {
  #table: Memtable | undefined;
  #below: StateLayer | undefined;
  #roots: Roots | undefined;
  #depth: number;

  private constructor(table: Memtable | undefined, below: StateLayer | undefined, roots: Roots | undefined) {
    this.#depth = table === undefined ? 0 : (below?.depth ?? 0) + 1;
    this.#table = table;
    this.#below = below;
    this.#roots = roots;
  }

  /** A state that is wholly in pages. */
  static ofRoots(roots: Roots): StateLayer {
    return new StateLayer(undefined, undefined, roots);
  }

  /** A new, empty layer for writes. */
  static over(below: StateLayer | undefined): StateLayer {
    return new StateLayer(new Memtable(), below, undefined);
  }

  /** Unfolded layers from here down when this one was made: what a reader has to look through at most. */
  get depth(): number {
    return this.#depth;
  }

  get below(): StateLayer | undefined {
    return this.#below;
  }

  /** The pages of this layer and all below it, once it is folded. */
  get roots(): Roots | undefined {
    return this.#roots;
  }

  /** What this layer adds, until it is folded. */
  get table(): Memtable | undefined {
    return this.#table;
  }

  /** Turns the layer into pages that hold the same. */
  fold(roots: Roots): void {
    assert.ok(this.#table?.isFrozen === true, "only a frozen layer is folded, once");
    this.#roots = roots;
    this.#table = undefined;
    this.#below = undefined;
    this.#depth = 0;
  }

  /** Some of the pages are damaged; these hold the same. */
  replaceRoots(roots: Roots): void {
    assert.ok(this.#roots !== undefined, "only a folded layer has pages");
    this.#roots = roots;
  }

  get(pages: PageSource, key: string): Uint8Array | undefined {
    const found = this.#roots === undefined ? this.#table?.get(key) : getFromRoots(pages, this.#roots, key);
    if (found !== undefined) return found ?? undefined;
    return this.#below?.get(pages, key);
  }

  range(pages: PageSource, options: RangeOptions): Iterable<readonly [string, Uint8Array]> {
    return rangeMerged(this.#stack(pages), options);
  }

  /** As `range`, tombstones included. */
  entries(pages: PageSource, options: Omit<RangeOptions, "limit">): Iterable<Entry> {
    return entriesMerged(this.#stack(pages), options);
  }

  #stack(pages: PageSource): readonly MergeLayer[] {
    const stack: MergeLayer[] = [];
    for (const { table, roots } of this.#downwards()) {
      if (table !== undefined) stack.push(table);
      if (roots !== undefined) for (const root of treesOf(roots)) stack.push(treeLayer(pages, root));
    }
    return stack;
  }

  /** This layer and all below it, from the top. */
  chain(): readonly StateLayer[] {
    return [...this.#downwards()];
  }

  /** The changes above the nearest folded layer, newest per key, tombstones included; and that layer's pages. */
  unfolded(): { readonly entries: Iterable<Entry>; readonly roots: Roots } {
    const layers = this.chain();
    const entries = entriesMerged(layers.flatMap(({ table }) => table ?? []));
    return { entries, roots: layers.at(-1)?.roots ?? NO_ROOTS };
  }

  /** The pages that reading this layer may need, as it is stored now. */
  *allRoots(): Generator<Roots, void> {
    for (const { roots } of this.#downwards()) if (roots !== undefined) yield roots;
  }

  *#downwards(): Generator<StateLayer, void> {
    yield this;
    for (let at = this.#below; at !== undefined; at = at.#below) yield at;
  }
}

function getFromRoots(pages: PageSource, { over, delta, base }: Roots, key: string): Uint8Array | null | undefined {
  if (over !== undefined) {
    for (const root of over) {
      const newest = getFromTree(pages, root, key);
      if (newest !== undefined) return newest;
    }
  }
  const found = getFromTree(pages, delta, key);
  return found === undefined ? getFromTree(pages, base, key) : found;
}
