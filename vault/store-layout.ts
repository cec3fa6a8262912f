/**
 * The layout of LMDB's own pages, read from plain bytes. LMDB itself follows its pointers without a look: a flipped bit in
 * one of them reads foreign memory, and ends the process. So what LMDB will trust is checked here first, by code that
 * cannot be led astray.
 *
 *     page     | number u64 | txn u64 | 0 u16 | kind u16 | lower u16 | upper u16 | n node offsets u16 | free | nodes |
 *     branch   node: child u48 | key length u16 | key
 *     leaf     node: length u32 | flags u16 | key length u16 | key | value, or where it lies: page u64, txn u64, pages u64
 *     long     page | number u64 | txn u64 | 0 u16 | kind u16 | pages u32 | value ...
 *     meta     magic u32 | version u32 | 0 u64 | map u64 | free tree 48 | main tree 48 | last page u64 | txn u64
 *     tree     pad u32 | flags u16 | depth u16 | branch, leaf, long pages, entries, root: u64 each
 *
 * As `struct MDB_page_header`, `MDB_node`, `MDB_ovpage`, `MDB_meta` and `MDB_db` of LMDB 1.0 as built into lmdb-js
 * (dependencies/lmdb/libraries/liblmdb/mdb.c). Offsets in pages count from behind the page header.
 *
 * Invariant: nothing here reads outside the bytes it was given; what does not fit is a `StoreFault`.
 */
import { LMDB_PAGE_BYTES } from "./store-file.ts";

/** What comes before the nodes' offsets, and before a long value. */
export const LMDB_HEADER_BYTES = 24;
/** An encoded tree. */
const TREE_BYTES = 48;

const MAGIC = 0xbeef_c0de;
const VERSION = 2;
const BRANCH = 1;
const LEAF = 2;
const LONG = 4;
const META = 8;
const NODE_BYTES = 8;
const PLACE_BYTES = 24;
/** Flags of a leaf node. */
const BIG_DATA = 1;
const SUB_TREE = 2;
/** Deeper than any tree of 2^47 bytes; LMDB's own stack takes 32. */
const DEPTH_MAX = 16;
const MAP_BYTES_MAX: number = 2 ** 47;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** MDB_INTEGERKEY: the free tree's keys are numbers. The other flags are the environment's. */
const INTEGER_KEY = 0x08;
const DUPLICATES = 0x04 | 0x10 | 0x20 | 0x40;

/** Something in the file that LMDB cannot have written. `page` is LMDB's number. */
export class StoreFault extends Error {
  readonly page: number;

  constructor(page: number, reason: string) {
    super(`LMDB's page ${page}: ${reason}`);
    this.name = "StoreFault";
    this.page = page;
  }
}

/** A B-tree within the file. */
export interface LmdbTree {
  readonly depth: number;
  readonly longPages: number;
  readonly entries: number;
  /** `undefined` for an empty tree. */
  readonly root: number | undefined;
}

/** One of the two meta pages: all that a snapshot of the file is. */
export interface LmdbMeta {
  readonly free: LmdbTree;
  readonly main: LmdbTree;
  readonly lastPage: number;
  readonly txn: number;
}

/** A value that lies in pages of its own. */
export interface LongPlace {
  readonly page: number;
  readonly pages: number;
  readonly txn: number;
}

/** An entry of a leaf. */
export interface LmdbEntry {
  readonly key: Buffer;
  readonly bytes: number;
  readonly isTree: boolean;
  /** The value itself, or where it lies. */
  readonly value: Buffer | LongPlace;
}

/** What is in a page that was checked. */
export type LmdbNodes =
  | { readonly kind: "branch"; readonly keys: readonly Buffer[]; readonly children: readonly number[] }
  | { readonly kind: "leaf"; readonly entries: readonly LmdbEntry[] };

/** The meta page `no`, or undefined when the bytes are none that LMDB could have written. */
export function saneMeta(page: Buffer, no: number): LmdbMeta | undefined {
  const meta = page.subarray(LMDB_HEADER_BYTES);
  const map = meta.readBigUInt64LE(16);
  const isSane =
    page.readBigUInt64LE(0) === BigInt(no) &&
    page.readUInt16LE(18) === META &&
    meta.readUInt32LE(0) === MAGIC &&
    meta.readUInt32LE(4) === VERSION &&
    meta.readBigUInt64LE(8) === 0n &&
    map % BigInt(LMDB_PAGE_BYTES) === 0n &&
    map <= BigInt(MAP_BYTES_MAX) &&
    meta.readUInt32LE(24) === LMDB_PAGE_BYTES &&
    (meta.readUInt16LE(28) & INTEGER_KEY) !== 0 &&
    (meta.readUInt16LE(28) & DUPLICATES) === 0 &&
    meta.readUInt32LE(72) === 0 &&
    meta.readUInt16LE(76) === 0;
  if (!isSane) return undefined;
  return {
    free: readTree(meta.subarray(24)),
    main: readTree(meta.subarray(72)),
    lastPage: Number(meta.readBigUInt64LE(120)),
    txn: Number(meta.readBigUInt64LE(128)),
  };
}

/** A tree's description. */
export function readTree(bytes: Buffer): LmdbTree {
  const root = bytes.readBigUInt64LE(40);
  return {
    depth: bytes.readUInt16LE(6),
    longPages: Number(bytes.readBigUInt64LE(24)),
    entries: Number(bytes.readBigUInt64LE(32)),
    root: root === NO_ROOT ? undefined : Number(root),
  };
}

/** Throws a StoreFault when a tree described on page `no` cannot be one. `isNamed`: one of our two tables. */
export function checkTree(tree: LmdbTree, bytes: Buffer | undefined, no: number): void {
  const isEmpty = tree.root === undefined;
  if (tree.depth > DEPTH_MAX || isEmpty !== (tree.depth === 0) || isEmpty !== (tree.entries === 0))
    throw new StoreFault(no, "a tree is described that cannot be");
  const flags = bytes?.readUInt16LE(4) ?? 0;
  if ((flags & (INTEGER_KEY | DUPLICATES)) !== 0) throw new StoreFault(no, `a table has flags ${flags}`);
}

/** What a page is checked against. */
export interface PageExpected {
  readonly no: number;
  /** Levels from here to the leaves, this one counted. */
  readonly depth: number;
  readonly meta: LmdbMeta;
}

/** Checks a branch or leaf page and takes it apart. Throws a StoreFault. */
export function readNodes(page: Buffer, { no, depth, meta }: PageExpected): LmdbNodes {
  checkHeader(page, no, depth === 1 ? LEAF : BRANCH, meta);
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = LMDB_PAGE_BYTES - LMDB_HEADER_BYTES;
  if (lower % 2 !== 0 || lower > upper || upper > room) throw new StoreFault(no, "its free space is misplaced");
  const count = lower / 2;
  if (count < (depth === 1 ? 1 : 2)) throw new StoreFault(no, `it has ${count} nodes`);
  const nodes = Array.from({ length: count }, (_, i) => nodeAt(page, { no, index: i, isLeaf: depth === 1, upper }));
  const used = nodes.reduce((sum, { bytes }) => sum + bytes + (bytes % 2), 0);
  if (used !== room - upper) throw new StoreFault(no, "its nodes overlap or leave a gap");
  if (depth === 1) return { kind: "leaf", entries: nodes.map(({ at }) => entryAt(page, at, { no, meta })) };
  const children = nodes.map(({ at }) => page.readUIntLE(at, 6));
  const stray = children.find((child) => child < 2 || child > meta.lastPage);
  if (stray !== undefined) throw new StoreFault(no, `it points to page ${stray}`);
  return { kind: "branch", children, keys: nodes.map(({ at }) => keyAt(page, at)) };
}

/**
 * The header of a long value's first page. It says nothing that the leaf does not say as well, but LMDB believes it when it
 * frees the value: a wrong one would make it give away pages of others, or fail every transaction that tries.
 */
export function longHeader({ page, pages, txn }: LongPlace): Buffer {
  const header = Buffer.alloc(LMDB_HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(page), 0);
  header.writeBigUInt64LE(BigInt(txn), 8);
  header.writeUInt16LE(LONG, 18);
  header.writeUInt32LE(pages, 20);
  return header;
}

function checkHeader(page: Buffer, no: number, kind: number, { txn }: LmdbMeta): void {
  const found = page.readBigUInt64LE(0);
  if (found !== BigInt(no)) throw new StoreFault(no, `what lies there is page ${found}`);
  if (page.readUInt16LE(16) !== 0 || page.readUInt16LE(18) !== kind)
    throw new StoreFault(no, `it is of kind ${page.readUInt16LE(18)}, not ${kind}`);
  if (page.readBigUInt64LE(8) > BigInt(txn)) throw new StoreFault(no, "it is from a transaction that has not been");
}

function nodeAt(
  page: Buffer,
  { no, index, isLeaf, upper }: { no: number; index: number; isLeaf: boolean; upper: number },
): { readonly at: number; readonly bytes: number } {
  const offset = page.readUInt16LE(LMDB_HEADER_BYTES + 2 * index);
  const at = offset + LMDB_HEADER_BYTES;
  if (offset < upper || offset % 2 !== 0 || at + NODE_BYTES > LMDB_PAGE_BYTES)
    throw new StoreFault(no, `node ${index} is misplaced`);
  const value = !isLeaf ? 0 : (page.readUInt16LE(at + 4) & BIG_DATA) !== 0 ? PLACE_BYTES : page.readUInt32LE(at);
  const bytes = NODE_BYTES + page.readUInt16LE(at + 6) + value;
  if (at + bytes > LMDB_PAGE_BYTES) throw new StoreFault(no, `node ${index} does not fit`);
  return { at, bytes };
}

function keyAt(page: Buffer, at: number): Buffer {
  return page.subarray(at + NODE_BYTES, at + NODE_BYTES + page.readUInt16LE(at + 6));
}

function entryAt(page: Buffer, at: number, { no, meta }: { no: number; meta: LmdbMeta }): LmdbEntry {
  const key = keyAt(page, at);
  const bytes = page.readUInt32LE(at);
  const flags = page.readUInt16LE(at + 4);
  if ((flags & ~(BIG_DATA | SUB_TREE)) !== 0 || flags === (BIG_DATA | SUB_TREE))
    throw new StoreFault(no, `an entry has flags ${flags}`);
  const valueAt = at + NODE_BYTES + key.length;
  const isTree = flags === SUB_TREE;
  if (isTree && bytes !== TREE_BYTES) throw new StoreFault(no, "a table's description has a wrong length");
  if (flags !== BIG_DATA) return { key, bytes, isTree, value: page.subarray(valueAt, valueAt + bytes) };
  const first = Number(page.readBigUInt64LE(valueAt));
  const txn = Number(page.readBigUInt64LE(valueAt + 8));
  const pages = Number(page.readBigUInt64LE(valueAt + 16));
  const needed = Math.floor((LMDB_HEADER_BYTES - 1 + bytes) / LMDB_PAGE_BYTES) + 1;
  if (first < 2 || pages !== needed || first + pages - 1 > meta.lastPage || txn > meta.txn)
    throw new StoreFault(no, `a long value of ${bytes} bytes is said to lie in ${pages} pages at ${first}`);
  return { key, bytes, isTree, value: { page: first, pages, txn } };
}
