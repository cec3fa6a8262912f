/**
 * The page store: where checkpoints land. The only room that knows LMDB; it keeps two tables, `pages` (page id -> page)
 * and `meta` (whatever rows the vault keeps about itself), and changes both in one transaction.
 *
 *     page(id)         cache -> LMDB -> copy -> checksum -> Page
 *     transaction(fn)  fn fills a draft -> one LMDB batch on LMDB's own thread -> durable
 *
 * Invariants:
 * 1. No page leaves this room without its checksum, seeded with its id, having been verified.
 * 2. A transaction is all or nothing, and durable when its promise resolves. One runs at a time, in the order of calls.
 * 3. After LMDB has rejected or not answered a commit, the store takes no more: VAULT_STORE_FAILED. Reopen to recover.
 * 4. LMDB's memory is never handed out: its read buffer is shared and overwritten by the next read.
 *
 * Traps of lmdb-js 3.5.6 that this file is shaped by:
 * - `overlappingSync` acknowledges writes whose meta page failed: it is off, and a batch then resolves after both fsyncs.
 * - After MDB_PANIC promises hang for ever and a close may block the thread: every wait has a limit, a failed store is
 *   not closed but left to the end of the process.
 * - A rejection carries a second promise (`commitError`) that kills the process if nobody looks at it.
 * - `eventTurnBatching` wraps each turn in a batch of its own, whose rejection nobody can catch: it is off.
 * - A callback that throws in the middle of a batch commits the first half: keys and values are checked before it.
 * - A callback that returns a promise defers its commit: callbacks are blocks that return nothing.
 */
import assert from "node:assert/strict";
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { open } from "lmdb";
import type { Database, RootDatabase } from "lmdb";
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import { isDiskFull, systemCode } from "./log-files.ts";
import { loadPageChecksum, Page, pageDamaged } from "./page.ts";
import type { PageChecksum, PageId } from "./page.ts";
import { PageCache } from "./store-cache.ts";
import { Slices } from "./slices.ts";
import { Changes, pageKey } from "./store-draft.ts";
import type { StoreDraft } from "./store-draft.ts";
import { probeStore, walkInSlices } from "./probe.ts";
import { allocateLockFile, growFile, LMDB_PAGE_BYTES } from "./store-file.ts";
import { RawStore } from "./store-raw.ts";
import type { StoreWalk } from "./store-walk.ts";
import type { PageSource } from "./tree.ts";

/** How a store is opened. */
export interface PageStoreOptions {
  /** The page file, for example `<vault>/pages.mdb`. Its folder exists. LMDB keeps a `-lock` file beside it. */
  readonly path: string;
  readonly clock: Clock;
  /** Bound of the cache of verified pages. 256 MB in production. */
  readonly cacheBytes: number;
  /** Address space for the memory map: 64 GiB and more in production, costs nothing. A larger file is mapped anew. */
  readonly mapBytes: number;
  /** A commit that LMDB has not answered by then counts as failed. 5 s in production. */
  readonly commitLimitMs: number;
  /** Told `store.commit` just before a transaction and `store.commit.done` just after; see `VaultOptions.onStep`. */
  readonly onStep?: (step: string) => void;
}

/** How much is stored and cached. */
export interface PageStoreStats {
  readonly pages: number;
  readonly fileBytes: number;
  /** Pages read from the file since it was opened; what the cache had is not counted. */
  readonly pageReads: number;
  readonly cachedPages: number;
  readonly cachedBytes: number;
}

type Row = readonly [key: Uint8Array, value: Buffer];

/** Allowance for the inner pages and the free list that LMDB rewrites beside each changed row. */
const LMDB_PAGES_PER_CHANGE = 8;
const FILE_MARGIN_BYTES = 1 << 20;
/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID (lmdb.h): the file itself is at fault. */
const DAMAGE_CODES: readonly unknown[] = [-30797, -30796, -30794, -30793];

/** See the header. Close it, or `await using` it. */
export class PageStore implements PageSource, AsyncDisposable {
  readonly #options: PageStoreOptions;
  readonly #checksum: PageChecksum;
  readonly #cache: PageCache;
  readonly #root: RootDatabase<Buffer, Uint8Array>;
  readonly #pages: Database<Buffer, Uint8Array>;
  readonly #meta: Database<Buffer, Uint8Array>;
  readonly #key = Buffer.alloc(8);
  #pageReads = 0;
  /** The file is at least this long. */
  #fileBytes = 0;
  #queue: Promise<void> = Promise.resolve();
  #state: "open" | "closed" | VaultError = "open";

  /**
   * Opens the page file or creates it. Throws VAULT_PAGES_DAMAGED when its structure is damaged (probe.ts)
   * or LMDB does not recognise it, VAULT_STORE_FAILED when LMDB cannot open it for another reason (`cause`).
   */
  static async open(options: PageStoreOptions): Promise<PageStore> {
    const checksum = await loadPageChecksum();
    probeStore(options.path);
    try {
      allocateLockFile(options.path);
      const store = new PageStore(options, checksum);
      store.#fileBytes = await growFile(options.path, FILE_MARGIN_BYTES);
      return store;
    } catch (error) {
      throw openFailure(options.path, error);
    }
  }

  private constructor(options: PageStoreOptions, checksum: PageChecksum) {
    const isNew = !existsSync(options.path);
    const shape = { encoding: "binary", keyEncoding: "binary" } as const;
    this.#options = options;
    this.#checksum = checksum;
    this.#cache = new PageCache(options.cacheBytes);
    this.#root = open({
      ...shape,
      path: options.path,
      noSubdir: true,
      overlappingSync: false,
      eventTurnBatching: false,
      maxDbs: 8,
      pageSize: LMDB_PAGE_BYTES,
      mapSize: options.mapBytes,
    });
    this.#pages = this.#root.openDB({ ...shape, name: "pages" });
    this.#meta = this.#root.openDB({ ...shape, name: "meta" });
    if (isNew) syncFolder(dirname(options.path));
  }

  /** The page file. */
  get path(): string {
    return this.#options.path;
  }

  /** The verified page. Throws VAULT_PAGE_DAMAGED (`details` arena, no) when it is missing or not what was written. */
  page(id: PageId): Page {
    this.#assertReadable();
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const bytes = this.#copyOf(this.#pages, this.#pageKey(id));
    this.#pageReads++;
    if (bytes === undefined) throw pageDamaged(id, "it is missing");
    if (!this.#checksum.matches(id, bytes)) throw pageDamaged(id, "its checksum differs");
    const page = new Page(id, bytes);
    // Long values would wash the search pages out of the cache, and are copied by their reader anyway.
    if (page.kind !== "blob") this.#cache.put(page);
    return page;
  }

  /** As `page`, read from the file even when a copy is cached. */
  freshPage(id: PageId): Page {
    this.#assertReadable();
    const bytes = this.#copyOf(this.#pages, this.#pageKey(id));
    if (bytes === undefined) throw pageDamaged(id, "it is missing");
    if (!this.#checksum.matches(id, bytes)) throw pageDamaged(id, "its checksum differs");
    return new Page(id, bytes);
  }

  /** Are these the bytes of page `id`, by their checksum? */
  isSound(id: PageId, bytes: Buffer): boolean {
    return this.#checksum.matches(id, bytes);
  }

  /**
   * Hands the verified bytes of a page to `visit`, read past the cache: for whoever sends them on or copies them, which is
   * three times as fast as keeping them. They are a window into memory that the next read overwrites. Throws as `page` does.
   */
  visitPage(id: PageId, visit: (bytes: Uint8Array) => void): void {
    this.#assertReadable();
    const shared = this.#guarded(() => this.#pages.getBinaryFast(this.#pageKey(id)));
    if (shared === undefined) throw pageDamaged(id, "it is missing");
    const bytes = shared.subarray(0, shared.length);
    if (!this.#checksum.matches(id, bytes)) throw pageDamaged(id, "its checksum differs");
    visit(bytes);
  }

  /** The page if a verified copy of it is in memory. */
  cachedPage(id: PageId): Page | undefined {
    return this.#cache.get(id);
  }

  /**
   * Walks the structure of the file (probe.ts) while transactions wait. Rejects with VAULT_PAGES_DAMAGED, or the reason of
   * the slices' signal.
   */
  async checkStructure(slices: Slices): Promise<StoreWalk | undefined> {
    this.#assertReadable();
    const turn = this.#queue.then(() => walkInSlices(this.#options.path, slices));
    this.#queue = turn.then(
      () => undefined,
      () => undefined, // the caller has the rejection
    );
    return turn;
  }

  /** A copy of a meta row. */
  readMeta(key: Uint8Array): Buffer | undefined {
    this.#assertReadable();
    return this.#copyOf(this.#meta, key);
  }

  /**
   * Copies of the meta rows whose key begins with `prefix`, in the order of their bytes: all of them, or the first `limit`
   * behind the key `after`, for a reader that pauses in between.
   */
  rangeMeta(prefix: Uint8Array, { after, limit }: { after?: Uint8Array; limit?: number } = {}): readonly Row[] {
    this.#assertReadable();
    const rows: Row[] = [];
    const start = after === undefined ? prefix : Buffer.concat([after, Buffer.alloc(1)]);
    const end = behindPrefix(prefix);
    const range = { start, ...(end === undefined ? {} : { end }), ...(limit === undefined ? {} : { limit }) };
    for (const shared of this.#guarded(() => [...this.#meta.getKeys(range)])) {
      const key = Buffer.from(shared);
      const value = this.#copyOf(this.#meta, key);
      if (value !== undefined) rows.push([key, value]);
    }
    return rows;
  }

  /** Numbers of the stored pages of an arena from `first` on, ascending, at most `limit`. */
  pageNumbers(arena: number, { first, limit }: { first: number; limit: number }): readonly number[] {
    const ids = this.pageIds({ from: { arena, no: first }, limit });
    return ids.filter((id) => id.arena === arena).map(({ no }) => no);
  }

  /** Ids of the stored pages from `from` on, in order through all arenas, at most `limit`: the collector's sweep list. */
  pageIds({ from, limit }: { readonly from: PageId; readonly limit: number }): readonly PageId[] {
    this.#assertReadable();
    const start = pageKey(from.arena, from.no, Buffer.alloc(8));
    const keys = this.#guarded(() => [...this.#pages.getKeys({ start, limit })]);
    return keys.map((key) => ({ arena: Buffer.from(key).readUInt32BE(0), no: Buffer.from(key).readUInt32BE(4) }));
  }

  /** Length of a stored page, which is not verified; 0 when there is none. */
  pageBytes(id: PageId): number {
    this.#assertReadable();
    return this.#guarded(() => this.#pages.getBinaryFast(this.#pageKey(id)))?.length ?? 0;
  }

  /**
   * Runs `fn` at once to collect changes, then commits them together. Resolves when they are durable and readable.
   * What `fn` throws rejects, with nothing changed. Rejects with VAULT_STORE_FAILED when LMDB refuses or does not
   * answer in time (then whether the changes are on disk is unknown until the store is reopened), VAULT_CLOSED after
   * close. Keep one transaction under 8 MB: putting a page takes about 10 us of this thread.
   */
  async transaction(fn: (draft: StoreDraft) => void): Promise<void> {
    this.#assertWritable();
    const changes = new Changes(this.#checksum);
    changes.fill(fn);
    if (changes.count === 0) return;
    const turn = this.#queue.then(async () => this.#commit(changes));
    this.#queue = turn.then(undefined, () => undefined); // the caller has the rejection; the queue only keeps the order
    await turn;
  }

  stats(): PageStoreStats {
    this.#assertReadable();
    const { entryCount, lastPageNumber } = lmdbStats(this.#pages);
    return {
      pages: entryCount,
      fileBytes: (lastPageNumber + 1) * LMDB_PAGE_BYTES,
      pageReads: this.#pageReads,
      cachedPages: this.#cache.count,
      cachedBytes: this.#cache.bytes,
    };
  }

  /** Waits for running transactions and closes the file; calling it again does nothing. A failed store is only left. */
  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    await this.#queue;
    if (this.#wasClosed()) await this.#withinLimit(this.#root.close(), "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #commit(changes: Changes): Promise<void> {
    if (this.#state instanceof VaultError) throw this.#state;
    await this.#makeRoom(changes);
    const freed = changes.freedPages();
    if (freed.length > 0) await this.#mendHeaders(freed);
    this.#options.onStep?.("store.commit");
    const answer = this.#root.batch(() => {
      for (const { table, key, value } of changes.rows()) {
        const database = table === "pages" ? this.#pages : this.#meta;
        // The one promise that tells the outcome is the batch's; within it these are placeholders that never reject.
        if (value === undefined) void database.remove(key);
        else void database.put(key, value);
      }
    });
    await this.#withinLimit(answer, "commit");
    this.#options.onStep?.("store.commit.done");
    for (const id of changes.stalePages()) this.#cache.delete(id);
  }

  /** Waits for LMDB, but not for ever. Any bad end fails the store. */
  async #withinLimit(answer: Promise<unknown>, what: string): Promise<void> {
    const limitMs = this.#options.commitLimitMs;
    const silence = Promise.withResolvers<never>();
    const timer = this.#options.clock.after(limitMs, () => {
      silence.reject(new Error(`LMDB did not answer within ${limitMs} ms`));
    });
    const reasoned = answer.catch(async (rejection: unknown) => {
      throw await causeOf(rejection);
    });
    try {
      await Promise.race([reasoned, silence.promise]);
    } catch (error) {
      throw this.#fail(what, error);
    } finally {
      timer.cancel();
    }
  }

  #fail(what: string, cause: unknown): VaultError {
    const message = `LMDB failed to ${what} the page store ${this.#options.path}; reopen the vault to recover`;
    const failure = new VaultError("VAULT_STORE_FAILED", message, { details: { path: this.#options.path }, cause });
    this.#state = failure;
    return failure;
  }

  /** Keeps the promise of store-file.ts: the file is lengthened before LMDB may need it. */
  async #makeRoom(changes: Changes): Promise<void> {
    const needed = this.#fileBytesNeeded(changes);
    if (needed <= this.#fileBytes) return;
    try {
      this.#fileBytes = await growFile(this.#options.path, needed);
    } catch (error) {
      throw this.#fail("grow", error);
    }
  }

  /** LMDB believes the headers of the values that it frees: see `longHeader`. */
  async #mendHeaders(keys: readonly Buffer[]): Promise<void> {
    const raw = RawStore.open(this.#options.path);
    try {
      if (raw !== undefined) await new Slices().drive(raw.mendHeaders(keys));
    } catch (error) {
      throw this.#fail("look at", error);
    } finally {
      raw?.close();
    }
  }

  #fileBytesNeeded(changes: Changes): number {
    const { lastPageNumber } = lmdbStats(this.#pages);
    const used = (lastPageNumber + 1 + changes.count * LMDB_PAGES_PER_CHANGE) * LMDB_PAGE_BYTES;
    // Twice the bytes: a value may need a run of pages beside the one it replaces.
    return used + 2 * changes.bytes + FILE_MARGIN_BYTES;
  }

  #pageKey(id: PageId): Buffer {
    return pageKey(id.arena, id.no, this.#key);
  }

  #copyOf(database: Database<Buffer, Uint8Array>, key: Uint8Array): Buffer | undefined {
    const shared = this.#guarded(() => database.getBinaryFast(key));
    if (shared === undefined) return undefined;
    const length = shared.length; // patched by lmdb-js to the value's: the array behind it is longer
    const copy = Buffer.allocUnsafeSlow(length);
    shared.copy(copy, 0, 0, length);
    return copy;
  }

  /** Runs a read; what LMDB throws then means that its own structure is broken, or that it has failed before. */
  #guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      // After a failed write of its meta page LMDB refuses reads as well: nothing is damaged by that.
      if (this.#state instanceof VaultError) throw this.#state;
      throw pagesDamaged(this.#options.path, error);
    }
  }

  #assertReadable(): void {
    if (this.#state === "closed") throw new VaultError("VAULT_CLOSED", "the page store is closed");
  }

  #assertWritable(): void {
    this.#assertReadable();
    if (this.#state instanceof VaultError) throw this.#state;
  }

  #wasClosed(): boolean {
    return this.#state === "closed";
  }
}

/** The first key behind all that begin with `prefix`; none when its bytes are all 255. */
function behindPrefix(prefix: Uint8Array): Buffer | undefined {
  const length = prefix.findLastIndex((byte) => byte < 255) + 1;
  if (length === 0) return undefined;
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1]! += 1;
  return end;
}

/** lmdb-js types `getStats()` as `{}`; these two are in `MDB_stat` and `MDB_envinfo`. */
function lmdbStats(database: Database<Buffer, Uint8Array>): { entryCount: number; lastPageNumber: number } {
  const stats: Readonly<Record<string, unknown>> = { ...database.getStats() };
  const { entryCount, lastPageNumber } = stats;
  assert.ok(typeof entryCount === "number" && typeof lastPageNumber === "number", "LMDB tells its size");
  return { entryCount, lastPageNumber };
}

/**
 * The reason behind a rejection of LMDB: a promise that rejects at about the same moment. It is given a few turns of
 * the microtask queue and no more, because a promise of LMDB may also never settle.
 */
async function causeOf(rejection: unknown): Promise<unknown> {
  if (!(rejection instanceof Error) || !("commitError" in rejection)) return rejection;
  const reason = Promise.resolve(rejection.commitError).then(
    () => rejection,
    (cause: unknown) => cause,
  );
  return Promise.race([reason, microtasks(8).then(() => rejection)]);
}

async function microtasks(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

function openFailure(path: string, error: unknown): VaultError {
  const isDamage = error instanceof Error && "code" in error && DAMAGE_CODES.includes(error.code);
  if (isDamage) return pagesDamaged(path, error);
  const code = systemCode(error);
  const message = `LMDB cannot open the page store ${path}${isDiskFull(error) ? ": the disk is full" : ""}`;
  return new VaultError("VAULT_STORE_FAILED", message, { details: { path, code }, cause: error });
}

function pagesDamaged(path: string, cause: unknown): VaultError {
  const message = `LMDB cannot read the page store ${path}: its own structure is damaged`;
  return new VaultError("VAULT_PAGES_DAMAGED", message, { details: { path }, cause });
}

/** Makes a new file's name durable: neither LMDB nor an fsync of the file does that. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
