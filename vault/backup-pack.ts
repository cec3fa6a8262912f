/**
 * A pack: pages of a backup in one file, with an index behind them.
 *
 *     0      8        12           16     32                                     end - 32
 *     | magic | format | generation | uuid | page, page, ... | index, ascending | trailer |
 *
 *     index    n times: arena u32 | no u32 | offset f64 | bytes u32
 *     trailer  index offset f64 | n u32 | crc-32 of the index u32 | zeros 8 | magic 8
 *
 * Invariants:
 * 1. Pages come in the order of their ids, so the index is sorted without being sorted.
 * 2. A page carries its own checksum, seeded with its id (page.ts): an index that points astray is noticed.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { HashedFile } from "./backup-file.ts";
import { backupDamaged } from "./backup-manifest.ts";
import { ByteWriter } from "./bytes.ts";
import type { PageId } from "./page.ts";

const MAGIC = Buffer.from("PLNR-PAK", "latin1");
const FORMAT = 1;
const HEADER_BYTES = 32;
const ENTRY_BYTES = 20;
const TRAILER_BYTES = 32;

/** Writes one pack. */
export class PackWriter {
  readonly #file: HashedFile;
  readonly #index = new ByteWriter(64 * 1024);
  #count = 0;
  #last: PageId = { arena: 0, no: 0 };

  constructor(file: HashedFile, { uuid, generation }: { readonly uuid: string; readonly generation: number }) {
    this.#file = file;
    const header = new ByteWriter(HEADER_BYTES);
    header.raw(MAGIC);
    header.u32(FORMAT);
    header.u32(generation);
    header.raw(Buffer.from(uuid.replaceAll("-", ""), "hex"));
    // The header fits into the file's first piece: nothing is written yet, and there is nothing to wait for.
    assert.equal(file.append(header.done()), undefined);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a page behind the one before it. */
  add(id: PageId, bytes: Uint8Array): Promise<void> | undefined {
    const isNext = id.arena > this.#last.arena || (id.arena === this.#last.arena && id.no > this.#last.no);
    assert.ok(isNext, "pages come in the order of their ids");
    this.#last = id;
    this.#count++;
    this.#index.u32(id.arena);
    this.#index.u32(id.no);
    this.#index.f64(this.#file.bytes);
    this.#index.u32(bytes.length);
    return this.#file.append(bytes);
  }

  /** Adds the index. The file is finished by its owner. */
  async end(): Promise<void> {
    const index = this.#index.done();
    const trailer = new ByteWriter(TRAILER_BYTES);
    trailer.f64(this.#file.bytes);
    trailer.u32(this.#count);
    trailer.u32(crc32(index));
    trailer.zeros(8);
    trailer.raw(MAGIC);
    await this.#file.append(index);
    await this.#file.append(trailer.done());
  }
}

/** Reads one pack. Its index is in memory, 20 bytes per page. */
export class PackReader {
  readonly path: string;
  readonly #file: number;
  readonly #index: Buffer;

  /** Throws VAULT_BACKUP_DAMAGED. */
  constructor(path: string) {
    this.path = path;
    this.#file = openPack(path);
    try {
      this.#index = readIndex(this.#file, path);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get count(): number {
    return this.#index.length / ENTRY_BYTES;
  }

  /** Bytes of the page, or undefined when it is not in this pack. */
  sizeOf(id: PageId): number | undefined {
    const at = this.#find(id);
    return at === undefined ? undefined : this.#index.readUInt32LE(at + 16);
  }

  /** A copy of the page as it was written, unchecked; undefined when it is not in this pack or cannot be read whole. */
  read(id: PageId): Buffer | undefined {
    const at = this.#find(id);
    if (at === undefined) return undefined;
    const bytes = Buffer.allocUnsafeSlow(this.#index.readUInt32LE(at + 16));
    const count = readSync(this.#file, bytes, 0, bytes.length, this.#index.readDoubleLE(at + 8));
    return count === bytes.length ? bytes : undefined;
  }

  /** All ids, ascending. */
  *ids(): Generator<PageId, void> {
    for (let at = 0; at < this.#index.length; at += ENTRY_BYTES) {
      yield { arena: this.#index.readUInt32LE(at), no: this.#index.readUInt32LE(at + 4) };
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Place of the page's entry in the index. */
  #find({ arena, no }: PageId): number | undefined {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * ENTRY_BYTES;
      const difference = this.#index.readUInt32LE(at) - arena || this.#index.readUInt32LE(at + 4) - no;
      if (difference === 0) return at;
      if (difference < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}

function openPack(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw backupDamaged(path, "it cannot be opened", cause);
  }
}

function readIndex(file: number, path: string): Buffer {
  const { size } = fstatSync(file);
  const header = readAt(file, 0, Math.min(size, HEADER_BYTES));
  const trailer = readAt(file, Math.max(0, size - TRAILER_BYTES), Math.min(size, TRAILER_BYTES));
  if (
    size < HEADER_BYTES + TRAILER_BYTES ||
    !header.subarray(0, 8).equals(MAGIC) ||
    !trailer.subarray(24).equals(MAGIC)
  )
    throw backupDamaged(path, "it is no whole pack of pages");
  const start = trailer.readDoubleLE(0);
  const bytes = trailer.readUInt32LE(8) * ENTRY_BYTES;
  if (start < HEADER_BYTES || start + bytes + TRAILER_BYTES !== size)
    throw backupDamaged(path, "its index is not where its trailer says");
  const index = readAt(file, start, bytes);
  if (index.length !== bytes || crc32(index) !== trailer.readUInt32LE(12))
    throw backupDamaged(path, "its index fails its checksum");
  return index;
}

function readAt(file: number, position: number, bytes: number): Buffer {
  const into = Buffer.allocUnsafeSlow(bytes);
  return into.subarray(0, readSync(file, into, 0, bytes, position));
}
