/**
 * The vault's front door: where every agent's state lives, survives and forks.
 */

/** Time, handed in. */
export type { Clock, Timer } from "./clock.ts";
export { systemClock } from "./system-clock.ts";

/** What can go wrong. */
export { VaultError } from "./errors.ts";
export type { VaultErrorCode, VaultErrorOptions } from "./errors.ts";

/** What callers hand in and get back. */
export type {
  Action,
  Branch,
  BranchId,
  Change,
  Commit,
  CommitOptions,
  Durability,
  HistoryEntry,
  Op,
  Origin,
  Point,
  RangeOptions,
  RecoveryReport,
  Seq,
  Snapshot,
  VaultStats,
  View,
} from "./model.ts";

/** What the vault tells. */
export type { VaultEvent } from "./events.ts";

/** The vault itself. */
export { Vault } from "./vault.ts";
export type { VaultOptions } from "./open.ts";
export { VAULT_SETTINGS } from "./settings.ts";
export { isVault } from "./identity.ts";

/** What is kept, and when the rest is taken away. */
export type { RetentionPolicy, RetentionRule } from "./retention.ts";
export type { CollectReport } from "./collect.ts";
export type { CollectTrigger } from "./collector.ts";

/** What a check asks and tells. */
export type { CheckOptions, CheckReport } from "./check.ts";
export type { CheckProblem } from "./check-log.ts";
export type { Damage } from "./damage.ts";
export type { ScrubOptions, ScrubReport, ScrubSchedule } from "./scrub.ts";

/** Copies of a whole vault or of one agent, and back. */
export type { BranchOverview } from "./overview.ts";
export { unmakeVault } from "./unmake.ts";
export { compactVault } from "./compact.ts";
export type { CompactOptions, CompactReport } from "./compact.ts";
export { BackupReader } from "./backup-reader.ts";
export { BackupView } from "./backup-view.ts";
export { exportFromBackup } from "./export.ts";
export type { ExportOptions, ExportReport } from "./export.ts";
export type { ImportOptions, ImportReport } from "./import.ts";
export type { BackupOptions, BackupProgress, BackupReport } from "./backup.ts";
export type { MendedFile } from "./backup-earlier.ts";
export { restoreVault } from "./restore.ts";
export type { RestoreOptions, RestoreProgress, RestoreReport } from "./restore.ts";

/** Work in the background that shares the thread with turns. */
export { Slices } from "./slices.ts";

/** The log's file operations, which tests replace to put faults there. */
export { systemFiles } from "./log-files.ts";
export type { LogFile, LogFiles } from "./log-files.ts";
