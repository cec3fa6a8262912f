/**
 * Turning drafts into pages. While a tree is rewritten, its changed nodes are drafts: lists of cells or of children
 * that nobody has laid out yet. This room joins the small ones with a neighbour, splits the large ones, and seals them.
 *
 *     drafts --fuse: below 30 % joins a neighbour--> --split evenly at 95 %--> --seal--> pages + refs
 *
 * Invariants:
 * 1. Every page in the result belongs to the new tree: one that is joined after it was sealed is taken back.
 * 2. An untouched subtree is carried as its ref and not read, unless a small neighbour needs its cells.
 * 3. The low key of a parent's first child is the parent's own low key.
 */
import { CellList } from "./cells.ts";
import { assertOrdered, buildPageOf, cellKey, contentHash, innerCell, leafTotals } from "./page-build.ts";
import { CELL_OFFSET_BYTES, INNER_CELL_BYTES, Page, PAGE_HEADER_BYTES } from "./page.ts";
import type { PageId, PageRef } from "./page.ts";
import type { BuiltPage, PageAllocator } from "./tree-blob.ts";
import { loadPage } from "./tree.ts";
import type { PageSource } from "./tree.ts";

/** A subtree that stays as it is. */
export interface Kept {
  readonly kind: "kept";
  readonly low: Uint8Array;
  readonly ref: PageRef;
}

/** Cells of one or more leaves to be. */
export interface LeafDraft {
  readonly kind: "leaf";
  readonly low: Uint8Array;
  readonly cells: CellList;
}

/** Children of one or more inner pages to be. Either all are kept, or there is only one. */
export interface InnerDraft {
  readonly kind: "inner";
  readonly low: Uint8Array;
  readonly level: number;
  readonly items: readonly Item[];
}

/** One node of the tree that is being built, with the lowest key it may hold. */
export type Item = Kept | LeafDraft | InnerDraft;

/** Where pages come from and go to. */
export interface DraftOptions {
  readonly source: PageSource;
  readonly ids: PageAllocator;
  readonly pageBytes: number;
  /** What is built so far, by number. */
  readonly pages: Map<number, BuiltPage>;
}

/** Fill a page is laid out to, so that the next few entries need no split. */
const FILL = 0.95;
/** Below this share of a page, a node joins its neighbour. */
const UNDERFULL = 0.3;

/**
 * Joins what is too small and seals the rest. A single small draft comes back as it is: only its parent can find it
 * a neighbour. Yields after each page.
 */
export function* settle(items: readonly Item[], options: DraftOptions): Generator<void, readonly Item[]> {
  const fused = yield* fuse(items, options);
  if (fused.length === 1 && isUnderfull(fused[0]!, options)) return fused;
  return yield* sealAll(fused, options);
}

/** Settles the topmost items into one root, adding levels or taking them away. `undefined` when nothing is left. */
export function* settleRoot(items: readonly Item[], options: DraftOptions): Generator<void, PageRef | undefined> {
  let rest = items;
  for (;;) {
    const settled = yield* settle(rest, options);
    const [only] = settled;
    if (only === undefined) return undefined;
    if (settled.length === 1 && only.kind === "inner" && only.items.length === 1) {
      rest = only.items;
      continue;
    }
    const sealed = settled.length === 1 ? yield* seal(only, options) : settled;
    const [root] = sealed;
    if (sealed.length === 1 && root?.kind === "kept") return root.ref;
    rest = [{ kind: "inner", low: only.low, level: levelOf(only) + 1, items: sealed }];
  }
}

/**
 * Cuts a list of cells, given by their sizes, into as few runs as fit `wanted` bytes each, of about equal size and
 * never over `most`. Returns the end index of each run. A single size over `most` gets a run of its own.
 */
function splitEvenly(sizes: readonly number[], { wanted, most }: { wanted: number; most: number }): number[] {
  const ends: number[] = [];
  let left = sizes.reduce((sum, size) => sum + size, 0);
  let start = 0;
  while (start < sizes.length) {
    const target = left / Math.ceil(left / wanted);
    let run = sizes[start]!;
    let end = start + 1;
    while (end < sizes.length && run + sizes[end]! / 2 <= target && run + sizes[end]! <= most) run += sizes[end++]!;
    ends.push(end);
    left -= run;
    start = end;
  }
  return ends;
}

function* fuse(items: readonly Item[], options: DraftOptions): Generator<void, Item[]> {
  const fused: Item[] = [];
  for (const [index, item] of items.entries()) {
    const left = fused.at(-1);
    const right = items[index + 1];
    // A small node that stands between an untouched and a changed one waits for the changed one: that costs no page.
    const takesLeft = left?.kind !== "kept" || right === undefined || right.kind === "kept";
    const isJoined = left !== undefined && (isUnderfull(left, options) || (isUnderfull(item, options) && takesLeft));
    if (isJoined) fused[fused.length - 1] = yield* join(left, item, options);
    else fused.push(item);
  }
  return fused;
}

function* join(left: Item, right: Item, options: DraftOptions): Generator<void, Item> {
  const a = thaw(left, options);
  const b = thaw(right, options);
  if (a.kind === "leaf" && b.kind === "leaf") {
    const cells = new CellList();
    cells.append(a.cells);
    cells.append(b.cells);
    return { kind: "leaf", low: a.low, cells };
  }
  if (a.kind === "inner" && b.kind === "inner") {
    return { ...a, items: yield* settle([...a.items, ...b.items], options) };
  }
  throw new Error("neighbours of one level are either both leaves or both inner nodes");
}

function thaw(item: Item, options: DraftOptions): LeafDraft | InnerDraft {
  if (item.kind !== "kept") return item;
  const page = takeBack(item.ref, options) ?? loadPage(options.source, item.ref);
  const low = item.low;
  if (page.level > 0) return { kind: "inner", low, level: page.level, items: childrenOf(page, low) };
  const cells = new CellList();
  for (let i = 0; i < page.count; i++) cells.pushFrom(page, i);
  return { kind: "leaf", low, cells };
}

/** A page that this very build sealed, before its parents were joined, unless it was written already: it is no longer needed. */
function takeBack({ id }: PageRef, { ids, pages }: DraftOptions): Page | undefined {
  const built = id.arena === ids.arena ? pages.get(id.no) : undefined;
  if (built === undefined) return undefined;
  pages.delete(id.no);
  return new Page(...built);
}

/** The children of an inner page whose own low key is `low`. */
export function childrenOf(page: Page, low: Uint8Array): Kept[] {
  return Array.from({ length: page.count }, (_, i) => ({
    kind: "kept",
    low: i === 0 ? low : page.key(i),
    ref: page.child(i),
  }));
}

function* seal(item: Item, options: DraftOptions): Generator<void, readonly Kept[]> {
  if (item.kind === "kept") return [item];
  if (item.kind === "leaf") return yield* sealRuns({ ...item, level: 0 }, options);
  const children = yield* sealAll(item.items, options);
  const cells = new CellList();
  for (const child of children) cells.push(innerCell(child.low, child.ref));
  return yield* sealRuns({ ...item, cells, children }, options);
}

function* sealAll(items: readonly Item[], options: DraftOptions): Generator<void, readonly Kept[]> {
  const sealed: Kept[] = [];
  for (const item of items) for (const kept of yield* seal(item, options)) sealed.push(kept);
  return sealed;
}

interface Runs {
  readonly level: number;
  readonly low: Uint8Array;
  readonly cells: CellList;
  /** Of an inner page. */
  readonly children?: readonly Kept[];
}

function* sealRuns({ level, low, cells, children }: Runs, options: DraftOptions): Generator<void, Kept[]> {
  const most = options.pageBytes - PAGE_HEADER_BYTES;
  const sealed: Kept[] = [];
  let from = 0;
  for (const to of splitEvenly(cells.sizes(), { wanted: Math.floor(most * FILL), most })) {
    const ref = sealPage(buildPageOf(level, cells, { from, to }), options, children?.slice(from, to));
    const first = children === undefined ? new Uint8Array(cellKey(cells.cell(from))) : children[from]!.low;
    sealed.push({ kind: "kept", low: from === 0 ? low : first, ref });
    from = to;
    yield;
  }
  return sealed;
}

function sealPage(bytes: Buffer, { ids, pages }: DraftOptions, children: readonly Kept[] | undefined): PageRef {
  const id: PageId = { arena: ids.arena, no: ids.take(1) };
  const page = new Page(id, bytes);
  assertOrdered(page);
  pages.set(id.no, [id, bytes]);
  const { level } = page;
  const sha256 = contentHash(page);
  if (children === undefined) return { id, level, entries: page.count, ...leafTotals(page), sha256 };
  const entries = children.reduce((sum, child) => sum + child.ref.entries, 0);
  const hasNoBlobs = children.every(({ ref }) => ref.hasNoBlobs);
  return { id, level, hasNoBlobs, entries, bytes: children.reduce((sum, child) => sum + child.ref.bytes, 0), sha256 };
}

function isUnderfull(item: Item, { pageBytes }: DraftOptions): boolean {
  if (item.kind === "kept") return false;
  const enough = pageBytes * UNDERFULL;
  let size = 0;
  if (item.kind === "leaf") {
    size = item.cells.bytes;
  } else {
    for (const child of item.items) size += INNER_CELL_BYTES + child.low.length + CELL_OFFSET_BYTES;
  }
  return size < enough;
}

function levelOf(item: Item): number {
  if (item.kind === "kept") return item.ref.level;
  return item.kind === "leaf" ? 0 : item.level;
}
