/**
 * One Guardian per vault. The lock is the kernel's (fcntl, held by an SQLite transaction on an otherwise empty file),
 * so it goes with its owner however that ends, and stays while the owner is merely stopped (SIGSTOP).
 *
 * Invariants:
 * 1. Nobody opens the lock file but SQLite: closing any other handle to it would drop the lock of the whole process
 *    (https://www.sqlite.org/howtocorrupt.html, section 2.2). The owner's pid is therefore in a file beside it.
 * 2. The pid is for the message only; nothing is decided by it.
 * 3. A lock is held until it is released, also when nobody refers to the vault any more: SQLite's handle would be closed by
 *    the garbage collector.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { VaultError } from "./errors.ts";
import { isDiskFull } from "./log-files.ts";

const LOCK_FILE = "lock";
const OWNER_FILE = "lock-owner";
/** SQLITE_BUSY, from sqlite3.h. */
const BUSY = 5;

/** Locks of this process; see invariant 3. */
const held = new Set<VaultLock>();

/** The right to be a vault's only Guardian, until it is released or the process ends. */
export class VaultLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws VAULT_LOCKED with the owner's pid in `details` when somebody holds it, in this process or another. */
  static acquire(folder: string): VaultLock {
    const database = new DatabaseSync(join(folder, LOCK_FILE), { timeout: 0 });
    try {
      // The journal stays in memory: there is nothing to roll back, and an ended owner leaves no file behind.
      database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      if (isBusy(error)) throw locked(folder, error);
      throw error;
    }
    const lock = new VaultLock(database);
    held.add(lock);
    try {
      writeFileSync(join(folder, OWNER_FILE), `${process.pid}\n`);
    } catch (error) {
      // On a full disk the refusal of others does without the pid; the vault can still be read.
      if (isDiskFull(error)) return lock;
      lock.release();
      throw error;
    }
    return lock;
  }

  release(): void {
    this.#database.close();
    held.delete(this);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === BUSY;
}

function locked(folder: string, cause: unknown): VaultError {
  const pid = ownerOf(folder);
  const isOurs = pid === process.pid;
  const owner = isOurs ? "this very process" : pid === undefined ? "another process" : `process ${pid}`;
  const way = isOurs ? "close that one first, or use it" : "stop that one first";
  const message = `the vault ${folder} is open in ${owner}; a vault has one Guardian, ${way}`;
  return new VaultError("VAULT_LOCKED", message, { details: { path: folder, pid }, cause });
}

function ownerOf(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, OWNER_FILE), "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // The owner has the lock and is about to write its pid: the message does without.
    return undefined;
  }
}
