/**
 * Building pages: the encoder to the decoder in page.ts, which has the picture of the layout. Also the content hash,
 * which is taken once, when a page is built, and again when a tree is verified.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  BLOB_FLAG,
  BLOB_REF_BYTES,
  CELL_OFFSET_BYTES,
  INNER_CELL_BYTES,
  KINDS,
  LEAF_KEY_AT,
  PAGE_HEADER_BYTES,
  TOMBSTONE_FLAG,
} from "./page.ts";
import { CellList } from "./cells.ts";
import type { CellRange } from "./cells.ts";
import type { BlobRef, Page, PageKind, PageRef } from "./page.ts";

/** Of an encoded blob reference, the part that says where it lies and not what it is. */
const BLOB_REF_ID_BYTES = 12;
const LENGTH_MASK = 0x3fff_ffff;
const NO_BLOBS_FLAG = 0x8000_0000;

/** A leaf cell with its value in place, or a tombstone for `null`. */
export function valueCell(key: Uint8Array, value: Uint8Array | null): Buffer {
  const cell = Buffer.allocUnsafe(LEAF_KEY_AT + key.length + (value?.length ?? 0));
  cell.writeUInt16LE(key.length, 0);
  cell.writeUInt32LE(value === null ? TOMBSTONE_FLAG : value.length, 2);
  cell.set(key, LEAF_KEY_AT);
  if (value !== null) cell.set(value, LEAF_KEY_AT + key.length);
  return cell;
}

/** A leaf cell whose value lies in blob pages. */
export function blobCell(key: Uint8Array, blob: BlobRef): Buffer {
  const at = LEAF_KEY_AT + key.length;
  const cell = Buffer.allocUnsafe(at + BLOB_REF_BYTES);
  cell.writeUInt16LE(key.length, 0);
  cell.writeUInt32LE(BLOB_REF_BYTES + BLOB_FLAG, 2);
  cell.set(key, LEAF_KEY_AT);
  cell.writeUInt32LE(blob.first.arena, at);
  cell.writeUInt32LE(blob.first.no, at + 4);
  cell.writeUInt32LE(blob.count, at + 8);
  cell.writeUInt32LE(blob.length, at + 12);
  cell.set(blob.sha256, at + 16);
  return cell;
}

/** An inner cell: the child and the lowest key its subtree may hold. */
export function innerCell(low: Uint8Array, child: PageRef): Buffer {
  const cell = Buffer.allocUnsafe(INNER_CELL_BYTES + low.length);
  cell.writeUInt16LE(low.length, 0);
  cell.writeUInt32LE(child.id.arena, 2);
  cell.writeUInt32LE(child.id.no, 6);
  cell.writeUInt32LE(child.entries + (child.hasNoBlobs ? NO_BLOBS_FLAG : 0), 10);
  cell.writeDoubleLE(child.bytes, 14);
  cell.set(child.sha256, 22);
  cell.set(low, INNER_CELL_BYTES);
  return cell;
}

/** The key of an encoded leaf cell, as a view. */
export function cellKey(cell: Buffer): Buffer {
  return cell.subarray(LEAF_KEY_AT, LEAF_KEY_AT + cell.readUInt16LE(0));
}

/** Is this encoded leaf cell a tombstone? */
export function isTombstone(cell: Buffer): boolean {
  return cell.readUInt32LE(2) >= TOMBSTONE_FLAG;
}

/** What lies in a leaf: key and value bytes, long values counted in full, and whether there is none of those. */
export function leafTotals(page: Page): { readonly bytes: number; readonly hasNoBlobs: boolean } {
  let bytes = 0;
  let hasNoBlobs = true;
  for (let i = 0; i < page.count; i++) {
    const at = page.cellStart(i);
    const keyLength = page.bytes.readUInt16LE(at);
    const length = page.bytes.readUInt32LE(at + 2);
    bytes += keyLength;
    if (length >= TOMBSTONE_FLAG) continue;
    const isBlob = (length & BLOB_FLAG) !== 0;
    if (isBlob) hasNoBlobs = false;
    bytes += isBlob ? page.bytes.readUInt32LE(at + LEAF_KEY_AT + keyLength + 12) : length & LENGTH_MASK;
  }
  return { bytes, hasNoBlobs };
}

/** Lays out a leaf (level 0) or inner page. The checksum stays zero: the store stamps it. */
export function buildPage(level: number, cells: readonly Buffer[]): Buffer {
  const list = new CellList();
  for (const cell of cells) list.push(cell);
  return buildPageOf(level, list, { from: 0, to: list.count });
}

/** Lays out a page of some cells of a list. */
export function buildPageOf(level: number, cells: CellList, part: CellRange): Buffer {
  const used = PAGE_HEADER_BYTES + cells.bytesOf(part);
  const bytes = header(level === 0 ? "leaf" : "inner", level, part.to - part.from, used);
  cells.layOut(bytes, part);
  return bytes;
}

/** One slice of a long value as a page. */
export function buildBlobPage(slice: Uint8Array): Buffer {
  const bytes = header("blob", 0, 0, PAGE_HEADER_BYTES + slice.length);
  bytes.set(slice, PAGE_HEADER_BYTES);
  return bytes;
}

/** Throws an assertion when the keys of `page` do not ascend: run on every page before it is handed to the store. */
export function assertOrdered(page: Page): void {
  assert.ok(page.isOrdered(), `the keys of a ${page.kind} page do not ascend`);
}

/** The 32 byte content hash: a leaf's cells, or an inner page's level, child hashes and keys. No id enters it. */
export function contentHash(page: Page): Uint8Array {
  return hash("sha256", page.kind === "leaf" ? leafContent(page) : innerContent(page), "buffer");
}

function header(kind: PageKind, level: number, count: number, used: number): Buffer {
  // A buffer of its own: pages live long, a slice of Node's shared pool would keep 8 KB of strangers alive.
  const bytes = Buffer.allocUnsafeSlow(used);
  bytes.fill(0, 0, PAGE_HEADER_BYTES);
  bytes[8] = KINDS.indexOf(kind);
  bytes[9] = level;
  bytes.writeUInt16LE(count, 10);
  bytes.writeUInt32LE(used, 12);
  return bytes;
}

function leafContent(page: Page): Buffer {
  const cellsAt = PAGE_HEADER_BYTES + page.count * CELL_OFFSET_BYTES;
  const cells = page.bytes.subarray(cellsAt);
  let masked: Buffer | undefined;
  for (let i = 0; i < page.count; i++) {
    if (page.entryKind(i) !== "blob") continue;
    masked ??= Buffer.from(cells);
    const at = page.value(i).byteOffset - cells.byteOffset;
    masked.fill(0, at, at + BLOB_REF_ID_BYTES);
  }
  return masked ?? cells;
}

function innerContent(page: Page): Buffer {
  const parts: Uint8Array[] = [Uint8Array.of(page.level)];
  for (let i = 0; i < page.count; i++) {
    const keyLength = Buffer.allocUnsafe(2);
    keyLength.writeUInt16LE(page.key(i).length);
    parts.push(page.child(i).sha256, keyLength, page.key(i));
  }
  return Buffer.concat(parts);
}
