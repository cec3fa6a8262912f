/**
 * The length of the page file. LMDB reads through a memory map: a file shorter than its own meta pages promise does not
 * give an error there, it kills the process with SIGBUS.
 *
 * Invariant: the file is never shorter than its newest meta page says; `probe.ts` refuses one that is. LMDB alone does
 * not promise that: it may name a last page that was allocated, freed and never written. `growFile` keeps a margin ahead
 * of every transaction.
 */
import { closeSync, fstatSync, ftruncateSync, openSync } from "node:fs";

/** The page size the store is created with; LMDB's own unit, not that of our pages. */
export const LMDB_PAGE_BYTES = 4096;
/** The file grows in steps of this size, sparse at first. */
const GROWTH_BYTES = 1 << 20;

/**
 * Makes the file at least `bytes` long, rounded up, without allocating disk blocks. Only while no transaction runs:
 * a file that LMDB lengthened in the meantime would be cut.
 */
export function growFile(path: string, bytes: number): void {
  const file = openSync(path, "r+");
  try {
    if (fstatSync(file).size < bytes) ftruncateSync(file, Math.ceil(bytes / GROWTH_BYTES) * GROWTH_BYTES);
  } finally {
    closeSync(file);
  }
}
