/** `ctx.host.files` as an agent's code sees it. Types only: what it does is `runtime/capabilities/files.ts`. */
import type { FolderEntry } from "./folder/work.ts";

/** What is in the folder. Links, devices and pipes are "other": they can be removed, and nothing else. */
export type FilesEntry = FolderEntry;

/** Some names of a folder, in the order of their UTF-16 units. */
export interface FilesPage {
  readonly entries: readonly FilesEntry[];
  /** Where to go on (`after`); missing when that was all. */
  readonly next?: string | undefined;
}

/** Which part of a file. */
export interface FilesPart {
  /** Where to begin, in bytes. Default 0. */
  readonly from?: number | undefined;
  /** At most so many bytes. Default: to its end, or `_TOO_LARGE` where that is more than an answer may be. */
  readonly bytes?: number | undefined;
}

/**
 * The folder that the grant names. Paths are below it: "notes/today.txt". Rejects as `ctx.host` says; `_DENIED` also for links,
 * what is no file, a write where only reading was granted and names that programs run or obey, `_QUOTA` also when the folder is
 * full, `_FAILED` where nothing of the name is there, `_UNAVAILABLE` when the disk is full or the folder gone.
 */
export interface FilesHost {
  /** Text in UTF-8. */
  read(path: string, options?: FilesPart & { readonly as?: "text" | undefined }): Promise<string>;
  read(path: string, options: FilesPart & { readonly as: "bytes" }): Promise<Uint8Array>;
  read<Value = unknown>(path: string, options: FilesPart & { readonly as: "json" }): Promise<Value>;
  /** The whole file, new or instead of what it was. It is there whole or not at all, and durable when this resolves. */
  write(path: string, data: string | Uint8Array): Promise<void>;
  /** At its end; makes it where it is not there. */
  append(path: string, data: string | Uint8Array): Promise<void>;
  /** What is in a folder, by pages of at most 1,000. */
  list(
    path?: string,
    options?: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<FilesPage>;
  /** Undefined where nothing is. */
  stat(path: string): Promise<FilesEntry | undefined>;
  /** A file, or a folder that is empty. */
  remove(path: string): Promise<void>;
  /** With all folders on the way; nothing happens where it is. */
  makeFolder(path: string): Promise<void>;
  /** A file gives way to a file, nothing else does. */
  rename(from: string, to: string): Promise<void>;
}
