/**
 * Reading a tree. A tree is an immutable B+tree of pages, named by its root; this room finds and lists what is in it.
 * Writing (`applyOps`, `mergeTrees`) is in tree-apply.ts, comparing (`diffTrees`) in tree-diff.ts.
 *
 *     root --> inner page --> inner page --> leaf page --> value | tombstone | blob pages
 *
 * Invariants:
 * 1. `undefined` is the empty tree; a root that exists holds at least one entry.
 * 2. A child's level is one less than its parent's, and its keys lie between its low key and the next one's.
 * 3. Reading loads the pages on its way and no others: a range reads a leaf when it is reached.
 * 4. Bytes handed out are copies: changing them cannot change a page.
 *
 * In every layer a value is `Uint8Array`, a tombstone (the key is deleted here, whatever lies below) is `null`, and
 * `undefined` means that this layer knows nothing about the key.
 */
import { readBlob, skipBlob } from "./tree-blob.ts";
import { compareKeys, isPast, keyBehind, keyBytes, lowestKey } from "./tree-key.ts";
import type { KeyBounds } from "./tree-key.ts";
import { contentHash } from "./page-build.ts";
import { pageDamaged } from "./page.ts";
import type { Page, PageId, PageRef } from "./page.ts";

/** A whole tree: its top page, its level, how much is in it, and the content hash that stands for all of it. */
export type TreeRoot = PageRef;

/** Where a tree finds its pages; the page store is one. */
export interface PageSource {
  /** The verified page. Throws VAULT_PAGE_DAMAGED when it is missing or not what was written. */
  page(id: PageId): Page;
}

/** One entry of a layer; `null` is a tombstone. */
export type Entry = readonly [key: string, value: Uint8Array | null];

/** What one layer knows about a key. */
export type Found = Uint8Array | null | undefined;

/** A leaf and the index of the first of its cells that is asked for. */
export interface LeafPlace {
  readonly page: Page;
  readonly start: number;
}

/** What the tree holds under `key`. Reads one page per level. */
export function getFromTree(source: PageSource, root: TreeRoot | undefined, key: string): Found {
  if (root === undefined) return undefined;
  const bytes = keyBytes(key);
  let page = loadPage(source, root);
  while (page.level > 0) {
    page = loadPage(source, { id: page.childId(page.childIndex(bytes)), level: page.level - 1 });
  }
  const index = page.lowerBound(bytes);
  return index < page.count && page.compare(index, bytes) === 0 ? readValue(source, page, index) : undefined;
}

/** The entries within `bounds`, tombstones included, in the order of keys. */
export function* rangeOfTree(
  source: PageSource,
  root: TreeRoot | undefined,
  bounds: KeyBounds = {},
): Generator<Entry, void> {
  if (root === undefined) return;
  if (bounds.reverse === true) return yield* descendTree(source, root, bounds);
  for (const { page, start } of leavesFrom(source, root, keyBytes(lowestKey(bounds)))) {
    for (let i = start; i < page.count; i++) {
      const key = page.keyText(i);
      if (isPast(bounds, key)) return;
      yield [key, readValue(source, page, i)];
    }
  }
}

function* descendTree(source: PageSource, root: PageRef, bounds: KeyBounds): Generator<Entry, void> {
  const lowest = lowestKey(bounds);
  const behind = keyBehind(bounds);
  for (const { page, end } of leavesBefore(source, root, behind === undefined ? undefined : keyBytes(behind))) {
    for (let i = end - 1; i >= 0; i--) {
      const key = page.keyText(i);
      if (compareKeys(key, lowest) < 0) return;
      yield [key, readValue(source, page, i)];
    }
  }
}

/** The leaves right to left from the one that holds or would hold `to` (without it, the last), and where to begin in each. */
function* leavesBefore(
  source: PageSource,
  ref: PageRef,
  to: Uint8Array | undefined,
): Generator<{ readonly page: Page; readonly end: number }, void> {
  const page = loadPage(source, ref);
  if (page.level === 0) {
    yield { page, end: to === undefined ? page.count : page.lowerBound(to) };
    return;
  }
  const last = to === undefined ? page.count - 1 : page.childIndex(to);
  for (let i = last; i >= 0; i--) yield* leavesBefore(source, page.child(i), i === last ? to : undefined);
}

/** The leaves from the one that holds or would hold `from`, left to right, each loaded when it is asked for. */
export function* leavesFrom(source: PageSource, ref: PageRef, from: Uint8Array): Generator<LeafPlace, void> {
  const page = loadPage(source, ref);
  if (page.level === 0) {
    yield { page, start: page.lowerBound(from) };
    return;
  }
  const first = page.childIndex(from);
  for (let i = first; i < page.count; i++) yield* leavesFrom(source, page.child(i), i === first ? from : NOTHING);
}

/**
 * The ids of all pages of the tree, blob pages included, each parent before its children. `skip` is asked before a
 * page is loaded: true leaves out the page and all below it, so a walk over many trees that share pages can visit each
 * page once. Inner pages are read, and leaves that may refer to long values; blob pages are named without being loaded.
 */
export function* pagesOfTree(
  source: PageSource,
  root: TreeRoot | undefined,
  skip: (id: PageId) => boolean = () => false,
): Generator<PageId, void> {
  if (root === undefined || skip(root.id)) return;
  yield root.id;
  if (root.level === 0 && root.hasNoBlobs) return;
  const page = loadPage(source, root);
  for (let i = 0; i < page.count; i++) {
    if (page.level > 0) yield* pagesOfTree(source, page.child(i), skip);
    else if (page.entryKind(i) === "blob") yield* skipBlob(page.blob(i), skip);
  }
}

/**
 * Re-reads the whole tree and compares every content hash with the one its parent holds; long values too. Yields
 * after each page, so that the caller can pause. Throws VAULT_PAGE_DAMAGED at the first page that differs.
 */
export function* verifyTree(source: PageSource, root: TreeRoot | undefined): Generator<PageId, void> {
  if (root === undefined) return;
  const page = loadPage(source, root);
  if (Buffer.compare(contentHash(page), root.sha256) !== 0) throw pageDamaged(root.id, "its content hash differs");
  yield root.id;
  for (let i = 0; i < page.count; i++) {
    if (page.level > 0) yield* verifyTree(source, page.child(i));
    else if (page.entryKind(i) === "blob") readBlob(source, page.blob(i), { isHashed: true });
  }
}

/** Loads the page of `ref` and checks that it stands where its parent says. */
export function loadPage(source: PageSource, ref: Pick<PageRef, "id" | "level">): Page {
  const page = source.page(ref.id);
  if (page.kind === "blob" || page.level !== ref.level)
    throw pageDamaged(ref.id, `it is no page of level ${ref.level}`);
  if (page.count === 0) throw pageDamaged(ref.id, "it is empty");
  return page;
}

/** A copy of the value in cell `index` of a leaf; `null` for a tombstone. */
export function readValue(source: PageSource, page: Page, index: number): Uint8Array | null {
  const kind = page.entryKind(index);
  if (kind === "tombstone") return null;
  return kind === "blob" ? readBlob(source, page.blob(index), { isHashed: false }) : new Uint8Array(page.value(index));
}

const ROOT_BYTES = 57;
/** Flag in the byte of the level. */
const NO_BLOBS = 0x80;
const NOTHING = new Uint8Array(0);

/** A root as 57 bytes, for a row of the meta table. */
export function encodeRoot(root: TreeRoot): Buffer {
  const bytes = Buffer.alloc(ROOT_BYTES);
  bytes.writeUInt32LE(root.id.arena, 0);
  bytes.writeUInt32LE(root.id.no, 4);
  bytes.writeUInt8(root.level | (root.hasNoBlobs ? NO_BLOBS : 0), 8);
  bytes.writeDoubleLE(root.entries, 9);
  bytes.writeDoubleLE(root.bytes, 17);
  bytes.set(root.sha256, 25);
  return bytes;
}

/** The inverse of `encodeRoot`. Throws a RangeError when `bytes` has another length. */
export function decodeRoot(bytes: Uint8Array): TreeRoot {
  if (bytes.length !== ROOT_BYTES) throw new RangeError(`a root has ${ROOT_BYTES} bytes, not ${bytes.length}`);
  const from = Buffer.from(bytes);
  return {
    id: { arena: from.readUInt32LE(0), no: from.readUInt32LE(4) },
    level: from.readUInt8(8) & ~NO_BLOBS,
    hasNoBlobs: (from.readUInt8(8) & NO_BLOBS) !== 0,
    entries: from.readDoubleLE(9),
    bytes: from.readDoubleLE(17),
    sha256: from.subarray(25),
  };
}
