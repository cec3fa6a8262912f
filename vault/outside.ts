/**
 * Copies of a vault do not go into the vault's own folder: what lies there is lost together with the vault, and a restore or a
 * copy of that folder would find files that are none of its own.
 *
 * Invariant: folders are compared as the system knows them, by device and inode, so no symlink, bind mount or spelling leads in.
 */
import { realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { VaultError } from "./errors.ts";
import { systemCode } from "./log-files.ts";

/** Throws VAULT_PATH_INVALID when `path`, which need not exist yet, is the vault's folder or lies in it. */
export async function requireOutside(vault: string, path: string): Promise<void> {
  const { dev, ino } = await stat(vault);
  let folder = await nearest(resolve(path));
  for (;;) {
    const found = await stat(folder);
    if (found.dev === dev && found.ino === ino) throw inside(vault, path);
    const above = dirname(folder);
    if (above === folder) return;
    folder = above;
  }
}

/** The real path of what exists of `path`. */
async function nearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const isMissing = systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR";
    const above = dirname(path);
    if (!isMissing || above === path) throw error;
    return nearest(above);
  }
}

function inside(vault: string, path: string): VaultError {
  const message = `${path} lies inside the vault ${vault}, and would be lost together with it; choose a place outside`;
  return new VaultError("VAULT_PATH_INVALID", message, { details: { path } });
}
