/**
 * Writing a tree, always in bulk: a sorted run of changes walks down the tree once, and what it touches is rebuilt
 * beside the old tree, which stays whole and readable.
 *
 *     old root ---- shared subtrees ----.
 *     changes ----> touched leaves -----+--> new root + the pages that are new
 *
 * Invariants:
 * 1. Cost is in touched leaves and the inner pages above them. Subtrees without a change are neither read nor written.
 * 2. Nothing is written here: the result names every new page, and each of them is reachable from the new root.
 * 3. A result that equals the old tree is the old root, with no pages.
 *
 * Both functions are generators that yield every few microseconds to half a millisecond; the caller decides how long
 * a slice is. Example of a driver without slices:
 *
 *     const ids = { arena: 7, take: (count: number) => (next += count) - count };
 *     const build = applyOps(store, root, [["a", new Uint8Array([1])], ["b", null]], { ids, pageBytes, keepTombstones: true });
 *     let step = build.next();
 *     while (step.done !== true) step = build.next();
 *     const { root: newRoot, pages } = step.value;
 */
import assert from "node:assert/strict";
import { CellList } from "./cells.ts";
import { blobCell, cellKey, isTombstone, valueCell } from "./page-build.ts";
import type { Page } from "./page.ts";
import { buildBlob } from "./tree-blob.ts";
import type { BuiltPage, PageAllocator } from "./tree-blob.ts";
import { childrenOf, settle, settleRoot } from "./tree-draft.ts";
import type { Item, Kept } from "./tree-draft.ts";
import { keyBytes } from "./tree-key.ts";
import { leavesFrom, loadPage } from "./tree.ts";
import type { Entry, PageSource, TreeRoot } from "./tree.ts";

/** How a tree is rebuilt. */
export interface ApplyOptions {
  /** Numbers for the new pages. */
  readonly ids: PageAllocator;
  /** Size of a page at most: `PAGE_BYTES`, or `LARGE_PAGE_BYTES` for base trees over 64 MB. 4,072 to 65,512. */
  readonly pageBytes: number;
  /** true: a deletion is kept as a tombstone (a delta tree). false: it removes the entry (a base tree). */
  readonly keepTombstones: boolean;
  /**
   * Where finished pages are put, by number. Whoever drives the build may write those that are there to the store and take
   * them out between two steps, so that a large tree is never in memory as a whole.
   */
  readonly built?: Map<number, BuiltPage>;
}

/** A new tree and the pages it needs beside those of the old one. Checksums are still zero: the store stamps them. */
export interface BuiltTree {
  readonly root: TreeRoot | undefined;
  /** Without those that were taken out of `ApplyOptions.built`. */
  readonly pages: readonly BuiltPage[];
}

/** Default page: four LMDB pages less LMDB's 24 byte header, so that nothing is wasted on disk. */
export const PAGE_BYTES = 16_360;
/** Page for large base trees: sixteen LMDB pages less the header. */
export const LARGE_PAGE_BYTES = 65_512;

/** Smallest page in which an inner node with the longest keys still has seven children. */
const PAGE_BYTES_MIN = 4_072;
/**
 * A bulk load is laid out in drafts of this many pages, so that no step of the build is long. 0.95 is the fill of a
 * page; the half page less leaves room for the uneven sizes of cells, which would else start one page more.
 */
const DRAFT_PAGES = 63.5 * 0.95;
const KEY_BYTES_MAX = 512;
/** Yield after this many changes within one leaf: about 0.1 ms. */
const CHANGES_PER_YIELD = 64;
const NOTHING = new Uint8Array(0);

/**
 * Applies `ops` (keys strictly ascending in the order of `compareKeys`, else an assertion fails) to the tree. A value
 * of `null` deletes. Values are copied; those over a quarter of a page go to blob pages.
 * Throws VAULT_PAGE_DAMAGED when a page of the old tree that it needs is damaged.
 */
export function applyOps(
  source: PageSource,
  root: TreeRoot | undefined,
  ops: Iterable<Entry>,
  options: ApplyOptions,
): Generator<void, BuiltTree> {
  return new TreeEditor(source, editsOf(ops), options).run(root);
}

/**
 * Folds `delta` into `base`: its values replace, its tombstones delete, and none of them remains. Long values are
 * not copied: the new tree shares the delta's blob pages. The options' `keepTombstones` is false for a base tree.
 */
export function mergeTrees(
  source: PageSource,
  base: TreeRoot | undefined,
  delta: TreeRoot | undefined,
  options: ApplyOptions,
): Generator<void, BuiltTree> {
  return new TreeEditor(source, cellsOf(source, delta), options).run(base);
}

/** A change: an entry that must be encoded, or a cell that already is. */
type Edit =
  | { readonly kind: "entry"; readonly key: Uint8Array; readonly value: Uint8Array | null }
  | { readonly kind: "cell"; readonly key: Uint8Array; readonly cell: Buffer };

class TreeEditor {
  readonly #source: PageSource;
  readonly #edits: Iterator<Edit, void>;
  readonly #options: ApplyOptions;
  readonly #pages: Map<number, BuiltPage>;
  #next: Edit | undefined;

  constructor(source: PageSource, edits: Iterator<Edit, void>, options: ApplyOptions) {
    const { pageBytes } = options;
    assert.ok(pageBytes >= PAGE_BYTES_MIN && pageBytes <= LARGE_PAGE_BYTES, `no tree has pages of ${pageBytes} bytes`);
    this.#source = source;
    this.#edits = edits;
    this.#options = options;
    this.#pages = options.built ?? new Map<number, BuiltPage>();
  }

  *run(root: TreeRoot | undefined): Generator<void, BuiltTree> {
    this.#advance();
    if (this.#next === undefined) return { root, pages: [] };
    const items =
      root === undefined
        ? ((yield* this.#editLeaf(undefined, undefined, NOTHING)) ?? [])
        : yield* this.#edit({ kind: "kept", low: NOTHING, ref: root }, undefined);
    const newRoot = yield* settleRoot(items, this.#draftOptions());
    return { root: newRoot, pages: [...this.#pages.values()] };
  }

  /** What becomes of subtree `old`, whose keys lie below `upper`, under the edits that fall into it. */
  *#edit(old: Kept, upper: Uint8Array | undefined): Generator<void, Item[]> {
    const page = loadPage(this.#source, old.ref);
    if (page.level === 0) {
      return (yield* this.#editLeaf(page, upper, old.low)) ?? [old];
    }
    const children = childrenOf(page, old.low);
    const items: Item[] = [];
    for (const [index, child] of children.entries()) {
      const end = children[index + 1]?.low ?? upper;
      if (this.#isNextBelow(end)) items.push(...(yield* this.#edit(child, end)));
      else items.push(child);
    }
    if (items.length === children.length && items.every((item, i) => item === children[i])) return [old];
    const [first] = items;
    if (first === undefined) return [];
    items[0] = { ...first, low: old.low };
    return [{ kind: "inner", low: old.low, level: page.level, items: yield* settle(items, this.#draftOptions()) }];
  }

  /** What becomes of a leaf (none yet: the empty tree) under the edits below `upper`. `undefined`: nothing changes. */
  *#editLeaf(
    page: Page | undefined,
    upper: Uint8Array | undefined,
    low: Uint8Array,
  ): Generator<void, Item[] | undefined> {
    const leaf = new LeafRewrite(page, low, DRAFT_PAGES * this.#options.pageBytes);
    let isChanged = false;
    for (let done = 1; this.#next !== undefined && this.#isNextBelow(upper); done++) {
      const old = leaf.copyUpTo(this.#next.key);
      const fresh = yield* this.#cell(this.#next);
      if (fresh !== undefined) leaf.push(fresh);
      isChanged ||= fresh === undefined ? old !== undefined : old === undefined || !fresh.equals(old);
      this.#advance();
      if (done % CHANGES_PER_YIELD === 0) yield;
    }
    yield;
    return isChanged ? leaf.end() : undefined;
  }

  /** The cell an edit puts in the leaf; `undefined` when it puts none. */
  *#cell(edit: Edit): Generator<void, Buffer | undefined> {
    const { keepTombstones, pageBytes, ids } = this.#options;
    if (edit.kind === "cell") return isTombstone(edit.cell) && !keepTombstones ? undefined : edit.cell;
    if (edit.value === null) return keepTombstones ? valueCell(edit.key, null) : undefined;
    if (edit.value.length <= pageBytes / 4) return valueCell(edit.key, edit.value);
    return blobCell(edit.key, yield* buildBlob(edit.value, ids, this.#pages));
  }

  #isNextBelow(upper: Uint8Array | undefined): boolean {
    if (this.#next === undefined) return false;
    return upper === undefined || Buffer.compare(this.#next.key, upper) < 0;
  }

  #advance(): void {
    const previous = this.#next;
    const step = this.#edits.next();
    this.#next = step.done === true ? undefined : step.value;
    if (previous === undefined || this.#next === undefined) return;
    assert.ok(Buffer.compare(previous.key, this.#next.key) < 0, "changes to a tree come in ascending order of keys");
  }

  #draftOptions() {
    const { ids, pageBytes } = this.#options;
    return { source: this.#source, ids, pageBytes, pages: this.#pages };
  }
}

/** The cells of a leaf, copied in step with the edits to it, and cut into drafts where a bulk load makes them many. */
class LeafRewrite {
  readonly #page: Page | undefined;
  readonly #draftBytes: number;
  readonly #drafts: Item[] = [];
  #low: Uint8Array;
  #cells = new CellList();
  #at = 0;

  constructor(page: Page | undefined, low: Uint8Array, draftBytes: number) {
    this.#page = page;
    this.#low = low;
    this.#draftBytes = draftBytes;
  }

  push(cell: Buffer): void {
    if (this.#isFull) this.#begin(cell);
    this.#cells.push(cell);
  }

  /** Copies the cells before `key` and steps over the cell of `key` itself, which is returned. */
  copyUpTo(key: Uint8Array): Buffer | undefined {
    const page = this.#page;
    if (page === undefined) return undefined;
    const end = page.lowerBound(key);
    this.#copyTo(page, end);
    return end < page.count && page.compare(end, key) === 0 ? page.cell(this.#at++) : undefined;
  }

  /** Copies the rest and returns the drafts; none when no cell is left. */
  end(): Item[] {
    if (this.#page !== undefined) this.#copyTo(this.#page, this.#page.count);
    if (this.#cells.count > 0) this.#cut();
    return this.#drafts;
  }

  get #isFull(): boolean {
    return this.#cells.bytes >= this.#draftBytes;
  }

  #copyTo(page: Page, end: number): void {
    for (; this.#at < end; this.#at++) {
      if (this.#isFull) this.#begin(page.cell(this.#at));
      this.#cells.pushFrom(page, this.#at);
    }
  }

  /** The next draft begins with `cell`. */
  #begin(cell: Buffer): void {
    this.#cut();
    this.#low = cellKey(cell);
  }

  #cut(): void {
    this.#drafts.push({ kind: "leaf", low: this.#low, cells: this.#cells });
    this.#cells = new CellList();
  }
}

function* editsOf(ops: Iterable<Entry>): Generator<Edit, void> {
  for (const [text, value] of ops) {
    const key = keyBytes(text);
    assert.ok(
      key.length > 0 && key.length <= KEY_BYTES_MAX,
      `a key has 1 to ${KEY_BYTES_MAX} bytes, not ${key.length}`,
    );
    yield { kind: "entry", key, value };
  }
}

function* cellsOf(source: PageSource, root: TreeRoot | undefined): Generator<Edit, void> {
  if (root === undefined) return;
  for (const { page } of leavesFrom(source, root, NOTHING)) {
    for (let i = 0; i < page.count; i++) {
      const cell = page.cell(i);
      yield { kind: "cell", key: cellKey(cell), cell };
    }
  }
}
