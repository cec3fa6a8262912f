/**
 * Long values. What would fill more than a quarter of a page lies in a run of blob pages of its own, and the leaf
 * keeps a reference: first page, count, length and the sha256 of the whole value.
 *
 * Invariants:
 * 1. The pages of one value have consecutive numbers in one arena.
 * 2. A reference may be copied from tree to tree: blob pages are shared like all others.
 */
import { createHash } from "node:crypto";
import { buildBlobPage } from "./page-build.ts";
import { BLOB_SLICE_BYTES, PAGE_HEADER_BYTES, pageDamaged } from "./page.ts";
import type { BlobRef, PageId } from "./page.ts";
import type { PageSource } from "./tree.ts";

/** A page that was built and is not yet written. Its checksum is still zero. */
export type BuiltPage = readonly [id: PageId, bytes: Buffer];

/** Gives out page numbers of one arena. */
export interface PageAllocator {
  readonly arena: number;
  /** Reserves `count` consecutive numbers and returns the first. A number is never given out twice. */
  take(count: number): number;
}

/** Cuts `value` into blob pages, which are added to `pages`. Yields after each page. */
export function* buildBlob(
  value: Uint8Array,
  ids: PageAllocator,
  pages: Map<number, BuiltPage>,
): Generator<void, BlobRef> {
  const count = Math.ceil(value.length / BLOB_SLICE_BYTES);
  const first = { arena: ids.arena, no: ids.take(count) };
  const digest = createHash("sha256");
  for (let i = 0; i < count; i++) {
    const slice = value.subarray(i * BLOB_SLICE_BYTES, (i + 1) * BLOB_SLICE_BYTES);
    digest.update(slice);
    const id = { arena: first.arena, no: first.no + i };
    pages.set(id.no, [id, buildBlobPage(slice)]);
    yield;
  }
  return { first, count, length: value.length, sha256: digest.digest() };
}

/**
 * The whole value as a copy. Throws VAULT_PAGE_DAMAGED when a page of the run is damaged, is no blob page, or the
 * length is not the one promised. `isHashed` compares the sha256 as well; without it the page checksums must do.
 */
export function readBlob(source: PageSource, blob: BlobRef, { isHashed }: { isHashed: boolean }): Uint8Array {
  if (blob.count !== Math.ceil(blob.length / BLOB_SLICE_BYTES)) throw pageDamaged(blob.first, "its run is cut wrongly");
  const value = new Uint8Array(blob.length);
  let at = 0;
  for (const id of blobIds(blob)) {
    const page = source.page(id);
    const slice = page.bytes.subarray(PAGE_HEADER_BYTES);
    if (page.kind !== "blob" || slice.length !== Math.min(BLOB_SLICE_BYTES, blob.length - at)) {
      throw pageDamaged(id, "it is not the expected slice of a long value");
    }
    value.set(slice, at);
    at += slice.length;
  }
  if (isHashed && Buffer.compare(createHash("sha256").update(value).digest(), blob.sha256) !== 0) {
    throw pageDamaged(blob.first, "the content hash of the long value that begins here differs");
  }
  return value;
}

/** The ids of a long value's pages, without those that `skip` claims. */
export function* skipBlob(blob: BlobRef, skip: (id: PageId) => boolean): Generator<PageId, void> {
  for (const id of blobIds(blob)) if (!skip(id)) yield id;
}

function* blobIds(blob: BlobRef): Generator<PageId, void> {
  for (let i = 0; i < blob.count; i++) yield { arena: blob.first.arena, no: blob.first.no + i };
}
