/**
 * The work beside the data path: collecting, checking, repairing, backing up, moving agents between vaults. Each job is a
 * room of its own; here is only the door to all of them.
 *
 * Invariants:
 * 1. No job keeps the thread longer than about 5 ms at a time, and none makes a commit wait.
 * 2. A job ends early, with what it has done so far intact, when the vault is closed.
 */
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
}
