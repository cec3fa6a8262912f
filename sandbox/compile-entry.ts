/** The module that an agent is made of: a file that is read, or a text that is given. */

import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SandboxError } from "./errors.ts";

/**
 * A file, or a text with a name; `resolveFrom` is the folder that the text's imports are looked up from. `standsAlone`: the
 * text may import `planaria/agent` and nothing else, because whoever wrote it must not see the files of this machine.
 */
export type CompileInput =
  | { readonly module: URL | string }
  | { readonly source: string; readonly name: string; readonly resolveFrom?: string; readonly standsAlone?: boolean };

/** The module, read. */
export interface Entry {
  readonly name: string;
  readonly source: string;
  readonly folder: string;
  /** Undefined for a text without a file. */
  readonly path: string | undefined;
  readonly standsAlone: boolean;
}

/** Reads it, and tells of the file. @throws {SandboxError} SANDBOX_MODULE_MISSING */
export async function readEntry(input: CompileInput, onFile?: (path: string) => void): Promise<Entry> {
  if ("source" in input) {
    const { name, source, resolveFrom = ".", standsAlone = false } = input;
    return { name, source, folder: resolve(resolveFrom), path: undefined, standsAlone };
  }
  const path = pathOf(input.module);
  const name = basename(path);
  onFile?.(path);
  return { name, source: await readModule(path), folder: dirname(path), path, standsAlone: false };
}

function pathOf(module: URL | string): string {
  const isUrl = typeof module !== "string" || module.startsWith("file:");
  try {
    return isUrl ? fileURLToPath(module) : resolve(module);
  } catch (cause) {
    throw new SandboxError("SANDBOX_MODULE_MISSING", `${String(module)} is not a file on this machine.`, { cause });
  }
}

async function readModule(path: string): Promise<string> {
  try {
    const found = await stat(path);
    // A device or a pipe may never come to its end; reading a folder says so by itself.
    if (found.isFile() || found.isDirectory()) return await readFile(path, "utf8");
  } catch (cause) {
    throw new SandboxError("SANDBOX_MODULE_MISSING", `The module ${path} cannot be read.`, {
      cause,
      details: { path },
    });
  }
  throw new SandboxError("SANDBOX_MODULE_MISSING", `The module ${path} cannot be read: it is no file.`, {
    details: { path },
  });
}
