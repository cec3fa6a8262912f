/**
 * A durable list of records beside the agents, for floors above that must remember decisions. Kept in a branch of the
 * vault of its own, in order of writing.
 */
import { VaultError } from "../vault/index.ts";
import type { Branch, Vault } from "../vault/index.ts";

/** One record and its place in the order of writing. */
export interface JournalRecord {
  readonly index: number;
  readonly text: string;
}

/** A list of texts that grows at its end; what no longer counts may be taken out. */
export class Journal {
  readonly #vault: Vault;
  readonly #branch: Branch;
  #next: number;

  private constructor(vault: Vault, branch: Branch, next: number) {
    this.#vault = vault;
    this.#branch = branch;
    this.#next = next;
  }

  /** Opens the journal of this name, or begins it. Rejects with VAULT_PAGE_DAMAGED where its newest records cannot be read. */
  static async open(vault: Vault, name: string): Promise<Journal> {
    const branchName = `~journal:${name}`;
    const known = vault.head(branchName);
    if (known !== undefined) return new Journal(vault, known, countOf(known));
    const { branch, commit } = vault.create({ name: branchName, durability: "disk" });
    await commit.durable;
    return new Journal(vault, branch, 0);
  }

  /** Appends a record, `instead` of those with these indexes, in one commit. On disk when it resolves. Returns its index. */
  async append(text: string, instead: readonly number[] = []): Promise<number> {
    const index = this.#next++;
    const removed = instead.map((each) => ({ delete: keyOf(each) }));
    const ops = [...removed, { put: keyOf(index), value: Buffer.from(text) }];
    await this.#vault.commit([{ type: "write", branch: this.#branch.id, ops }], { durability: "disk" }).durable;
    return index;
  }

  /** All records, oldest first. */
  *entries(): Iterable<string> {
    for (const [, value] of this.#branch.range()) yield Buffer.from(value).toString();
  }

  /**
   * All records that can be read, oldest first; each of the others is told and passed over. Reads record by record, so it is for
   * journals that are kept short.
   */
  *readable(onDamaged: (index: number, error: VaultError) => void): Iterable<JournalRecord> {
    for (let index = 0; index < this.#next; index++) {
      const value = this.#read(index, onDamaged);
      if (value !== undefined) yield { index, text: Buffer.from(value).toString() };
    }
  }

  #read(index: number, onDamaged: (index: number, error: VaultError) => void): Uint8Array | undefined {
    try {
      return this.#branch.get(keyOf(index));
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      onDamaged(index, error);
      return undefined;
    }
  }
}

function countOf(branch: Branch): number {
  for (const [key] of branch.range({ reverse: true, limit: 1 })) return Number(key) + 1;
  return 0;
}

/** Twelve digits keep byte order and number order the same. */
function keyOf(index: number): string {
  return String(index).padStart(12, "0");
}
