/**
 * A state as it lies on disk: its pages, read past the vault through the page store, whose checksums are compared on the
 * way. And what pages take on disk.
 */
import assert from "node:assert/strict";
import type { BranchId } from "../../vault/index.ts";
import { loadCheckpoint } from "../../vault/recovery.ts";
import { treesOf } from "../../vault/roots.ts";
import { LMDB_PAGE_BYTES } from "../../vault/store-file.ts";
import type { PageStore } from "../../vault/store.ts";
import { pagesOfTree } from "../../vault/tree.ts";
import type { TreeRoot } from "../../vault/tree.ts";

/** The trees of a branch as the last checkpoint left it. `uuid` is the vault's. */
export function treesOfBranch(store: PageStore, uuid: string, branch: BranchId): readonly TreeRoot[] {
  const roots = loadCheckpoint(store, uuid).state.branches.get(branch)?.top.below?.roots;
  assert.ok(roots !== undefined, `branch ${branch} is not in the page store`);
  return treesOf(roots);
}

/** Copies every page of the trees, long values included, each verified, one behind the other into `target`. Returns their bytes. */
export function copyPages(store: PageStore, trees: readonly TreeRoot[], target: Buffer): number {
  let at = 0;
  const copy = (bytes: Uint8Array) => {
    target.set(bytes, at);
    at += bytes.length;
  };
  for (const tree of trees) for (const id of pagesOfTree(store, tree)) store.visitPage(id, copy);
  return at;
}

const PAGE_NUMBERS_AT_ONCE = 100_000;

/** Bytes on disk of all pages that a branch wrote itself: what it has beyond the state it was forked from. */
export function ownDiskBytes(store: PageStore, branch: BranchId): number {
  const numbers = store.pageNumbers(branch, { first: 0, limit: PAGE_NUMBERS_AT_ONCE });
  assert.ok(numbers.length < PAGE_NUMBERS_AT_ONCE, "more pages than one look takes in");
  return numbers.reduce((sum, no) => sum + diskBytesOf(store.page({ arena: branch, no }).bytes.length), 0);
}

/** LMDB's header of a value's own pages; and beyond which size a value has pages of its own (two to a page, mdb.c). */
const LMDB_HEADER_BYTES = 24;
const LMDB_NODE_BYTES_MAX: number = (LMDB_PAGE_BYTES - LMDB_HEADER_BYTES) / 2;
/** A node's header and our key of 8 bytes. */
const LMDB_NODE_OVERHEAD_BYTES = 16;

/** What a value of `bytes` takes in LMDB's file. */
export function diskBytesOf(bytes: number): number {
  const nodeBytes = bytes + LMDB_NODE_OVERHEAD_BYTES;
  if (nodeBytes <= LMDB_NODE_BYTES_MAX) return nodeBytes;
  return LMDB_NODE_OVERHEAD_BYTES + Math.ceil((bytes + LMDB_HEADER_BYTES) / LMDB_PAGE_BYTES) * LMDB_PAGE_BYTES;
}
