/**
 * The page file as plain bytes, beside LMDB: what the probe, the mending of headers and the scrubber read through.
 *
 * Invariants:
 * 1. Reads are preads: a short file or a bad pointer is an error here, and the end of the process through LMDB's map.
 * 2. What is written is only what the file itself already says elsewhere: a long value's header, a meta page that makes no
 *    sense. The kernel keeps one copy of a file's bytes for reads, writes and maps, so LMDB sees it at once.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { systemCode } from "./log-files.ts";
import { LMDB_PAGE_BYTES } from "./store-file.ts";
import { LMDB_HEADER_BYTES, longHeader, saneMeta, StoreFault } from "./store-layout.ts";
import type { LmdbMeta, LongPlace } from "./store-layout.ts";
import { justBefore, nextLeaf } from "./store-walk.ts";
import type { PagesAsked, Walk } from "./store-walk.ts";

/** An open page file. */
export class RawStore {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Undefined when there is no file, or an empty one. */
  static open(path: string): RawStore | undefined {
    let file: number;
    try {
      file = openSync(path, "r+");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
    if (fstatSync(file).size > 0) return new RawStore(file);
    closeSync(file);
    return undefined;
  }

  /** The snapshot that LMDB takes. Throws a StoreFault when neither meta page makes sense, or the file is too short. */
  meta(): LmdbMeta {
    const choice = chooseMeta(this.#metaPages());
    const needed = (choice.meta.lastPage + 1) * LMDB_PAGE_BYTES;
    const { size } = fstatSync(this.#file);
    if (size >= needed) return choice.meta;
    throw new StoreFault(choice.no, `it promises ${needed} bytes, the file has ${size}`);
  }

  /** Runs a walk, yielding after each of its reads. */
  *steps<T>(walk: Walk<T>): Generator<void, T> {
    let step = walk.next();
    while (step.done !== true) {
      step = walk.next(this.#read(step.value));
      yield;
    }
    return step.value;
  }

  /** Writes a meta page that makes no sense anew, as a copy of the one that does. Before LMDB opens the file. */
  mendMeta(): void {
    const pages = this.#metaPages();
    const { no, hasTwin } = chooseMeta(pages);
    if (hasTwin) return;
    const twin = Buffer.from(pages[no]!);
    twin.writeBigUInt64LE(BigInt(1 - no), 0);
    writeSync(this.#file, twin, 0, LMDB_PAGE_BYTES, (1 - no) * LMDB_PAGE_BYTES);
  }

  /** Runs a walk at once. */
  drive<T>(walk: Walk<T>): T {
    let step = walk.next();
    while (step.done !== true) step = walk.next(this.#read(step.value));
    return step.value;
  }

  /** Writes the headers of these long values anew. */
  mend(places: readonly LongPlace[]): void {
    for (const place of places) {
      writeSync(this.#file, longHeader(place), 0, LMDB_HEADER_BYTES, place.page * LMDB_PAGE_BYTES);
    }
  }

  /**
   * Mends what is damaged among the headers of stored pages with these keys, which ascend. Yields now and then. LMDB must be
   * at rest.
   */
  *mendHeaders(keys: readonly Buffer[]): Generator<void, number> {
    const header = Buffer.alloc(LMDB_HEADER_BYTES);
    let mended = 0;
    for (let at = 0; at < keys.length;) {
      const entries = this.drive(nextLeaf(this.meta(), justBefore(keys[at]!)));
      const last = entries?.at(-1);
      if (entries === undefined || last === undefined) break;
      const wanted = new Map(entries.map(({ key, value }) => [key.toString("latin1"), value]));
      for (; at < keys.length && Buffer.compare(keys[at]!, last.key) <= 0; at++) {
        const place = wanted.get(keys[at]!.toString("latin1"));
        if (place === undefined || place instanceof Uint8Array) continue;
        readSync(this.#file, header, 0, LMDB_HEADER_BYTES, place.page * LMDB_PAGE_BYTES);
        if (header.equals(longHeader(place))) continue;
        this.mend([place]);
        mended++;
      }
      yield;
    }
    return mended;
  }

  close(): void {
    closeSync(this.#file);
  }

  #metaPages(): readonly Buffer[] {
    return [0, 1].map((page) => this.#read({ page, pages: 1 }));
  }

  #read(asked: PagesAsked): Buffer {
    const bytes = Buffer.allocUnsafe(asked.pages * LMDB_PAGE_BYTES);
    let filled = 0;
    while (filled < bytes.length) {
      const at = asked.page * LMDB_PAGE_BYTES + filled;
      const count = readSync(this.#file, bytes, filled, bytes.length - filled, at);
      if (count === 0) throw new StoreFault(asked.page, "it lies behind the end of the file");
      filled += count;
    }
    return bytes;
  }
}

/**
 * Which of the two meta pages counts: the one with the higher transaction, or the only one that makes sense. LMDB leaves
 * everything alone that the transaction before the last one needs, so both are whole snapshots.
 */
export function chooseMeta(pages: readonly Buffer[]): {
  readonly meta: LmdbMeta;
  readonly no: number;
  readonly hasTwin: boolean;
} {
  const metas = pages.map((page, no) => saneMeta(page, no));
  const [first, second] = metas;
  const no = second !== undefined && (first === undefined || second.txn > first.txn) ? 1 : 0;
  const meta = metas[no];
  if (meta === undefined) throw new StoreFault(0, "neither meta page makes sense");
  return { meta, no, hasTwin: metas[1 - no] !== undefined };
}
