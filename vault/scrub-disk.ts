/**
 * Reading a file past the page cache, where the system allows it: what lies in memory proves nothing about the disk.
 *
 * Invariants:
 * 1. One read at a time: all share one buffer, whose content is handed out until the next read.
 * 2. Reads are asynchronous: a slow disk blocks nobody.
 */
import { close, constants, open, read } from "node:fs";
import { systemCode } from "./log-files.ts";
import { LMDB_PAGE_BYTES } from "./store-file.ts";
import { StoreFault } from "./store-layout.ts";
import type { PagesAsked } from "./store-walk.ts";

/** Something that gives LMDB pages as they are on the disk. */
export interface DiskReader {
  /** True when reads bypass the page cache. */
  readonly isDirect: boolean;
  /** The bytes, valid until the next read. Rejects with a StoreFault behind the end of the file. */
  read(asked: PagesAsked): Promise<Buffer>;
  close(): Promise<void>;
}

/** The longest value that is read at once, in LMDB pages: one page of a large tree, or of a long value. */
const PAGES_MAX = 64;
/** Addresses that direct reads accept are multiples of this at most. */
const ALIGNMENT = 4096;
/** Memory comes in multiples of this. */
const GRAIN = 16;

/** Opens the file, past the cache if that works here. */
export async function openDisk(path: string): Promise<DiskReader> {
  const room = Buffer.allocUnsafeSlow(PAGES_MAX * LMDB_PAGE_BYTES + ALIGNMENT);
  const direct = await openFile(path, constants.O_RDONLY | constants.O_DIRECT).catch(() => undefined);
  if (direct !== undefined) {
    const start = await alignedStart(direct, room);
    if (start !== undefined) return new OpenDisk(direct, room.subarray(start), true);
    await closeFile(direct);
  }
  // A file system without direct reads (some in memory): through the cache, and the report says so.
  return new OpenDisk(await openFile(path, constants.O_RDONLY), room, false);
}

class OpenDisk implements DiskReader {
  readonly isDirect: boolean;
  readonly #file: number;
  readonly #room: Buffer;

  constructor(file: number, room: Buffer, isDirect: boolean) {
    this.#file = file;
    this.#room = room;
    this.isDirect = isDirect;
  }

  async read({ page, pages }: PagesAsked): Promise<Buffer> {
    const bytes = this.#room.subarray(0, Math.min(pages, PAGES_MAX) * LMDB_PAGE_BYTES);
    const count = await readAt(this.#file, bytes, page * LMDB_PAGE_BYTES);
    if (pages > PAGES_MAX || count < bytes.length) throw new StoreFault(page, "it lies behind the end of the file");
    return bytes;
  }

  close(): Promise<void> {
    return closeFile(this.#file);
  }
}

/** Where in `room` an address lies that direct reads accept; addresses are not told in JavaScript, so it is tried. */
async function alignedStart(file: number, room: Buffer): Promise<number | undefined> {
  for (let offset = 0; offset < ALIGNMENT; offset += GRAIN) {
    // A large block of malloc begins 16 bytes behind a page of memory.
    const start = (ALIGNMENT - GRAIN + offset) % ALIGNMENT;
    try {
      await readAt(file, room.subarray(start, start + LMDB_PAGE_BYTES), 0);
      return start;
    } catch (error) {
      if (systemCode(error) !== "EINVAL") return undefined;
    }
  }
  return undefined;
}

function openFile(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, (error, file) => (error ? reject(error) : resolve(file)));
  });
}

function closeFile(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    close(file, (error) => (error ? reject(error) : resolve()));
  });
}

function readAt(file: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, bytes, 0, bytes.length, at, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
