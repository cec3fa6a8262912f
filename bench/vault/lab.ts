/**
 * A vault in a folder of its own, with the settings of a runtime, gone without a trace when its scope ends. It can be
 * closed and opened again on the same files, and read past the vault, page by page.
 *
 * Invariant: what the vault could not do (a failed checkpoint, a commit that was not kept) ends the run: a figure of a
 * vault that failed meanwhile is no figure.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../runtime/clock.ts";
import { Vault } from "../../vault/index.ts";
import type { Branch, Op, VaultEvent, VaultOptions } from "../../vault/index.ts";
import { VAULT_SETTINGS } from "../../vault/settings.ts";
import { PageStore } from "../../vault/store.ts";
import { groupsOf } from "./content.ts";
import type { Row } from "./content.ts";

const MIB: number = 1 << 20;

const { segmentBytes, checkpointBytes, memtableBytes, retainBytes, syncEveryMs, syncEveryEntries } = VAULT_SETTINGS;
/** What a runtime opens its vault with, but for jobs that start by themselves. */
const settings = {
  clock: systemClock,
  durability: "disk",
  segmentBytes,
  checkpointBytes,
  memtableBytes,
  retainBytes,
  syncEveryMs,
  syncEveryEntries,
} as const;
/** Log that is replayed at most. */
export const windowText: string = `${checkpointBytes / MIB} MB of log`;

/** No checkpoint but those that are asked for. */
export const onlyWhenAsked: Partial<VaultOptions> = { checkpointBytes: 2 ** 40, memtableBytes: 2 ** 40 };

/** The settings of a vault that is measured; also for a vault in another process. */
export function labOptions(path: string, overrides: Partial<VaultOptions> = {}): VaultOptions {
  return { ...settings, path, onEvent: () => undefined, ...overrides };
}

/** What a checkpoint told. */
export type Checkpointed = VaultEvent & { readonly type: "log.checkpointed" };

/** See the header. */
export class VaultLab implements AsyncDisposable {
  readonly #folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
  readonly #failures: VaultEvent[] = [];
  /** For a process that ends in the middle, by a signal or by an error that nobody catches. */
  readonly #removeAtExit = (): void => rmSync(this.folder, { recursive: true, force: true });
  /** The checkpoints of all vaults that were open here, oldest first. */
  readonly checkpoints: Checkpointed[] = [];
  #vault: Vault | undefined;

  private constructor(folder: Awaited<ReturnType<typeof mkdtempDisposable>>) {
    this.#folder = folder;
    process.once("exit", this.#removeAtExit);
  }

  /** Opens a new vault. */
  static async open(overrides: Partial<VaultOptions> = {}): Promise<VaultLab> {
    const lab = await VaultLab.empty();
    try {
      await lab.reopen(overrides);
      return lab;
    } catch (error) {
      await lab.#remove();
      throw error;
    }
  }

  /** A folder in which no vault was opened yet. */
  static async empty(): Promise<VaultLab> {
    return new VaultLab(await mkdtempDisposable(join(tmpdir(), "planaria-bench-")));
  }

  /** For files beside the vault. */
  get folder(): string {
    return this.#folder.path;
  }

  get vaultPath(): string {
    return join(this.folder, "vault");
  }

  get vault(): Vault {
    assert.ok(this.#vault !== undefined, "no vault is open here");
    return this.#vault;
  }

  /** The branch of this name, which must be there. */
  branch(name: string): Branch {
    const branch = this.vault.head(name);
    assert.ok(branch !== undefined, `there is no branch ${name}`);
    return branch;
  }

  /** Closes the vault if one is open and opens it again, without anything it had in memory. */
  async reopen(overrides: Partial<VaultOptions> = {}): Promise<Vault> {
    await this.close();
    const onEvent = (event: VaultEvent): void => this.#note(event);
    this.#vault = await Vault.open(labOptions(this.vaultPath, { ...overrides, onEvent }));
    return this.#vault;
  }

  async close(): Promise<void> {
    await this.#vault?.close();
    this.#vault = undefined;
  }

  /** The page store of the closed vault, with nothing cached. */
  async openPages(): Promise<PageStore> {
    assert.equal(this.#vault, undefined, "the pages of an open vault are its own");
    const path = join(this.vaultPath, "pages.mdb");
    const sizes = { cacheBytes: 256 * MIB, mapBytes: 64 * 1024 * MIB, commitLimitMs: 5_000 };
    return PageStore.open({ path, clock: systemClock, ...sizes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } finally {
      await this.#remove();
    }
    assert.deepEqual(this.#failures, [], "the vault failed while it was measured");
  }

  async #remove(): Promise<void> {
    await this.#folder.remove();
    process.removeListener("exit", this.#removeAtExit);
  }

  #note(event: VaultEvent): void {
    if (event.type === "log.checkpointed") this.checkpoints.push(event);
    if (["vault.failed", "checkpoint.failed", "commit.failed"].includes(event.type)) this.#failures.push(event);
  }
}

/** Rows in one commit while a state is filled. */
const ROWS_PER_COMMIT = 2_000;

/** Writes rows to a branch, a few thousand to a commit. They are on disk at the next checkpoint. */
export async function writeRows(vault: Vault, branch: Branch, rows: Iterable<Row>): Promise<void> {
  for (const group of groupsOf(rows, ROWS_PER_COMMIT)) {
    const ops = group.map(({ key, value }): Op => ({ put: key, value }));
    await vault.commit([{ type: "write", branch: branch.id, ops }], { durability: "os" }).durable;
  }
}
