/**
 * The length of the page file, and of LMDB's lock file beside it. LMDB reads through a memory map: a file shorter than its own meta pages promise does not
 * give an error there, it kills the process with SIGBUS.
 *
 * Invariant: the file is never shorter than its newest meta page says; `probe.ts` refuses one that is. LMDB alone does
 * not promise that: it may name a last page that was allocated, freed and never written. `growFile` keeps a margin ahead
 * of every transaction.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";

/** The page size the store is created with; LMDB's own unit, not that of our pages. */
export const LMDB_PAGE_BYTES = 4096;
/** More than LMDB's lock file for its default number of readers takes. */
const LOCK_BYTES = 16_384;
/** The file grows in steps of this size, sparse at first. */
const GROWTH_BYTES = 1 << 20;
const GROWTH_FACTOR = 1.125;

/**
 * Sees to it that LMDB's lock file has blocks on the disk. LMDB makes it sparse and writes to it through a map: on a full
 * disk that is SIGBUS. Throws the system's error (ENOSPC).
 */
export function allocateLockFile(path: string): void {
  const file = openSync(`${path}-lock`, "a", 0o600);
  try {
    const missing = LOCK_BYTES - fstatSync(file).size;
    if (missing > 0) writeSync(file, Buffer.alloc(missing));
  } finally {
    closeSync(file);
  }
}

/**
 * Makes the file at least `bytes` long, and an eighth more, without allocating disk blocks; returns its length. Only while no
 * transaction runs: a file that LMDB lengthened in the meantime would be cut. Not on the vault's own thread: the file system
 * may be busy with its journal for tens of milliseconds.
 */
export async function growFile(path: string, bytes: number): Promise<number> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    if (size >= bytes) return size;
    const wanted = Math.ceil((bytes * GROWTH_FACTOR) / GROWTH_BYTES) * GROWTH_BYTES;
    await file.truncate(wanted);
    return wanted;
  } finally {
    await file.close();
  }
}
