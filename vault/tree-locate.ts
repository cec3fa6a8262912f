/**
 * Where in a tree a page lies: the keys that need it. For telling whom a damaged page hurts, so the page itself is not read.
 *
 *     root --> inner pages that meet the range of keys --> the page, as its parent names it
 *                                                     \-> a leaf with a long value that lies there
 */
import { VaultError } from "./errors.ts";
import type { Page, PageId, PageRef } from "./page.ts";
import { loadPage } from "./tree.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** Keys from `low` on, below `high`; to the end when that is undefined. */
export interface KeySpan {
  readonly low: Uint8Array;
  readonly high: Uint8Array | undefined;
}

/** All keys. */
export const ALL_KEYS: KeySpan = { low: new Uint8Array(0), high: undefined };

/**
 * The keys under which `root` needs page `id`, looked for within `span`; undefined when it does not need it there. Yields
 * after each page. Other damaged pages are passed by.
 */
export function* locatePage(
  source: PageSource,
  root: TreeRoot,
  id: PageId,
  span: KeySpan,
): Generator<void, KeySpan | undefined> {
  return yield* locate({ source, id, span }, root, ALL_KEYS);
}

interface Search {
  readonly source: PageSource;
  readonly id: PageId;
  readonly span: KeySpan;
}

function* locate(search: Search, ref: PageRef, at: KeySpan): Generator<void, KeySpan | undefined> {
  if (isSame(ref.id, search.id)) return at;
  if (ref.level === 0 && ref.hasNoBlobs) return undefined;
  const page = pageOrNothing(search.source, ref);
  yield;
  if (page === undefined) return undefined;
  if (page.level === 0) return keyOfBlob(page, search.id);
  const first = page.childIndex(search.span.low);
  for (let i = first; i < page.count; i++) {
    const low = i === 0 ? at.low : page.key(i);
    if (search.span.high !== undefined && Buffer.compare(low, search.span.high) >= 0) return undefined;
    const high = i + 1 < page.count ? page.key(i + 1) : at.high;
    const found = yield* locate(search, page.child(i), { low, high });
    if (found !== undefined) return found;
  }
  return undefined;
}

function keyOfBlob(page: Page, id: PageId): KeySpan | undefined {
  for (let i = 0; i < page.count; i++) {
    if (page.entryKind(i) !== "blob") continue;
    const { first, count } = page.blob(i);
    if (first.arena !== id.arena || id.no < first.no || id.no >= first.no + count) continue;
    return { low: page.key(i), high: Buffer.concat([page.key(i), Buffer.alloc(1)]) };
  }
  return undefined;
}

function pageOrNothing(source: PageSource, ref: PageRef): Page | undefined {
  try {
    return loadPage(source, ref);
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED") return undefined;
    throw error;
  }
}

function isSame(a: PageId, b: PageId): boolean {
  return a.arena === b.arena && a.no === b.no;
}
