/**
 * Verifying one page of a tree against what its parent says about it: content hash, level, bounds and order of its keys,
 * sums. More than a reader looks at, for checks and repairs.
 */
import { contentHash } from "./page-build.ts";
import { PAGE_HEADER_BYTES, CELL_OFFSET_BYTES, pageDamaged } from "./page.ts";
import type { Page, PageRef } from "./page.ts";
import { childrenOf } from "./tree-draft.ts";
import type { KeySpan } from "./tree-locate.ts";

/** Throws VAULT_PAGE_DAMAGED when `page` is not the page that `ref`, which covers the keys of `span`, promises. */
export function verifyPage(page: Page, ref: PageRef, { low, high }: KeySpan): void {
  const reason = differenceOf(page, ref) ?? misorderOf(page, low, high);
  if (reason !== undefined) throw pageDamaged(ref.id, reason);
}

/** Whether the content is, byte for byte, what `ref` promises. */
export function isContentOf(page: Page, ref: PageRef): boolean {
  return differenceOf(page, ref) === undefined;
}

function differenceOf(page: Page, ref: PageRef): string | undefined {
  if (page.kind !== (ref.level === 0 ? "leaf" : "inner") || page.level !== ref.level)
    return `it is no page of level ${ref.level}`;
  if (page.count === 0) return "it is empty";
  let at = PAGE_HEADER_BYTES + page.count * CELL_OFFSET_BYTES;
  for (let i = 0; i < page.count; i++) {
    // Cells lie side by side in their order: only then does the hash, which is taken over all of them, cover each.
    if (page.bytes.readUInt32LE(PAGE_HEADER_BYTES + i * CELL_OFFSET_BYTES) !== at) return "its cells are misplaced";
    at += page.cell(i).length;
  }
  if (Buffer.compare(contentHash(page), ref.sha256) !== 0) return "its content hash differs";
  const entries =
    ref.level === 0 ? page.count : childrenOf(page, low0).reduce((sum, child) => sum + child.ref.entries, 0);
  return entries === ref.entries ? undefined : `it has ${entries} entries, not ${ref.entries}`;
}

const low0 = new Uint8Array(0);

function misorderOf(page: Page, low: Uint8Array, high: Uint8Array | undefined): string | undefined {
  for (let i = 1; i < page.count; i++) if (page.compare(i - 1, page.key(i)) >= 0) return "its keys do not ascend";
  // The first key of an inner page may be lower than it has to be, or empty.
  if (page.level === 0 && page.compare(0, low) < 0) return "its keys begin too early";
  if (high !== undefined && page.compare(page.count - 1, high) >= 0) return "its keys go on too long";
  return undefined;
}
