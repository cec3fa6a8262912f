/**
 * Folding: turning frozen layers into pages.
 *
 *     frozen, frozen, ... over { delta, base }  --apply-->  { delta', base }  --merge when delta' is large-->  { base' }
 *
 * Invariants:
 * 1. A layer is marked as folded only after its pages are durable, so a reader never looks for a page that is not there.
 *    Until then they are in a batch: pages of many layers share one transaction of the store.
 * 2. A layer that several branches, views or snapshots share is folded once, for all of them.
 * 3. No slice of work keeps the thread longer than about 5 ms; no transaction takes more than 2 MB of pages.
 */
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import { buildRoots, nameOf, overlay } from "./fold-build.ts";
import type { StateLayer } from "./layer.ts";
import { entriesMerged } from "./merge.ts";
import type { Memtable } from "./memtable.ts";
import { NO_ROOTS } from "./roots.ts";
import type { Roots } from "./roots.ts";
import type { PageStore } from "./store.ts";
import { LARGE_PAGE_BYTES, PAGE_BYTES } from "./tree-apply.ts";
import type { BuiltTree } from "./tree-apply.ts";
import type { BuiltPage } from "./tree-blob.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** Less than the 5 ms that a turn may be kept waiting: the collector of garbage takes the rest. */
const SLICE_MS = 2;
const TRANSACTION_BYTES_MAX: number = 2 * 1024 * 1024;
/** LMDB is handed a transaction in one turn, at about 10 us a page however small it is. */
const TRANSACTION_PAGES_MAX = 128;
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
  /** Told VAULT_PAGE_DAMAGED that was met and worked around. */
  readonly onDamage: (error: VaultError) => void;
}

/** Builds pages for layers and writes them. One fold at a time; `flush` ends a series of them, `abandon` gives one up. */
export class Folder {
  readonly #store: PageStore;
  readonly #clock: Clock;
  readonly #freeBytes: () => Promise<number>;
  readonly #nextPages: Map<number, number>;
  readonly #usedArenas = new Set<number>();
  readonly #source: PageSource;
  readonly #passing: PageSource;
  readonly #onDamage: (error: VaultError) => void;
  readonly #damagedTrees = new Set<string>();
  /** Built, and not yet written. */
  readonly #batch = new Map<string, BuiltPage>();
  #batchBytes = 0;
  /** Layers whose pages are in the batch, or were written before it. */
  readonly #folded = new Map<StateLayer, Roots>();
  #pagesWritten = 0;
  #sliceStartMs = 0;

  constructor({ store, clock, nextPages, freeBytes, onDamage }: FolderOptions) {
    this.#onDamage = onDamage;
    this.#store = store;
    this.#clock = clock;
    this.#nextPages = nextPages;
    this.#freeBytes = freeBytes;
    this.#source = overlay(store, this.#batch);
    this.#passing = overlay({ page: (id) => store.cachedPage(id) ?? store.freshPage(id) }, this.#batch);
  }

  get pagesWritten(): number {
    return this.#pagesWritten;
  }

  /** Next page number per arena: higher ones were never given out. */
  get nextPages(): ReadonlyMap<number, number> {
    return this.#nextPages;
  }

  /** Leaves out page numbers up to `nextPage`: pages that a crash has left lie there. */
  skipPages(arena: number, nextPage: number): void {
    this.#nextPages.set(arena, Math.max(nextPage, this.#nextPages.get(arena) ?? 1));
  }

  /** Lets go of arenas that will never take pages again. */
  forgetArenas(arenas: readonly number[]): void {
    for (const arena of arenas) {
      this.#nextPages.delete(arena);
      this.#usedArenas.delete(arena);
    }
  }

  /** Arenas that took pages since the last call, with their next page number. */
  takeArenas(): readonly (readonly [arena: number, nextPage: number])[] {
    const arenas = [...this.#usedArenas].map((arena) => [arena, this.#nextPages.get(arena) ?? 1] as const);
    this.#usedArenas.clear();
    return arenas;
  }

  /**
   * The roots of `layer`, and of every layer in `wanted` on the way down; the others are folded into the one above them.
   * The layers themselves change with the next `flush`.
   */
  async fold(layer: StateLayer, wanted: ReadonlySet<StateLayer>, foldFor: FoldFor): Promise<Roots> {
    const path: StateLayer[] = [];
    let at: StateLayer | undefined = layer;
    for (; at !== undefined && this.#rootsOf(at) === undefined; at = at.below) path.push(at);
    let roots = (at === undefined ? undefined : this.#rootsOf(at)) ?? NO_ROOTS;
    let tables: Memtable[] = [];
    for (const each of path.toReversed()) {
      if (each.table !== undefined) tables = [each.table, ...tables];
      if (each !== layer && !wanted.has(each)) continue;
      const changes = tables;
      roots = await this.#build(roots, changes, foldFor);
      this.#folded.set(each, roots);
      tables = [];
    }
    if (this.#batchBytes >= TRANSACTION_BYTES_MAX) await this.flush();
    return roots;
  }

  /** Makes the next checkpoint write the rows of all arenas. */
  rewriteArenas(): void {
    for (const arena of this.#nextPages.keys()) this.#usedArenas.add(arena);
  }

  /** Pages were mended: trees in which damage was met may be read as a whole again. */
  mended(): void {
    this.#damagedTrees.clear();
  }

  /** Writes what was built, then marks the layers. */
  async flush(): Promise<void> {
    await this.#write([...this.#batch.values()]);
    for (const [layer, roots] of this.#folded) layer.fold(roots);
    this.abandon();
  }

  /** Forgets what was built and not written. */
  abandon(): void {
    this.#batch.clear();
    this.#batchBytes = 0;
    this.#folded.clear();
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

  async #build(roots: Roots, tables: readonly Memtable[], foldFor: FoldFor): Promise<Roots> {
    const built = await buildRoots(roots, () => entriesMerged(tables), {
      source: this.#source,
      passing: this.#passing,
      drive: (build, built) => this.#drive(build, built),
      applyOptions: (baseBytes) => this.#options(foldFor, baseBytes),
      entriesBytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
      isMergeDue: (base, delta) => isMergeDue(base, delta, foldFor.isYoung),
      damagedTrees: this.#damagedTrees,
      onDamage: this.#onDamage,
    });
    this.#take(built.pages);
    return built.roots;
  }

  #rootsOf(layer: StateLayer): Roots | undefined {
    return layer.roots ?? this.#folded.get(layer);
  }

  #take(pages: readonly BuiltPage[]): void {
    for (const page of pages) {
      this.#batch.set(nameOf(page[0]), page);
      this.#batchBytes += page[1].length;
    }
  }

  #options({ arena }: FoldFor, baseBytes: number) {
    const pageBytes = baseBytes > DELTA_BYTES_MAX ? LARGE_PAGE_BYTES : PAGE_BYTES;
    return { ids: { arena, take: (count: number) => this.#number(arena, count) }, pageBytes, keepTombstones: false };
  }

  #number(arena: number, count: number): number {
    const first = this.#nextPages.get(arena) ?? 1;
    this.#nextPages.set(arena, first + count);
    this.#usedArenas.add(arena);
    return first;
  }

  async #drive(build: Generator<void, BuiltTree>, built = new Map<number, BuiltPage>()): Promise<BuiltTree> {
    // The slice goes on from one build to the next: many small ones in a row would else be one long one.
    for (let step = build.next(); ; step = build.next()) {
      if (this.#clock.monotonicMs() - this.#sliceStartMs >= SLICE_MS) {
        await this.ensureRoom(0);
        if (step.done !== true) await this.#spill(built);
        this.#sliceStartMs = this.#clock.monotonicMs();
      }
      if (step.done === true) return step.value;
    }
  }

  /** Writes finished pages of a build that goes on, once they are worth a transaction. Nothing refers to them before the end. */
  async #spill(built: Map<number, BuiltPage>): Promise<void> {
    const pages = [...built.values()];
    if (bytesOf(pages) < TRANSACTION_BYTES_MAX) return;
    built.clear();
    await this.#write(pages);
  }

  async #write(pages: readonly BuiltPage[]): Promise<void> {
    let batch: BuiltPage[] = [];
    let bytes = 0;
    for (const page of pages) {
      batch.push(page);
      bytes += page[1].length;
      if (bytes < TRANSACTION_BYTES_MAX && batch.length < TRANSACTION_PAGES_MAX) continue;
      await this.#writeBatch(batch);
      batch = [];
      bytes = 0;
    }
    await this.#writeBatch(batch);
  }

  async #writeBatch(pages: readonly BuiltPage[]): Promise<void> {
    if (pages.length === 0) return;
    await this.ensureRoom(bytesOf(pages));
    await this.#store.transaction((draft) => {
      for (const [id, bytes] of pages) draft.putPage(id, bytes);
    });
    this.#pagesWritten += pages.length;
  }
}

function bytesOf(pages: readonly BuiltPage[]): number {
  return pages.reduce((sum, [, bytes]) => sum + bytes.length, 0);
}

function isMergeDue(base: TreeRoot, delta: TreeRoot, isYoung: boolean): boolean {
  if (delta.bytes > DELTA_BYTES_MAX) return true;
  return !isYoung && delta.entries > base.entries * DELTA_SHARE_MAX;
}
