/**
 * Opening a vault: from a path to the parts that a Vault is made of, or a refusal that says what is wrong.
 *
 *     folder --> lock --> identity --> segments --> page store --> rows --> replay --> log
 *
 * Invariants:
 * 1. Nothing but the lock and its owner's pid is written before it is sure that this is a vault of ours, or an empty place.
 * 2. Whatever was opened is closed again when a later step refuses; the lock goes last.
 */
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { replayAccepting } from "./accept-loss.ts";
import type { LostEntries } from "./accept-loss.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import type { Clock } from "./clock.ts";
import type { CollectTrigger } from "./collector.ts";
import { Damages } from "./damage.ts";
import { VaultError } from "./errors.ts";
import type { VaultEvent } from "./events.ts";
import { Folder } from "./fold.ts";
import { identify } from "./identity.ts";
import { VaultLock } from "./lock.ts";
import { Log } from "./log.ts";
import type { LogListeners } from "./log.ts";
import { systemCode, systemFiles } from "./log-files.ts";
import type { LogFiles } from "./log-files.ts";
import { steppedFiles } from "./log-steps.ts";
import type { Durability, RecoveryReport, Seq } from "./model.ts";
import { skipStoredPages } from "./page-numbers.ts";
import { loadCheckpoint } from "./recovery.ts";
import { validRetention } from "./retention.ts";
import type { RetentionPolicy } from "./retention.ts";
import { finishRows } from "./row-writer.ts";
import type { ScrubSchedule } from "./scrub.ts";
import { SegmentFolder } from "./segment-folder.ts";
import { Slices } from "./slices.ts";
import type { VaultState } from "./state.ts";
import { PageStore } from "./store.ts";

/** Everything a vault must be told. There are no defaults here: those are the runtime's. */
export interface VaultOptions {
  /** The vault's folder; made if it is missing. */
  readonly path: string;
  readonly clock: Clock;
  /** For commits that do not say. */
  readonly durability: Durability;
  /** Size of one file of the log; 16 MiB in production. */
  readonly segmentBytes: number;
  /** A checkpoint starts by itself after this much log, ... */
  readonly checkpointBytes: number;
  /** ... or when tables have grown to this much memory. */
  readonly memtableBytes: number;
  /** Log kept behind the checkpoint, for exact points in time and history. */
  readonly retainBytes: number;
  /** Which snapshots and unnamed branches a collection no longer keeps; absent: all are kept. */
  readonly retention?: RetentionPolicy;
  /** When a collection starts by itself; absent: only when it is asked for. */
  readonly collectAt?: CollectTrigger;
  /** Pages are read from the disk again and again, in passes; absent: only when it is asked for. */
  readonly scrub?: ScrubSchedule;
  /** `os` and `memory` modes: what was written is synced after this time, 1 s at most, ... */
  readonly syncEveryMs: number;
  /** ... or after this many entries. */
  readonly syncEveryEntries: number;
  /**
   * Opens a log that VAULT_LOG_DAMAGED refused, without what cannot be read: `details.firstLostSeq` of that refusal. That entry
   * and all later ones are given up; their segments stay in the folder as `lost-*.log`.
   */
  readonly acceptLoss?: number;
  readonly onEvent: (event: VaultEvent) => void;
  /**
   * For fault tests: told the name of every durable step, just before (`log.write`) and just after (`log.write.done`). Must
   * not throw.
   */
  readonly onStep?: (step: string) => void;
  /** The log's file operations; default: the system's. */
  readonly files?: LogFiles;
}

/** What a Vault is made of. */
export interface VaultParts {
  readonly uuid: string;
  readonly lock: VaultLock;
  readonly store: PageStore;
  readonly segments: SegmentFolder;
  readonly state: VaultState;
  readonly log: Log;
  readonly damages: Damages;
  readonly checkpoint: CheckpointOptions;
  readonly recovery: RecoveryReport;
  readonly replayedBytes: number;
  /** Given up because `acceptLoss` said so: a checkpoint must follow at once. */
  readonly lost: LostEntries | undefined;
  /** Old segments before a hole in the log, which were put aside. */
  readonly stranded: readonly string[];
}

/** Pages kept in memory: 256 MB. */
const CACHE_BYTES: number = 256 * 1024 * 1024;
/** Address space for the page file; costs nothing until it is used. */
const MAP_BYTES: number = 64 * 1024 ** 3;
/** An LMDB that is silent for this long has failed. */
const COMMIT_LIMIT_MS = 5000;

/** Opens all parts. For the codes see `Vault.open`. */
export async function openParts(options: VaultOptions, listeners: LogListeners): Promise<VaultParts> {
  if (options.retention !== undefined) validRetention(options.retention);
  await preparePath(options.path);
  const lock = lockFolder(options.path);
  try {
    return await openLocked(options, lock, listeners);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openLocked(options: VaultOptions, lock: VaultLock, listeners: LogListeners): Promise<VaultParts> {
  const { path, clock, segmentBytes, retainBytes, onStep } = options;
  const files =
    onStep === undefined ? (options.files ?? systemFiles) : steppedFiles(options.files ?? systemFiles, onStep);
  const startMs = clock.monotonicMs();
  const uuid = await identify(path);
  const segments = await SegmentFolder.open({ path: join(path, "log"), files, uuid, segmentBytes });
  const steps = onStep === undefined ? {} : { onStep };
  const place = { cacheBytes: CACHE_BYTES, mapBytes: MAP_BYTES, commitLimitMs: COMMIT_LIMIT_MS, ...steps };
  const store = await PageStore.open({ path: join(path, "pages.mdb"), clock, ...place });
  try {
    await finishRows(store);
    const loaded = loadCheckpoint(store, uuid);
    const stranded = await segments.requireRun(loaded.place?.segmentNo);
    const replayed = await replayAccepting(segments, loaded, options.acceptLoss);
    const { syncEveryMs, syncEveryEntries } = options;
    const log = new Log({ folder: segments, clock, syncEveryMs, syncEveryEntries, ...listeners }, replayed.end);
    const freeBytes = () => files.freeBytes(path);
    const { state } = loaded;
    const damages = new Damages({ state, pages: store, onEvent: options.onEvent });
    const onDamage = (error: VaultError) => void damages.note(error); // Its search never rejects.
    const folder = new Folder({ store, clock, nextPages: loaded.nextPages, freeBytes, onDamage });
    if (replayed.namesPages) {
      await skipStoredPages({ store, folder }, state.branches.keys(), new Slices());
      folder.rewriteArenas();
    }
    const recovery = {
      entries: replayed.entries,
      tornTail: replayed.isTorn,
      durationMs: clock.monotonicMs() - startMs,
      checkpointSeq: (loaded.place?.seq ?? 0) as Seq, // Written from one; 0 is before the first.
    };
    const checkpoint = { uuid, state, store, log, segments, folder, clock, retainBytes };
    const { bytes: replayedBytes, lost } = replayed;
    return { uuid, lock, store, segments, state, log, damages, checkpoint, recovery, replayedBytes, lost, stranded };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function preparePath(path: string): Promise<void> {
  try {
    await systemFiles.makeFolder(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw pathRefused(path, cause);
  }
}

function lockFolder(path: string): VaultLock {
  try {
    return VaultLock.acquire(path);
  } catch (error) {
    if (error instanceof VaultError) throw error;
    throw pathRefused(path, error);
  }
}

function pathRefused(path: string, cause: unknown): VaultError {
  const code = systemCode(cause);
  const details = { path, code };
  if (code === "ENOTDIR" || code === "EEXIST") {
    return new VaultError("VAULT_PATH_INVALID", `${path} cannot be a vault: a file is in the way`, { details, cause });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ERR_SQLITE_ERROR") {
    return new VaultError("VAULT_PATH_DENIED", `${path} may not be written by this user`, { details, cause });
  }
  return new VaultError("VAULT_PATH_INVALID", `${path} cannot be made or opened as a vault (${code})`, {
    details,
    cause,
  });
}
