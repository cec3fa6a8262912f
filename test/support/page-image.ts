/**
 * The page file as it lies on the disk, and what a power cut in the middle of one of LMDB's transactions may leave of it.
 *
 *     before --data pages, any order--> fdatasync --> one meta page --> after
 *              ^ cut: any of their sectors            ^ cut: all data, the old meta page
 *
 * That is LMDB's classic mode (mdb.c, mdb_txn_commit): a transaction never writes to a page that the meta page before it
 * reaches, and the meta page, which is less than a sector, is written after the sync of everything else.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Chance } from "./chance.ts";
import { SECTOR_BYTES } from "./sim-disk.ts";

const BLOCK_BYTES = 4096;
/** Blocks 0 and 1 are the meta pages. */
const META_BLOCKS = 2;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** A file by its blocks; a block that is not there is zeros. */
export interface PageImage {
  readonly bytes: number;
  readonly blocks: ReadonlyMap<number, Buffer>;
}

/** Reads a page file; undefined when there is none. Blocks that are as in `known` are shared with it. */
export function readPages(path: string, known?: PageImage): PageImage | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const blocks = new Map<number, Buffer>();
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const block = content.subarray(at, at + BLOCK_BYTES);
    if (block.equals(ZEROS)) continue;
    const same = known?.blocks.get(at / BLOCK_BYTES);
    blocks.set(at / BLOCK_BYTES, same?.equals(block) === true ? same : Buffer.from(block));
  }
  return { bytes: content.length, blocks };
}

/** Writes an image as a file with holes. */
export function writePages(path: string, { bytes, blocks }: PageImage): void {
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, bytes);
    for (const [no, block] of blocks) {
      const room = Math.min(BLOCK_BYTES, bytes - no * BLOCK_BYTES);
      if (room > 0) writeSync(file, block, 0, room, no * BLOCK_BYTES);
    }
  } finally {
    closeSync(file);
  }
}

/** One transaction. `durableBytes` is the file's size at the end of the one before: it may have grown since, unsynced. */
export interface PageTransaction {
  readonly before: PageImage;
  readonly after: PageImage;
  readonly durableBytes: number;
}

/** One image that a cut during the transaction may leave. */
export function cutPages({ before, after, durableBytes }: PageTransaction, chance: Chance): PageImage {
  const fate = chance.of(["nothing", "some data", "some data", "some data", "data", "all"] as const);
  if (fate === "all") return after;
  if (fate === "data") return { bytes: after.bytes, blocks: withData(before, after, () => true) };
  const bytes = chance.oneIn(2) ? Math.max(durableBytes, META_BLOCKS * BLOCK_BYTES) : before.bytes;
  if (fate === "nothing") return { bytes, blocks: before.blocks };
  const oneIn = 1 + chance.below(6);
  return { bytes, blocks: withData(before, after, () => chance.oneIn(oneIn)) };
}

/** The blocks of `before` with those sectors of `after` that `isKept` says; meta pages stay. */
function withData(before: PageImage, after: PageImage, isKept: () => boolean): ReadonlyMap<number, Buffer> {
  const blocks = new Map(before.blocks);
  for (const no of new Set([...before.blocks.keys(), ...after.blocks.keys()])) {
    const [old, fresh] = [before.blocks.get(no) ?? ZEROS, after.blocks.get(no) ?? ZEROS];
    if (no < META_BLOCKS || old === fresh) continue;
    const block = Buffer.from(old);
    for (let at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES) {
      if (isKept()) fresh.copy(block, at, at, at + SECTOR_BYTES);
    }
    blocks.set(no, block);
  }
  return blocks;
}
