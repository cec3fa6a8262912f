/**
 * The work beside the data path: collecting, checking, repairing, backing up, moving agents between vaults. Each job is a
 * room of its own; here is only the door to all of them.
 *
 * Invariants:
 * 1. No job keeps the thread longer than about 5 ms at a time, and none makes a commit wait.
 * 2. A job ends early, with what it has done so far intact, when the vault is closed.
 */
import { backUp } from "./backup.ts";
import type { BackupOptions, BackupReport } from "./backup.ts";
import type { CheckpointRunner } from "./checkpoint-runner.ts";
import type { VaultOptions, VaultParts } from "./open.ts";
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

  constructor(on: MaintenanceContext) {
    this.#on = on;
  }

  /** Aborted when the vault begins to close: for callers whose own work should end with it. */
  get closing(): AbortSignal {
    return this.#on.closing;
  }

  /**
   * Copies the vault as it is now to a folder, while it is in use: all of it the first time, afterwards what is new. It was
   * read back from the disk when the promise resolves. Rejects with VAULT_BACKUP_FAILED (disk full, damaged source, a folder
   * that holds other files or the backup of another vault), VAULT_BACKUP_DAMAGED (what lies there cannot be read);
   * whatever an earlier backup wrote there is then still good.
   *
   *     const { seq, bytesWritten } = await vault.maintenance.backup("/mnt/backup/planaria");
   */
  async backup(to: string, options: BackupOptions = {}): Promise<BackupReport> {
    return backUp(this.#on, to, options);
  }
}
