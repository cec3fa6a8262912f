/**
 * All files of a folder as they are at one instant: what kill -9 leaves, because what was written is the kernel's. Taken
 * within one turn of the thread, and shared with the image before where nothing changed.
 *
 * The page file is read from its meta pages on. LMDB, on its own thread, writes them last and writes to no page that they
 * reach, so a copy taken in the middle of a transaction is one that a kill may leave too.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { readPages, writePages } from "./page-image.ts";
import type { PageImage } from "./page-image.ts";

/** See the header. Paths are relative to the folder. */
export interface FolderImage {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly pageFiles: ReadonlyMap<string, PageImage>;
}

/** Reads a folder. */
export function readFolder(path: string, known?: FolderImage): FolderImage {
  const files = new Map<string, Buffer>();
  const pageFiles = new Map<string, PageImage>();
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const name = relative(path, full);
    if (!entry.isFile() || name.endsWith("-lock")) continue; // LMDB makes its lock file anew
    if (name.endsWith(".mdb")) {
      const image = readPages(full, known?.pageFiles.get(name));
      if (image !== undefined) pageFiles.set(name, image);
      continue;
    }
    const content = contentOf(full);
    if (content === undefined) continue;
    const same = known?.files.get(name);
    files.set(name, same?.equals(content) === true ? same : content);
  }
  return { files, pageFiles };
}

/** Writes an image into a folder, which is made. */
export function writeFolder(path: string, { files, pageFiles }: FolderImage): void {
  mkdirSync(path, { recursive: true });
  for (const name of [...files.keys(), ...pageFiles.keys()]) mkdirSync(dirname(join(path, name)), { recursive: true });
  for (const [name, content] of files) writeFileSync(join(path, name), content);
  for (const [name, image] of pageFiles) writePages(join(path, name), image);
}

/** Undefined for a file that was renamed or removed since the folder was listed. */
function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
