/**
 * The scrubber: reads all stored pages from the disk itself, at a gentle pace, so that damage is found while a sound copy may
 * still be in memory, in the log or in a backup.
 *
 *     LMDB's leaves, one after the other --> their pages --> checksum --bad? look again--> mended from memory, or told
 *
 * Invariants:
 * 1. LMDB goes on writing meanwhile, so bytes that look bad may only be old: a page is bad when the newest snapshot of the
 *    file names the very place that was read, before and after the reading.
 * 2. At most `bytesPerSecond`, one read at a time, none on the main thread.
 */
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import { pageDamaged } from "./page.ts";
import type { Page, PageId } from "./page.ts";
import { openDisk } from "./scrub-disk.ts";
import type { DiskReader } from "./scrub-disk.ts";
import { LMDB_PAGE_BYTES } from "./store-file.ts";
import { LMDB_HEADER_BYTES, longHeader, StoreFault } from "./store-layout.ts";
import type { LmdbEntry, LmdbMeta } from "./store-layout.ts";
import { chooseMeta } from "./store-raw.ts";
import { justBefore, nextLeaf } from "./store-walk.ts";
import type { Walk } from "./store-walk.ts";

/** How fast one pass goes. */
export interface ScrubOptions {
  readonly bytesPerSecond: number;
  readonly signal?: AbortSignal;
}

/** Passes that follow each other for as long as the vault is open. */
export interface ScrubSchedule {
  readonly bytesPerSecond: number;
  /** From the end of one pass to the beginning of the next. */
  readonly everyMs: number;
}

/** What a pass found. */
export interface ScrubReport {
  readonly pages: number;
  readonly bytes: number;
  /** Bad on the disk. Those that were sound in memory were written anew. */
  readonly damaged: readonly PageId[];
  readonly mended: readonly PageId[];
  /** Reads went past the page cache. */
  readonly isDirect: boolean;
  /** LMDB's own structure is damaged: the pass ended there, and the vault will not open again without help. */
  readonly structure: string | undefined;
  readonly durationMs: number;
}

/** A page that seems bad is looked at so often while LMDB keeps moving things. */
const LOOKS_MAX = 20;
/** The pace is kept over steps of this much. */
const STEP_BYTES: number = 256 * 1024;

/** One pass over all pages. Rejects with VAULT_CLOSED, or the reason of the signal. `disk`: for tests. */
export async function scrubPages(
  on: MaintenanceContext,
  options: ScrubOptions,
  disk?: DiskReader,
): Promise<ScrubReport> {
  const reader = disk ?? (await openDisk(on.parts.store.path));
  try {
    return await new Pass(on, options, reader).run();
  } finally {
    await reader.close();
  }
}

class Pass {
  readonly #on: MaintenanceContext;
  readonly #signal: AbortSignal;
  readonly #disk: DiskReader;
  readonly #pace: Pace;
  readonly #damaged: PageId[] = [];
  readonly #mended: PageId[] = [];
  #pages = 0;
  #bytes = 0;

  constructor(on: MaintenanceContext, { bytesPerSecond, signal }: ScrubOptions, disk: DiskReader) {
    this.#on = on;
    this.#signal = signal === undefined ? on.closing : AbortSignal.any([on.closing, signal]);
    this.#disk = disk;
    this.#pace = new Pace(on.options.clock, bytesPerSecond, this.#signal);
  }

  async run(): Promise<ScrubReport> {
    const { clock, onEvent } = this.#on.options;
    const startMs = clock.monotonicMs();
    const structure = await this.#all();
    const durationMs = clock.monotonicMs() - startMs;
    const [pages, bytes] = [this.#pages, this.#bytes];
    const damaged = this.#damaged.length + (structure === undefined ? 0 : 1);
    onEvent({ type: "pages.scrubbed", pages, bytes, damaged, durationMs });
    const { isDirect } = this.#disk;
    return { pages, bytes, damaged: this.#damaged, mended: this.#mended, isDirect, structure, durationMs };
  }

  /** Returns what is wrong with LMDB's structure, if anything. */
  async #all(): Promise<string | undefined> {
    for (let after: Buffer = Buffer.alloc(0); ;) {
      const leaf = await this.#leaf(after);
      if (typeof leaf === "string") return leaf;
      const last = leaf.entries.at(-1);
      if (last === undefined) return undefined;
      for (const entry of leaf.entries) {
        if (!(await this.#isSound(entry))) await this.#lookAgain(entry.key);
        this.#pages++;
        this.#bytes += entry.bytes;
        await this.#pace.spend(entry.bytes);
        this.#signal.throwIfAborted();
      }
      after = last.key;
    }
  }

  /** The next leaf's entries as copies, none at the end; a text when LMDB's structure is damaged there. */
  async #leaf(after: Buffer): Promise<Leaf | string> {
    for (let look = 1; ; look++) {
      const meta = await this.#meta();
      if (typeof meta === "string") return meta;
      try {
        const entries = await this.#drive(nextLeaf(meta, after));
        return { txn: meta.txn, entries: (entries ?? []).map((entry) => ({ ...entry, ...copied(entry) })) };
      } catch (error) {
        if (!(error instanceof StoreFault)) throw error;
        const now = await this.#meta();
        if (look >= LOOKS_MAX || typeof now === "string" || now.txn === meta.txn) return error.message;
      }
    }
  }

  /** The page seems bad: is it, and is it still there? */
  async #lookAgain(key: Buffer): Promise<void> {
    for (let look = 1; look <= LOOKS_MAX; look++) {
      const leaf = await this.#leaf(justBefore(key));
      // A damage of the structure is what the pass itself is about to meet.
      if (typeof leaf === "string") return;
      const entry = leaf.entries.find((each) => each.key.equals(key));
      // Collected meanwhile.
      if (entry === undefined || (await this.#isSound(entry))) return;
      const now = await this.#meta();
      if (typeof now !== "string" && now.txn === leaf.txn) return this.#bad(idOf(key));
    }
  }

  async #bad(id: PageId): Promise<void> {
    const { store, damages } = this.#on.parts;
    this.#damaged.push(id);
    await damages.note(pageDamaged(id, "on the disk its checksum differs"));
    const page = this.#inMemory(id);
    if (page === undefined) return;
    await store.transaction((draft) => {
      draft.replacePage(id, Buffer.from(page.bytes));
    });
    this.#mended.push(id);
    damages.mended(id, "memory");
  }

  /** A sound copy in the cache of pages, or in the system's. */
  #inMemory(id: PageId): Page | undefined {
    const { store } = this.#on.parts;
    try {
      return store.cachedPage(id) ?? store.freshPage(id);
    } catch (error) {
      if (error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED") return undefined;
      throw error;
    }
  }

  async #isSound({ key, bytes, value }: LmdbEntry): Promise<boolean> {
    const { store } = this.#on.parts;
    if (value instanceof Uint8Array) return store.isSound(idOf(key), value);
    try {
      const pages = await this.#disk.read(value);
      const isHeadRight = longHeader(value).compare(pages, 0, LMDB_HEADER_BYTES) === 0;
      return isHeadRight && store.isSound(idOf(key), pages.subarray(LMDB_HEADER_BYTES, LMDB_HEADER_BYTES + bytes));
    } catch (error) {
      if (error instanceof StoreFault) return false;
      throw error;
    }
  }

  async #meta(): Promise<LmdbMeta | string> {
    const pages = [Buffer.from(await this.#disk.read({ page: 0, pages: 1 }))];
    pages.push(Buffer.from(await this.#disk.read({ page: 1, pages: 1 })));
    try {
      return chooseMeta(pages).meta;
    } catch (error) {
      if (error instanceof StoreFault) return error.message;
      throw error;
    }
  }

  async #drive<T>(walk: Walk<T>): Promise<T> {
    let step = walk.next();
    while (step.done !== true) {
      const bytes = await this.#disk.read(step.value);
      await this.#pace.spend(step.value.pages * LMDB_PAGE_BYTES);
      step = walk.next(bytes);
    }
    return step.value;
  }
}

interface Leaf {
  readonly txn: number;
  readonly entries: readonly LmdbEntry[];
}

/** So many bytes in a second, in steps. */
class Pace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #signal: AbortSignal;
  #spent = 0;
  #stepMs: number;

  constructor(clock: Clock, bytesPerSecond: number, signal: AbortSignal) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#signal = signal;
    this.#stepMs = clock.monotonicMs();
  }

  async spend(bytes: number): Promise<void> {
    this.#spent += bytes;
    if (this.#spent < STEP_BYTES) return;
    const dueMs = this.#stepMs + (this.#spent / this.#bytesPerSecond) * 1000;
    this.#spent = 0;
    const waitMs = dueMs - this.#clock.monotonicMs();
    if (waitMs > 0) await passed(this.#clock, waitMs, this.#signal);
    this.#stepMs = this.#clock.monotonicMs();
  }
}

/** Resolves after a time. Rejects with the signal's reason. */
async function passed(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const wait = Promise.withResolvers<void>();
  const timer = clock.after(ms, wait.resolve);
  const end = () => wait.reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  try {
    await wait.promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", end);
  }
}

function copied({ key, value }: LmdbEntry): Pick<LmdbEntry, "key" | "value"> {
  return { key: Buffer.from(key), value: value instanceof Uint8Array ? Buffer.from(value) : value };
}

function idOf(key: Buffer): PageId {
  return { arena: key.readUInt32BE(0), no: key.readUInt32BE(4) };
}
