/** Writes a file that is there whole or not at all. */
import { open, rename, rm } from "node:fs/promises";

/** Beside it first, then in its place. Throws what the file system says, and leaves what was there. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const beside = partOf(path);
  try {
    const file = await open(beside, "wx");
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Where a file is while it is being written. */
export function partOf(path: string): string {
  return `${path}.${process.pid}.part`;
}
