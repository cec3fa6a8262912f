/**
 * The file operations of the log, and nothing else: the seam at which tests put faults (EIO, ENOSPC, short writes).
 *
 * Invariant: these do what the system calls do. In particular a write may be short, and nothing here retries.
 */
import { close, fdatasync, open, read, write, writeSync } from "node:fs";
import { mkdir, readdir, rename, stat, statfs, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** An open file. */
export interface LogFile {
  /** Writes at `position` and returns how many bytes were taken, which may be fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /**
   * As `write`, on this thread: for small writes into the page cache, which take a few microseconds where a trip to another
   * thread takes fifty. Throws what `write` rejects with. Files that cannot do it are written with `write`.
   */
  writeNow?(bytes: Uint8Array, position: number): number;
  /** Reads at `position` and returns how many bytes came; 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** fdatasync: data and size are on the disk afterwards. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The file operations of the log. Every method rejects with the system's error (`code`: "ENOSPC", ...). */
export interface LogFiles {
  makeFolder(path: string): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  /** Size in bytes. */
  size(path: string): Promise<number>;
  /** Opens for reading and writing; `create` makes the file, or empties it. */
  open(path: string, mode: "create" | "existing"): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Bytes that this user can still write to the file system of `path`. */
  freeBytes(path: string): Promise<number>;
  /** Makes the folder's entries durable: files that were created, renamed or removed in it. */
  syncFolder(path: string): Promise<void>;
}

/** The real ones. */
export const systemFiles: LogFiles = {
  makeFolder: (path) => makeFolders(resolve(path)),
  list: (folder) => readdir(folder),
  size: async (path) => (await stat(path)).size,
  open: async (path, mode) => new SystemFile(await openFile(path, mode === "create" ? "w+" : "r+")),
  rename,
  remove: unlink,
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
  async syncFolder(path) {
    const folder = new SystemFile(await openFile(path, "r"));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

/**
 * Makes a folder and those above it, one by one: `mkdir` with `recursive` never ends where the system answers ENOENT for a
 * folder whose parent exists, as /proc does.
 */
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await isFolder(parent))) throw error;
    await makeFolders(parent);
    await mkdir(path);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // whatever is wrong with it shows when it is to be made
  }
}

/** node:fs with callbacks: about 10 us less per operation than its FileHandle. */
class SystemFile implements LogFile {
  readonly #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#handle, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  writeNow(bytes: Uint8Array, position: number): number {
    return writeSync(this.#handle, bytes, 0, bytes.length, position);
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.#handle, into, 0, into.length, position, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#handle, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      close(this.#handle, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function openFile(path: string, flags: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o600, (error, handle) => (error ? reject(error) : resolve(handle)));
  });
}

/** The system's code of an error ("ENOSPC"), or an empty text. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** Whether the disk (or the quota) was full: nothing is broken, and the same operation works once there is space. */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}
