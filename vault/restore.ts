/**
 * A whole vault from a backup: a new page file, the log, and last of all the vault's name.
 *
 *     backup --every sha256--> pages.mdb, log/ --synced--> vault.json --> open it and check it
 *
 * Invariants:
 * 1. Nothing is written before the whole backup has been read and found sound.
 * 2. Until `vault.json` is there the folder is no vault, and is refused as one: a restore that was cut short is not taken for
 *    a vault that lost something. The next restore says so too, and does not take it away: a vault whose `vault.json` is gone
 *    looks the same.
 * 3. A restore that fails before that leaves the folder as empty as it was. What was restored and does not check stays to be
 *    looked at; that is only so if the vault was damaged when it was backed up.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { HashedFile, readPieces } from "./backup-file.ts";
import type { BackupFile } from "./backup-manifest.ts";
import { BackupReader } from "./backup-reader.ts";
import { VaultError } from "./errors.ts";
import { writeIdentity } from "./identity.ts";
import { VaultLock } from "./lock.ts";
import { systemFiles } from "./log-files.ts";
import type { LogFiles } from "./log-files.ts";
import type { VaultOptions } from "./open.ts";
import { fillStore, openPageFile } from "./restore-pages.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader, segmentName } from "./segment.ts";
import type { SegmentHeader } from "./segment.ts";
import { Slices } from "./slices.ts";
import { LOCK_FILES, PARTS, clearFolder } from "./unmake.ts";
import { Vault } from "./vault.ts";

const ZEROS = Buffer.alloc(256 * 1024);

/** How far a restore is. */
export interface RestoreProgress {
  readonly phase: "verify" | "pages" | "log";
  readonly done: number;
  /** Bytes while verifying, pages or files afterwards. */
  readonly total: number;
}

/** What is restored, and where to. */
export interface RestoreOptions {
  /** The backup's folder. */
  readonly from: string;
  /** The vault as it will be opened; its `path` is missing or empty. */
  readonly vault: VaultOptions;
  readonly onProgress?: (progress: RestoreProgress) => void;
  /** Ends it; the folder is left empty. */
  readonly signal?: AbortSignal;
}

/** What was restored: the vault as it was at `seq`. */
export interface RestoreReport {
  readonly uuid: string;
  readonly seq: number;
  readonly pages: number;
  readonly names: number;
  readonly durationMs: number;
}

/**
 * Restores a whole vault. Rejects with VAULT_BACKUP_DAMAGED (details.path), VAULT_PATH_INVALID when the target holds
 * something, VAULT_FORMAT_UNKNOWN, VAULT_PAGE_DAMAGED, VAULT_LOCKED, VAULT_STORE_FAILED, and what `Vault.open` rejects with.
 *
 *     await restoreVault({ from: "/mnt/backup/planaria", vault: { ...settings, path: "./data" } });
 */
export async function restoreVault(options: RestoreOptions): Promise<RestoreReport> {
  const { from, vault, onProgress, signal } = options;
  const startMs = vault.clock.monotonicMs();
  using reader = await BackupReader.open(from);
  await verifyAll(reader, onProgress, signal);
  const lock = await lockEmpty(vault.files ?? systemFiles, vault.path);
  let pages: number;
  try {
    pages = await build(reader, options);
  } catch (error) {
    await clearFolder(vault.path);
    throw error;
  } finally {
    lock.release();
  }
  const { names } = await lookAt(vault, from);
  const { uuid, place } = reader.manifest;
  return { uuid, seq: place.seq, pages, names, durationMs: vault.clock.monotonicMs() - startMs };
}

async function verifyAll(
  reader: BackupReader,
  onProgress: RestoreOptions["onProgress"],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { files } = reader.manifest;
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onFile = ({ bytes }: BackupFile): void => {
    done += bytes;
    onProgress?.({ phase: "verify", done, total });
  };
  await reader.verifyFiles(files, { onFile, ...(signal === undefined ? {} : { signal }) });
}

/** Makes the folder and takes its lock; refuses one that holds anything but the lock of somebody who is gone. */
async function lockEmpty(files: LogFiles, path: string): Promise<VaultLock> {
  await requireEmpty(files, path, PARTS);
  const lock = VaultLock.acquire(path);
  try {
    // Somebody may have made a vault in between; from here on nobody can.
    await requireEmpty(files, path, LOCK_FILES);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function requireEmpty(files: LogFiles, path: string, allowed: readonly string[]): Promise<void> {
  let names: readonly string[];
  try {
    await files.makeFolder(path);
    names = await files.list(path);
  } catch (cause) {
    throw new VaultError("VAULT_PATH_INVALID", `${path} cannot be made into a vault`, { details: { path }, cause });
  }
  const found = names.find((name) => !allowed.includes(name));
  // What a restore makes, it makes with the lock taken: without a lock it is somebody else's.
  const isMade = names.includes("lock") && names.every((name) => PARTS.includes(name));
  if (found === undefined && (isMade || names.length === 0)) return;
  const message = isMade
    ? `an interrupted restore lies in ${path} (it holds ${found} and no vault.json): delete that folder and run restore ` +
      "again; keep a copy if it ever was a vault in use"
    : `${path} is not empty (it holds ${found ?? names[0]}); a vault is restored to a new folder`;
  throw new VaultError("VAULT_PATH_INVALID", message, { details: { path } });
}

async function build(reader: BackupReader, { vault, onProgress, signal }: RestoreOptions): Promise<number> {
  const { path, clock, files = systemFiles, onStep: step = () => undefined } = vault;
  const slices = new Slices(signal === undefined ? {} : { signal });
  const store = await openPageFile(join(path, "pages.mdb"), clock);
  try {
    const tell = (done: number, total: number) => onProgress?.({ phase: "pages", done, total });
    const pages = await fillStore(store, { rows: reader.rows(), source: reader, slices, onProgress: tell });
    step("restore.pages.done");
    await copyLog(reader, { files, path: join(path, "log"), signal, onProgress });
    step("restore.identity");
    await writeIdentity(path, reader.manifest.uuid);
    step("restore.identity.done");
    return pages;
  } finally {
    await store.close();
  }
}

interface LogTarget {
  readonly files: LogFiles;
  readonly path: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: RestoreOptions["onProgress"];
}

async function copyLog(reader: BackupReader, { files, path, signal, onProgress }: LogTarget): Promise<void> {
  const logs = reader.manifest.files.filter(({ kind }) => kind === "log");
  await files.makeFolder(path);
  for (const [index, { name, segmentNo = 0 }] of logs.entries()) {
    const out = await HashedFile.create(files, join(path, segmentName(segmentNo)));
    try {
      const source = join(reader.path, name);
      await readPieces(source, async (piece) => out.append(piece), signal);
      // The newest segment was cut at the checkpoint. One that is shorter than its header says would look torn.
      const { bytes } = await readHeader(source);
      while (out.bytes < bytes) await out.append(ZEROS.subarray(0, bytes - out.bytes));
      await out.finish();
    } finally {
      await out.close();
    }
    onProgress?.({ phase: "log", done: index + 1, total: logs.length });
  }
  await files.syncFolder(path);
}

async function readHeader(path: string): Promise<SegmentHeader> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return decodeSegmentHeader(bytes.subarray(0, bytesRead), path);
  } finally {
    await file.close();
  }
}

/** Opens the vault as its Guardian will, and reads all of it back. */
async function lookAt(options: VaultOptions, from: string): Promise<{ readonly names: number }> {
  const vault = await Vault.open(options);
  try {
    const { isSound, damaged, problems } = await vault.maintenance.check();
    if (isSound) return { names: vault.names().length };
    const message = `the vault that was restored from ${from} is damaged: the backup holds what was damaged already`;
    throw new VaultError("VAULT_BACKUP_DAMAGED", message, { details: { path: from, damaged, problems } });
  } finally {
    await vault.close();
  }
}
