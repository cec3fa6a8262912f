/**
 * A durable list of records beside the agents, for floors above that must remember decisions. Kept in a branch of the
 * vault of its own, in order of writing.
 */
import type { Branch, Vault } from "../vault/index.ts";

/** An append-only list of texts. */
export class Journal {
  readonly #vault: Vault;
  readonly #branch: Branch;
  #next: number;

  private constructor(vault: Vault, branch: Branch, next: number) {
    this.#vault = vault;
    this.#branch = branch;
    this.#next = next;
  }

  /** Opens the journal of this name, or begins it. */
  static async open(vault: Vault, name: string): Promise<Journal> {
    const branchName = `~journal:${name}`;
    const known = vault.head(branchName);
    if (known !== undefined) return new Journal(vault, known, countOf(known));
    const { branch, commit } = vault.create({ name: branchName, durability: "disk" });
    await commit.durable;
    return new Journal(vault, branch, 0);
  }

  /** Appends a record. On disk when it resolves. Returns its index. */
  async append(text: string): Promise<number> {
    const index = this.#next++;
    const ops = [{ put: keyOf(index), value: Buffer.from(text) }];
    await this.#vault.commit([{ type: "write", branch: this.#branch.id, ops }], { durability: "disk" }).durable;
    return index;
  }

  /** All records, oldest first. */
  *entries(): Iterable<string> {
    for (const [, value] of this.#branch.range()) yield Buffer.from(value).toString();
  }
}

function countOf(branch: Branch): number {
  let count = 0;
  for (const [key] of branch.range()) count = Number(key) + 1;
  return count;
}

/** Twelve digits keep byte order and number order the same. */
function keyOf(index: number): string {
  return String(index).padStart(12, "0");
}
