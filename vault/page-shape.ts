/**
 * The shape of a page: whether its cells are where and as long as its header says. A checksum proves that a page is what was
 * written, not that it was written by us; whoever takes pages from elsewhere asks here before anything walks them.
 *
 * Invariant: of a page that passes, no accessor of `Page` reads outside its bytes, and a reference names no more pages than
 * its value has bytes for.
 */
import {
  BLOB_REF_BYTES,
  BLOB_SLICE_BYTES,
  CELL_OFFSET_BYTES,
  INNER_CELL_BYTES,
  LEAF_KEY_AT,
  PAGE_HEADER_BYTES,
  pageDamaged,
} from "./page.ts";
import type { Page } from "./page.ts";

/** Throws VAULT_PAGE_DAMAGED. */
export function assertWellFormed(page: Page): void {
  if (page.kind === "blob") return;
  let at = PAGE_HEADER_BYTES + page.count * CELL_OFFSET_BYTES;
  for (let i = 0; i < page.count; i++) {
    const start = page.bytes.readUInt32LE(PAGE_HEADER_BYTES + i * CELL_OFFSET_BYTES);
    if (start !== at) throw pageDamaged(page.id, "its cells are misplaced");
    const end =
      i + 1 < page.count ? page.bytes.readUInt32LE(PAGE_HEADER_BYTES + (i + 1) * CELL_OFFSET_BYTES) : page.bytes.length;
    if (end > page.bytes.length || end - start < cellBytesMin(page, start, end))
      throw pageDamaged(page.id, "a cell of it is cut");
    if (page.kind === "leaf" && page.entryKind(i) === "blob") assertRun(page, i);
    at = end;
  }
}

/** What the cell takes at least, by the length of its key; more than there is where even that length is cut off. */
function cellBytesMin({ kind, bytes }: Page, start: number, end: number): number {
  const head = kind === "leaf" ? LEAF_KEY_AT : INNER_CELL_BYTES;
  return end - start < head ? Infinity : head + bytes.readUInt16LE(start);
}

function assertRun(page: Page, index: number): void {
  if (page.value(index).length !== BLOB_REF_BYTES) throw pageDamaged(page.id, "a reference in it is cut");
  const { count, length } = page.blob(index);
  if (count !== Math.ceil(length / BLOB_SLICE_BYTES)) throw pageDamaged(page.id, "a reference in it is cut wrongly");
}
