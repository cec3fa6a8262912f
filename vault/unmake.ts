/**
 * Taking a vault away that was made a moment ago for a job that then failed: nobody can have put anything into it, and an
 * empty vault in its place would look as if something had been done.
 *
 * Invariant: it goes under its lock, and only if it is still the one that was made.
 */
import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { VaultError } from "./errors.ts";
import { identify, isVault } from "./identity.ts";
import { VaultLock } from "./lock.ts";
import { systemCode } from "./log-files.ts";

/** What taking the lock leaves in a folder. */
export const LOCK_FILES: readonly string[] = ["lock", "lock-owner"];
/** What a vault that is being made consists of before it has its `vault.json`. */
export const PARTS: readonly string[] = [...LOCK_FILES, "log", "pages.mdb", "pages.mdb-lock", "vault.json.new"];

/** What is to be taken away. */
export interface UnmakeOptions {
  readonly path: string;
  readonly uuid: string;
  /** How many folders were made for it: 0 leaves its folder, 2 also takes the one above, if nothing else is in there. */
  readonly folders: number;
}

/** Takes the vault away, unless somebody has opened it meanwhile. */
export async function unmakeVault({ path, uuid, folders }: UnmakeOptions): Promise<void> {
  const lock = acquire(path);
  if (lock === undefined) return;
  try {
    // `identify` would make a vault of an empty folder.
    if (!(await isVault(path)) || (await identify(path)) !== uuid) return;
    await clearFolder(path);
  } finally {
    lock.release();
  }
  for (let folder = path, count = folders; count > 0; folder = dirname(folder), count--) {
    if (!(await removeEmpty(folder))) return;
  }
}

/** Takes all files of a vault out of a folder. */
export async function clearFolder(path: string): Promise<void> {
  for (const name of [...PARTS, "vault.json"]) await rm(join(path, name), { recursive: true, force: true });
}

function acquire(path: string): VaultLock | undefined {
  try {
    return VaultLock.acquire(path);
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_LOCKED") return undefined;
    throw error;
  }
}

async function removeEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(systemCode(error))) return false;
    throw error;
  }
}
