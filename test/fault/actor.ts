/**
 * Whoever works on a vault in a fault test: hands it commits of every kind and enters each of them in the ledger. What is
 * done to which branch is chosen by chance from what the model says is there, so the same seed does the same.
 */
import { join } from "node:path";
import type { Branch, BranchId, Durability, Op, Vault } from "../../vault/index.ts";
import type { Chance } from "../support/chance.ts";
import type { Ledger } from "../support/ledger.ts";
import { branchOf, withBranch, withName, withOps, withSnapshot, withoutBranch } from "../support/vault-model.ts";

/** With so many branches one is dropped where another is made. */
const BRANCHES_MAX = 8;
const KEYS = 12;
/** Longer than a quarter of a page: such a value lies in pages of its own. */
const LONG_VALUE_BYTES = 5000;

/** See the header. */
export class Actor {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly chance: Chance;
  /** Levels that commits ask for. */
  readonly #levels: readonly Durability[];
  /** A folder for backups and exports. */
  readonly #beside: string | undefined;
  #isBackingUp = false;
  #no = 0;

  constructor(options: {
    readonly vault: Vault;
    readonly ledger: Ledger;
    readonly chance: Chance;
    readonly levels?: readonly Durability[];
    readonly beside?: string;
  }) {
    this.#beside = options.beside;
    this.vault = options.vault;
    this.ledger = options.ledger;
    this.chance = options.chance;
    this.#levels = options.levels ?? ["disk", "disk", "os", "memory"];
  }

  create(): void {
    this.#makeRoom();
    const durability = this.#level();
    const ops = this.#ops();
    const isNamed = this.chance.oneIn(2);
    const name = `agent-${this.#stamp()}`;
    const { branch, commit } = this.vault.create({ ops, durability, ...(isNamed ? { name } : {}) });
    this.ledger.submit(commit, durability, (model) => {
      const made = withBranch(model, branch.id, { content: withOps(new Map(), ops) });
      return isNamed ? withName(made, name, branch.id) : made;
    });
  }

  write(): void {
    const branch = this.#branch();
    const durability = this.#level();
    const ops = this.#ops();
    const commit = this.vault.commit([{ type: "write", branch: branch.id, ops }], { durability });
    this.ledger.submit(commit, durability, (model) =>
      withBranch(model, branch.id, { content: withOps(branchOf(model, branch.id).content, ops) }),
    );
  }

  /** One commit that changes two branches and a name. */
  writeMany(): void {
    const [first, second] = [this.#branch(), this.#branch()];
    const durability = this.#level();
    const parts = [first, second].map((branch) => ({ branch: branch.id, ops: this.#ops() }));
    const name = `both-${this.chance.below(3)}`;
    const writes = parts.map((part) => ({ type: "write", ...part }) as const);
    const commit = this.vault.commit([...writes, { type: "name", name, branch: second.id }], { durability });
    this.ledger.submit(commit, durability, (model) => {
      for (const { branch, ops } of parts) {
        model = withBranch(model, branch, { content: withOps(branchOf(model, branch).content, ops) });
      }
      return withName(model, name, second.id);
    });
  }

  fork(): void {
    this.#makeRoom();
    const source = this.#branch();
    const durability = this.#level();
    const { branch, commit } = this.vault.fork(source, { durability });
    this.ledger.submit(commit, durability, (model) =>
      withBranch(model, branch.id, { content: branchOf(model, source.id).content }),
    );
  }

  snapshot(): void {
    const branch = this.#branch();
    const durability = this.#level();
    const label = `label-${this.#stamp()}`;
    const commit = this.vault.commit([{ type: "snapshot", branch: branch.id, label }], { durability });
    this.ledger.submit(commit, durability, (model) => withSnapshot(model, branch.id, label));
  }

  /** A branch gets the content of a snapshot, or of another branch's. */
  async restore(): Promise<void> {
    const [branch, source] = [this.#branch(), this.#branch()];
    const durability = this.#level();
    const label = branchOf(this.ledger.model, source.id).snapshots.keys().toArray().at(-1);
    if (label === undefined) return this.snapshot();
    const view = await source.at({ label });
    const commit = this.vault.restore(branch.id, view, { durability });
    this.ledger.submit(commit, durability, (model) => {
      const content = branchOf(model, source.id).snapshots.get(label);
      if (content === undefined) throw new Error("the snapshot is in the model");
      const kept = withSnapshot(model, branch.id, `before-restore-${commit.seq}`);
      return withBranch(kept, branch.id, { content });
    });
  }

  drop(): void {
    const branch = this.#branch();
    const durability = this.#level();
    if (this.ledger.model.branches.size < 2) return this.write();
    const commit = this.vault.commit([{ type: "drop", branch: branch.id }], { durability });
    this.ledger.submit(commit, durability, (model) => withoutBranch(model, branch.id));
  }

  /** The vault, to the folder beside it; without one, or while a backup runs, this is a write. */
  async backup(): Promise<void> {
    if (this.#beside === undefined || this.#isBackingUp) return this.write();
    this.#isBackingUp = true;
    try {
      const { seq } = await this.vault.maintenance.backup(join(this.#beside, "backup"));
      this.ledger.backupSeq = seq;
    } finally {
      this.#isBackingUp = false;
    }
  }

  /** One branch to a file in the folder beside the vault. */
  async export(): Promise<void> {
    if (this.#beside === undefined) return this.write();
    await this.vault.maintenance.exportBranch(this.#branch(), join(this.#beside, "exported"));
  }

  /** The highest number is unique in this vault: seqs are. */
  #stamp(): string {
    return `${this.vault.stats().seq + 1}`;
  }

  #level(): Durability {
    return this.chance.of(this.#levels);
  }

  #branch(): Branch {
    const ids = [...this.ledger.model.branches.keys()];
    if (ids.length === 0) {
      this.create();
      return this.#branch();
    }
    const id = this.chance.of(ids);
    const branch = this.vault.branch(id as BranchId); // The model has its numbers from the vault.
    if (branch !== undefined) return branch;
    // A vault that has failed has taken back what may still be on the disk; this throws its error.
    this.vault.commit([]);
    throw new Error(`the vault has no branch ${id}, the model has`);
  }

  #makeRoom(): void {
    const [oldest] = this.ledger.model.branches.keys();
    if (oldest === undefined || this.ledger.model.branches.size < BRANCHES_MAX) return;
    const commit = this.vault.commit([{ type: "drop", branch: oldest as BranchId }], { durability: "disk" }); // as above
    this.ledger.submit(commit, "disk", (model) => withoutBranch(model, oldest));
  }

  #ops(): readonly Op[] {
    return Array.from({ length: 1 + this.chance.below(4) }, () => {
      const key = `key-${this.chance.below(KEYS)}`;
      if (this.chance.oneIn(5)) return { delete: key };
      const isLong = this.chance.oneIn(12);
      const bytes = isLong ? LONG_VALUE_BYTES + this.chance.below(3000) : this.chance.below(300);
      return { put: key, value: Buffer.alloc(bytes, `${++this.#no}/${this.chance.below(1e6)} `) };
    });
  }
}
