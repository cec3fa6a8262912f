/**
 * A backup read as if it were the vault: its names, branches, points in time and history, without restoring anything.
 *
 * Invariant: nothing is written, neither to the backup nor elsewhere.
 */
import { join } from "node:path";
import { open, stat } from "node:fs/promises";
import { backupDamaged } from "./backup-manifest.ts";
import type { BackupFile } from "./backup-manifest.ts";
import { BackupReader } from "./backup-reader.ts";
import { Holds } from "./holds.ts";
import type { LogFile, LogFiles } from "./log-files.ts";
import type { Branch } from "./model.ts";
import { loadCheckpoint } from "./recovery.ts";
import { SegmentFolder } from "./segment-folder.ts";
import { segmentName } from "./segment.ts";
import { LiveBranch } from "./view.ts";
import type { ViewContext } from "./view.ts";

/** See the header. Close it, or `using` it. */
export class BackupView implements Disposable {
  readonly reader: BackupReader;
  readonly context: ViewContext;

  private constructor(reader: BackupReader, context: ViewContext) {
    this.reader = reader;
    this.context = context;
  }

  /** Throws VAULT_BACKUP_DAMAGED, VAULT_FORMAT_UNKNOWN, VAULT_PAGES_DAMAGED, VAULT_LOG_DAMAGED. */
  static async open(path: string): Promise<BackupView> {
    const reader = await BackupReader.open(path);
    try {
      const { uuid, place } = reader.manifest;
      const folder = await SegmentFolder.open({ path, uuid, segmentBytes: 0, files: filesOf(reader) });
      const { state } = loadCheckpoint(reader, uuid);
      const log = { lastSeq: place.seq, writtenSeq: place.seq, written: async () => undefined };
      return new BackupView(reader, { state, log, folder, pages: reader, holds: new Holds() });
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /** The branch that a name pointed to. Of its methods those that change something are of no use here. */
  head(name: string): Branch | undefined {
    const { state } = this.context;
    const id = state.names.get(name);
    const branch = id === undefined ? undefined : state.branches.get(id);
    return branch === undefined ? undefined : new LiveBranch(this.context, branch);
  }

  close(): void {
    this.reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The log of a backup as the folder that its segments came from. */
function filesOf({ path, manifest }: BackupReader): LogFiles {
  const logs = new Map<string, BackupFile>();
  for (const file of manifest.files) if (file.segmentNo !== undefined) logs.set(segmentName(file.segmentNo), file);
  const pathOf = (segmentPath: string): string => {
    const name = segmentPath.slice(segmentPath.length - segmentName(0).length);
    const file = logs.get(name);
    if (file === undefined) throw backupDamaged(join(path, name), "this part of the log is missing");
    return join(path, file.name);
  };
  return {
    makeFolder: async () => undefined,
    list: async () => [...logs.keys()],
    size: async (segment) => (await stat(pathOf(segment))).size,
    open: async (segment) => readOnly(pathOf(segment)),
    rename: refuse,
    remove: refuse,
    syncFolder: refuse,
    freeBytes: async () => 0,
  };
}

async function readOnly(path: string): Promise<LogFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw backupDamaged(path, "it cannot be opened", cause);
  });
  return {
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    write: refuse,
    sync: refuse,
    close: async () => handle.close(),
  };
}

async function refuse(): Promise<never> {
  throw new Error("a backup is only read");
}
