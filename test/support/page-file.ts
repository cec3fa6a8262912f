/** The page file of a closed vault, as bytes: which pages lie where, and damage done to them. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { KINDS } from "../../vault/page.ts";
import type { PageId, PageKind } from "../../vault/page.ts";
import { LMDB_HEADER_BYTES } from "../../vault/store-layout.ts";
import { RawStore } from "../../vault/store-raw.ts";
import { nextLeaf } from "../../vault/store-walk.ts";

const LMDB_PAGE_BYTES = 4096;

/** A page that is stored in pages of LMDB's own. */
export interface StoredPage {
  readonly id: PageId;
  readonly kind: PageKind | undefined;
  readonly level: number;
  /** Where its bytes begin in the file. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** All pages over 2 KB, in the order of their ids. Smaller ones lie within LMDB's leaves. */
export function storedPages(path: string): readonly StoredPage[] {
  const raw = RawStore.open(path);
  if (raw === undefined) throw new Error(`${path} holds no pages`);
  const file = openSync(path, "r");
  const found: StoredPage[] = [];
  for (let after = Buffer.alloc(0); ;) {
    const entries = raw.drive(nextLeaf(raw.meta(), after));
    if (entries === undefined) break;
    for (const { key, value, bytes: size } of entries) {
      if (value instanceof Uint8Array) continue;
      const at = value.page * LMDB_PAGE_BYTES + LMDB_HEADER_BYTES;
      const bytes = Buffer.alloc(size);
      readSync(file, bytes, 0, size, at);
      const id = { arena: key.readUInt32BE(0), no: key.readUInt32BE(4) };
      found.push({ id, kind: KINDS[bytes[8]!], level: bytes[9]!, at, bytes });
    }
    after = Buffer.from(entries.at(-1)!.key);
  }
  closeSync(file);
  raw.close();
  return found;
}

/** Overwrites bytes of the file. */
export function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

/** Flips a bit in the middle of each of these pages. */
export function flipPages(path: string, pages: readonly StoredPage[]): void {
  for (const { at, bytes } of pages) {
    const middle = bytes.length >> 1;
    overwrite(path, at + middle, Uint8Array.of(bytes[middle]! ^ 0x40));
  }
}
