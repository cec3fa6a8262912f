/**
 * File operations with a bug planted in them, to see that a fault suite notices. Each bug is one that a log could have.
 */
import type { LogFile, LogFiles } from "../../vault/index.ts";

/** What goes wrong. */
export type Lie =
  /** An fdatasync that is not done. */
  | "sync skipped"
  /** An fdatasync that answers before it is done: commits are acknowledged before they are on the disk. */
  | "sync early"
  /** An fdatasync that is asked again when it fails. */
  | "sync retried"
  /** An fdatasync that never answers. */
  | "sync silent"
  /** A folder that is not synced. */
  | "folder sync skipped"
  /** Every third frame of a file is said to be done and is not. */
  | "write dropped"
  /** A write is done only after the one that follows it. */
  | "writes swapped";

const DROPPED_ONE_IN = 3;
/** A sync that comes too late lies so far behind its answer. */
const LATE_TURNS = 3;

/** `files` with a lie in them. */
export function lyingFiles(files: LogFiles, lie: Lie): LogFiles {
  return {
    makeFolder: (path) => files.makeFolder(path),
    list: (folder) => files.list(folder),
    size: (path) => files.size(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    freeBytes: (path) => files.freeBytes(path),
    open: async (path, mode) => new LyingFile(await files.open(path, mode), lie),
    syncFolder: async (path) => {
      if (lie !== "folder sync skipped") await files.syncFolder(path);
    },
  };
}

class LyingFile implements LogFile {
  readonly #file: LogFile;
  readonly #lie: Lie;
  #writes = 0;
  #held: { readonly bytes: Uint8Array; readonly position: number } | undefined;

  constructor(file: LogFile, lie: Lie) {
    this.#file = file;
    this.#lie = lie;
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    // Headers and zeros are left alone: without them there is no vault to be wrong.
    const isFrame = position >= 64 && !bytes.every((byte) => byte === 0);
    if (isFrame) this.#writes++;
    if (this.#lie === "write dropped" && isFrame && this.#writes % DROPPED_ONE_IN === 0) return bytes.length;
    if (this.#lie !== "writes swapped" || !isFrame) return this.#file.write(bytes, position);
    const held = this.#held;
    this.#held = held === undefined ? { bytes: Buffer.from(bytes), position } : undefined;
    if (held === undefined) return bytes.length;
    const count = await this.#file.write(bytes, position);
    await this.#file.write(held.bytes, held.position);
    return count;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position);
  }

  async sync(): Promise<void> {
    if (this.#lie === "sync skipped") return;
    if (this.#lie === "sync silent") return new Promise(() => undefined);
    if (this.#lie === "sync early") return void this.#syncLater();
    if (this.#lie !== "sync retried") return this.#file.sync();
    await this.#file.sync().catch(async () => this.#file.sync());
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #syncLater(): Promise<void> {
    for (let turn = 0; turn < LATE_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    await this.#file.sync();
  }
}
