/**
 * The real files, each operation of which may fail: `plan` is asked before every one. Notes what was asked and what failed.
 */
import type { LogFile, LogFiles } from "../../vault/index.ts";

/** What can fail. */
export type FailingOperation = "create" | "open" | "write" | "sync" | "rename" | "remove" | "syncFolder";

/** One operation that was asked for. */
export interface AskedOperation {
  readonly operation: FailingOperation;
  readonly path: string;
  readonly failed: string | undefined;
}

/** The system's code of a failure, or a write that takes only so many bytes, or nothing. */
export type PlannedFault = { readonly code: string } | { readonly takes: number } | undefined;

/** See the header. */
export class FailingFiles implements LogFiles {
  plan: (no: number, operation: FailingOperation) => PlannedFault = () => undefined;
  readonly asked: AskedOperation[] = [];
  readonly #files: LogFiles;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  makeFolder(path: string): Promise<void> {
    return this.#files.makeFolder(path);
  }

  list(folder: string): Promise<readonly string[]> {
    return this.#files.list(folder);
  }

  size(path: string): Promise<number> {
    return this.#files.size(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.#files.freeBytes(path);
  }

  async open(path: string, mode: "create" | "existing"): Promise<LogFile> {
    this.ask(mode === "create" ? "create" : "open", path);
    const file = await this.#files.open(path, mode);
    return {
      write: async (bytes, position) => file.write(bytes.subarray(0, this.ask("write", path)), position),
      read: (into, position) => file.read(into, position),
      sync: async () => {
        this.ask("sync", path);
        await file.sync();
      },
      close: () => file.close(),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.ask("rename", to);
    await this.#files.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.ask("remove", path);
    await this.#files.remove(path);
  }

  async syncFolder(path: string): Promise<void> {
    this.ask("syncFolder", path);
    await this.#files.syncFolder(path);
  }

  /** Fails as planned, or returns how many bytes a write takes at most. */
  ask(operation: FailingOperation, path: string): number {
    const fault = this.plan(this.asked.length + 1, operation);
    const code = fault !== undefined && "code" in fault ? fault.code : undefined;
    this.asked.push({ operation, path, failed: code });
    if (code !== undefined) throw Object.assign(new Error(`${code}: planned`), { code });
    return fault !== undefined && "takes" in fault ? fault.takes : Infinity;
  }
}
