/**
 * The page file, looked at from outside before LMDB maps it. LMDB reads through a memory map: a file shorter than its
 * own meta pages promise does not give an error there, it kills the process with SIGBUS.
 *
 *     0            24                                     4096         4120
 *     | page header | meta: magic ... last page, txn id   | page header | meta of the other parity | pages ...
 *
 * Offsets are those of `struct MDB_meta` of LMDB 1.0 as built into lmdb-js (dependencies/lmdb/libraries/liblmdb/mdb.c).
 *
 * Invariant: the file is never shorter than its newest meta page says. LMDB alone does not promise that: it may name
 * a last page that was allocated, freed and never written. `growFile` keeps a margin ahead of every transaction.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { VaultError } from "./errors.ts";

/** The page size the store is created with; LMDB's own unit, not that of our pages. */
export const LMDB_PAGE_BYTES = 4096;

const META_AT = 24;
const MAGIC = 0xbeefc0de;
const PAGE_SIZE_AT = META_AT + 24;
const LAST_PAGE_AT = META_AT + 120;
const TXN_AT = META_AT + 128;
const META_BYTES = META_AT + 136;
/** The file grows in steps of this size, sparse at first. */
const GROWTH_BYTES = 1 << 20;

/**
 * Checks that the file is as long as its newest meta page says. A file that does not exist or is empty is fine: it
 * will be created. Throws VAULT_PAGES_DAMAGED with `details` {path, bytes, needed} otherwise.
 */
export function assertWholeFile(path: string): void {
  const file = openExisting(path);
  if (file === undefined) return;
  try {
    const bytes = fstatSync(file).size;
    if (bytes === 0) return;
    const metas = [readMeta(file, 0), readMeta(file, LMDB_PAGE_BYTES)].filter((meta) => meta !== undefined);
    const [newest] = metas.toSorted((a, b) => (a.txn < b.txn ? 1 : -1));
    if (newest === undefined) throw damaged(path, "holds no readable meta page", { bytes });
    const needed = (newest.lastPage + 1) * newest.pageBytes;
    if (bytes < needed)
      throw damaged(path, `has ${bytes} bytes where its meta page promises ${needed}`, { bytes, needed });
  } finally {
    closeSync(file);
  }
}

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

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly txn: bigint;
}

function readMeta(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(file, bytes, 0, META_BYTES, at) < META_BYTES || bytes.readUInt32LE(META_AT) !== MAGIC) return undefined;
  return {
    pageBytes: bytes.readUInt32LE(PAGE_SIZE_AT),
    lastPage: Number(bytes.readBigUInt64LE(LAST_PAGE_AT)),
    txn: bytes.readBigUInt64LE(TXN_AT),
  };
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function damaged(path: string, what: string, details: Readonly<Record<string, unknown>>): VaultError {
  return new VaultError("VAULT_PAGES_DAMAGED", `the page file ${path} ${what}`, { details: { path, ...details } });
}
