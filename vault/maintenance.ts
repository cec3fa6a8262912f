/**
 * The work beside the data path: collecting, checking, repairing, backing up, moving agents between vaults. Each job is a
 * room of its own; here is only the door to all of them.
 *
 * Invariants:
 * 1. No job keeps the thread for more than a few milliseconds at a time, and none makes a commit wait. (V8 may collect garbage
 *    in such a moment, and an import makes commits of up to a megabyte: `npm run bench -- vault` has the longest blocks.)
 * 2. A job ends early, with what it has done so far intact, when the vault is closed.
 */
import { backUp } from "./backup.ts";
import type { BackupOptions, BackupReport } from "./backup.ts";
import { checkVault } from "./check.ts";
import type { CheckOptions, CheckReport } from "./check.ts";
import { VaultError } from "./errors.ts";
import { exportState } from "./export.ts";
import type { ExportOptions, ExportReport } from "./export.ts";
import { importState } from "./import.ts";
import type { ImportOptions, ImportReport } from "./import.ts";
import { systemFiles } from "./log-files.ts";
import type { Branch } from "./model.ts";
import { LiveBranch } from "./view.ts";
import type { CheckpointRunner } from "./checkpoint-runner.ts";
import type { CollectReport } from "./collect.ts";
import { Collector } from "./collector.ts";
import type { VaultOptions, VaultParts } from "./open.ts";
import { requireOutside } from "./outside.ts";
import { overviewOf } from "./overview.ts";
import type { BranchOverview } from "./overview.ts";
import type { ScrubOptions, ScrubReport } from "./scrub.ts";
import { Scrubber } from "./scrubber.ts";
import type { Vault } from "./vault.ts";
import type { ViewContext } from "./view.ts";

/** What the jobs work on. */
export interface MaintenanceContext {
  readonly vault: Vault;
  readonly options: VaultOptions;
  readonly parts: VaultParts;
  /** State, log, segments, pages and holds. */
  readonly context: ViewContext;
  readonly checkpoints: CheckpointRunner;
  /** Aborted when the vault begins to close. */
  readonly closing: AbortSignal;
  /** Told every durable step of a job; see `VaultOptions.onStep`. */
  readonly step: (name: string) => void;
}

/** See the header. One per vault: `vault.maintenance`. */
export class Maintenance {
  readonly #on: MaintenanceContext;
  readonly #collector: Collector;
  readonly #scrubber: Scrubber;

  constructor(on: MaintenanceContext) {
    this.#on = on;
    this.#collector = new Collector(on);
    this.#scrubber = new Scrubber(on);
  }

  /** Aborted when the vault begins to close: for callers whose own work should end with it. */
  get closing(): AbortSignal {
    return this.#on.closing;
  }

  /** What every job works on: for a part of a job that is to be run by itself. */
  get context(): MaintenanceContext {
    return this.#on;
  }

  /** Pages that were needed when the last collection ended. */
  get livePages(): number | undefined {
    return this.#collector.livePages;
  }

  /** Resolves when no collection, no scrub and no search for those whom damage hurts runs. */
  async idle(): Promise<void> {
    await this.#collector.idle();
    await this.#scrubber.idle();
    await this.#on.parts.damages.settled();
  }

  /**
   * Applies retention, then takes away the pages that nothing needs any more. The file keeps its size; the space in it is
   * used again. Begins after the call. Rejects with VAULT_COMMIT_FAILED (disk full: try again), VAULT_FAILED, VAULT_CLOSED,
   * VAULT_PAGES_DAMAGED. A damaged page is not an error: the report names it, and nothing was taken away.
   *
   *     const { pages, snapshots } = await vault.maintenance.collect();
   */
  async collect(): Promise<CollectReport> {
    return this.#collector.collect();
  }

  /**
   * Walks all that is on the disk: identity, log, the structure of the page file, rows, every page that something needs. Tells
   * what is damaged and whom it hurts; with `repair` it mends what a copy in memory, a backup, or older states and the log
   * allow, and writes nothing that was not verified. Rejects with VAULT_CLOSED, or the reason of the signal.
   *
   *     const { isSound, damaged } = await vault.maintenance.check({ repair: true });
   */
  async check(options: CheckOptions = {}): Promise<CheckReport> {
    return checkVault(this.#on, options);
  }

  /**
   * Reads all pages from the disk itself, past the system's cache, at most so many bytes a second. A page that is bad there and
   * sound in memory is written anew; every bad one is told as page.damaged. Rejects with VAULT_CLOSED, VAULT_STORE_FAILED, or
   * the reason of the signal.
   *
   *     const { damaged } = await vault.maintenance.scrub({ bytesPerSecond: 50e6 });
   */
  async scrub(options: ScrubOptions): Promise<ScrubReport> {
    return this.#scrubber.scrub(options);
  }

  /**
   * Copies the vault as it is now to a folder, while it is in use: all of it the first time, afterwards what is new. The
   * whole folder was read back from the disk when the promise resolves, and what earlier backups wrote and is bad now was
   * written anew (`mended` in the report). Rejects with VAULT_BACKUP_FAILED (disk full, damaged source, a folder
   * that holds other files or the backup of another vault), VAULT_BACKUP_DAMAGED (what lies there cannot be read), VAULT_PATH_INVALID (a place in the vault's own folder);
   * whatever an earlier backup wrote there is then still good.
   *
   *     const { seq, bytesWritten } = await vault.maintenance.backup("/mnt/backup/planaria");
   */
  async backup(to: string, options: BackupOptions = {}): Promise<BackupReport> {
    await requireOutside(this.#on.options.path, to);
    return backUp(this.#on, to, options);
  }

  /**
   * Writes one branch with its past to a file that any vault can import: all writes that the log still has, with their times
   * and notes, and all snapshots. Rejects with VAULT_POINT_UNKNOWN, VAULT_POINT_EXPIRED, VAULT_PAGE_DAMAGED,
   * VAULT_EXPORT_FAILED (disk full), VAULT_PATH_INVALID (a place in the vault's own folder); then there is no file, or the one that was there before.
   *
   *     await vault.maintenance.exportBranch(vault.head("counter")!, "counter.planaria");
   */
  async exportBranch(branch: Branch, path: string, options: ExportOptions = {}): Promise<ExportReport> {
    const { vault, context, parts, options: settings } = this.#on;
    const state = LiveBranch.stateOf(branch, context);
    if (state === undefined) throw new VaultError("VAULT_BRANCH_UNKNOWN", "this branch is not of this vault");
    await requireOutside(settings.path, path);
    // What is exported is on the disk: a commit that is undone later must not live on in a copy.
    await vault.barrier();
    const { files = systemFiles, clock } = settings;
    const name = branch.name ?? `branch-${branch.id}`;
    const job = { uuid: parts.uuid, context, branch: state, name, path, files, timeMs: clock.now() };
    return exportState({ ...options, ...job });
  }

  /**
   * Makes a new agent of an exported file: the same state, the same snapshots, and a history that tells when each write was
   * made where it comes from. Durable when it resolves. Rejects with VAULT_EXPORT_DAMAGED, VAULT_FORMAT_UNKNOWN,
   * VAULT_NAME_TAKEN, VAULT_NAME_INVALID, and what a commit rejects with; then there is no such agent.
   */
  async importBranch(path: string, options: ImportOptions = {}): Promise<ImportReport> {
    return importState(this.#on, path, options);
  }

  /** What is in the vault, branch by branch; unnamed ones included. */
  overview(): readonly BranchOverview[] {
    return overviewOf(this.#on.parts.state);
  }
}
