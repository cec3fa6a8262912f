/**
 * Folding: turning frozen layers into pages.
 *
 *     frozen, frozen, ... over { delta, base }  --apply-->  { delta', base }  --merge when delta' is large-->  { base' }
 *
 * Invariants:
 * 1. A layer is marked as folded only after its pages are durable, so a reader never looks for a page that is not there.
 * 2. A layer that several branches, views or snapshots share is folded once, for all of them.
 * 3. No slice of work keeps the thread longer than about 5 ms; no transaction takes more than 4 MB of pages.
 */
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import type { StateLayer } from "./layer.ts";
import { entriesMerged } from "./merge.ts";
import type { Memtable } from "./memtable.ts";
import { Page } from "./page.ts";
import type { PageId } from "./page.ts";
import { NO_ROOTS } from "./roots.ts";
import type { Roots } from "./roots.ts";
import type { PageStore } from "./store.ts";
import { LARGE_PAGE_BYTES, PAGE_BYTES, applyOps, mergeTrees } from "./tree-apply.ts";
import type { BuiltTree } from "./tree-apply.ts";
import type { BuiltPage } from "./tree-blob.ts";
import type { Entry, PageSource, TreeRoot } from "./tree.ts";

const SLICE_MS = 5;
const TRANSACTION_BYTES_MAX: number = 4 * 1024 * 1024;
/** LMDB writes inner pages and its free list beside what it is given. */
const ROOM_FACTOR = 2;
const ROOM_MARGIN_BYTES: number = 2 * 1024 * 1024;
/** The delta is merged into the base beyond this share of its entries, ... */
const DELTA_SHARE_MAX = 0.25;
/** ... or beyond this size. Bases beyond it get large pages. */
const DELTA_BYTES_MAX: number = 64 * 1024 * 1024;

/** For whom a layer is folded: whose arena takes its pages, and whether merging is worth it. */
export interface FoldFor {
  readonly arena: number;
  /** Most forks end young; their deltas are not worth a merge. */
  readonly isYoung: boolean;
}

/** What folding needs. */
export interface FolderOptions {
  readonly store: PageStore;
  readonly clock: Clock;
  /** Next page number per arena. */
  readonly nextPages: Map<number, number>;
  /** What the disk under the page store can still take. */
  readonly freeBytes: () => Promise<number>;
}

/** Builds pages for layers and writes them. One fold at a time. */
export class Folder {
  readonly #store: PageStore;
  readonly #clock: Clock;
  readonly #freeBytes: () => Promise<number>;
  readonly #nextPages: Map<number, number>;
  readonly #usedArenas = new Set<number>();
  #pagesWritten = 0;

  constructor({ store, clock, nextPages, freeBytes }: FolderOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#nextPages = nextPages;
    this.#freeBytes = freeBytes;
  }

  get pagesWritten(): number {
    return this.#pagesWritten;
  }

  /** Arenas that took pages since the last call, with their next page number. */
  takeArenas(): readonly (readonly [arena: number, nextPage: number])[] {
    const arenas = [...this.#usedArenas].map((arena) => [arena, this.#nextPages.get(arena) ?? 1] as const);
    this.#usedArenas.clear();
    return arenas;
  }

  /** Folds `layer`, and on the way down every layer in `wanted`; the others are folded into the one above them. */
  async fold(layer: StateLayer, wanted: ReadonlySet<StateLayer>, foldFor: FoldFor): Promise<Roots> {
    const path: StateLayer[] = [];
    let at: StateLayer | undefined = layer;
    for (; at !== undefined && at.roots === undefined; at = at.below) path.push(at);
    let roots = at?.roots ?? NO_ROOTS;
    let tables: Memtable[] = [];
    for (const each of path.toReversed()) {
      if (each.table !== undefined) tables = [each.table, ...tables];
      if (each !== layer && !wanted.has(each)) continue;
      roots = await this.#build(roots, entriesMerged(tables), foldFor);
      each.fold(roots);
      tables = [];
    }
    return roots;
  }

  /**
   * Throws VAULT_COMMIT_FAILED when the disk has no room for `bytes` more. LMDB is not asked to find out: a commit that
   * it fails ends the store. Takes a turn of the event loop, which is why a long build also asks between its slices.
   */
  async ensureRoom(bytes: number): Promise<void> {
    const needed = bytes * ROOM_FACTOR + ROOM_MARGIN_BYTES;
    const free = await this.#freeBytes();
    if (free >= needed) return;
    const message = `the disk has ${free} bytes left where a checkpoint needs ${needed}; the log keeps everything meanwhile`;
    throw new VaultError("VAULT_COMMIT_FAILED", message, { details: { code: "ENOSPC", free, needed } });
  }

  async #build({ base, delta }: Roots, entries: Iterable<Entry>, foldFor: FoldFor): Promise<Roots> {
    if (base === undefined) {
      const built = await this.#drive(applyOps(this.#store, undefined, entries, this.#options(foldFor, undefined)));
      await this.#write(built.pages);
      return { base: built.root, delta: undefined };
    }
    const options = { ...this.#options(foldFor, undefined), keepTombstones: true };
    const changed = await this.#drive(applyOps(this.#store, delta, entries, options));
    if (!isMergeDue(base, changed.root, foldFor.isYoung)) {
      await this.#write(changed.pages);
      return { base, delta: changed.root };
    }
    // The delta's own pages are read from memory and never written, but for the long values, which the base shares.
    const source = overlay(this.#store, changed.pages);
    const merged = await this.#drive(mergeTrees(source, base, changed.root, this.#options(foldFor, base)));
    await this.#write([...changed.pages.filter(isBlob), ...merged.pages]);
    return { base: merged.root, delta: undefined };
  }

  #options({ arena }: FoldFor, base: TreeRoot | undefined) {
    const pageBytes = base !== undefined && base.bytes > DELTA_BYTES_MAX ? LARGE_PAGE_BYTES : PAGE_BYTES;
    return { ids: { arena, take: (count: number) => this.#take(arena, count) }, pageBytes, keepTombstones: false };
  }

  #take(arena: number, count: number): number {
    const first = this.#nextPages.get(arena) ?? 1;
    this.#nextPages.set(arena, first + count);
    this.#usedArenas.add(arena);
    return first;
  }

  async #drive(build: Generator<void, BuiltTree>): Promise<BuiltTree> {
    let sliceStart = this.#clock.monotonicMs();
    for (let step = build.next(); ; step = build.next()) {
      if (step.done === true) return step.value;
      if (this.#clock.monotonicMs() - sliceStart < SLICE_MS) continue;
      await this.ensureRoom(0);
      sliceStart = this.#clock.monotonicMs();
    }
  }

  async #write(pages: readonly BuiltPage[]): Promise<void> {
    let batch: BuiltPage[] = [];
    let bytes = 0;
    for (const page of pages) {
      batch.push(page);
      bytes += page[1].length;
      if (bytes < TRANSACTION_BYTES_MAX) continue;
      await this.#writeBatch(batch);
      batch = [];
      bytes = 0;
    }
    await this.#writeBatch(batch);
  }

  async #writeBatch(pages: readonly BuiltPage[]): Promise<void> {
    if (pages.length === 0) return;
    await this.ensureRoom(pages.reduce((sum, [, bytes]) => sum + bytes.length, 0));
    await this.#store.transaction((draft) => {
      for (const [id, bytes] of pages) draft.putPage(id, bytes);
    });
    this.#pagesWritten += pages.length;
  }
}

function isMergeDue(base: TreeRoot, delta: TreeRoot | undefined, isYoung: boolean): boolean {
  if (delta === undefined) return false;
  if (delta.bytes > DELTA_BYTES_MAX) return true;
  return !isYoung && delta.entries > base.entries * DELTA_SHARE_MAX;
}

function isBlob([id, bytes]: BuiltPage): boolean {
  return new Page(id, bytes).kind === "blob";
}

/** A source that also knows pages which are not written yet. */
function overlay(store: PageSource, pages: readonly BuiltPage[]): PageSource {
  const fresh = new Map(pages.map(([id, bytes]) => [nameOf(id), bytes]));
  return {
    page(id) {
      const bytes = fresh.get(nameOf(id));
      return bytes === undefined ? store.page(id) : new Page(id, bytes);
    },
  };
}

function nameOf({ arena, no }: PageId): string {
  return `${arena}/${no}`;
}
