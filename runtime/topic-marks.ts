/**
 * The list of topics of which some agent may not have come to the end, so that opening a vault looks at these and at no other:
 * `l:<topic>` in the branch `~topics`, written with a publication that agents are to get, taken away some time after all of
 * them handled what there is.
 *
 * The list says nothing that the agents' own places do not say: when it cannot be read as the vault is opened, a new one with
 * all topics takes its place.
 */
import type { Action, Branch, Op, Vault } from "../vault/index.ts";
import { attempt } from "./feed.ts";
import { topicNamesIn } from "./topic-record.ts";
import type { TurnWrites } from "./turn-writes.ts";

const BRANCH = "~topics";
const PREFIX = "l:";

/** See the header. */
export class TopicMarks {
  readonly #vault: Vault;

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** The marked topics, as the vault is opened; all topics where nobody can say. */
  open(): readonly string[] {
    const branch = this.#vault.head(BRANCH);
    if (branch === undefined) return [];
    const names: string[] = [];
    const isWhole = attempt(() => {
      for (const [key] of branch.range({ prefix: PREFIX })) names.push(key.slice(PREFIX.length));
    });
    return isWhole ? names : this.#renew(branch);
  }

  /** The action that marks a topic; none where it is marked. Throws VAULT_PAGE_DAMAGED. */
  mark(topic: string, writes: TurnWrites): readonly Action[] {
    const branch = this.#branch();
    const key = PREFIX + topic;
    return writes.get(branch, key) === undefined ? [writes.write(branch, [{ put: key, value: new Uint8Array() }])] : [];
  }

  /** Takes these off the list; what cannot be taken off costs a look at the next opening. */
  remove(topics: readonly string[]): void {
    const branch = this.#vault.head(BRANCH);
    if (branch === undefined || topics.length === 0) return;
    attempt(() =>
      this.#write(
        branch,
        topics.map((topic) => ({ delete: PREFIX + topic })),
      ),
    );
  }

  /** Where a new list cannot be written either, the old one stays, and the next opening finds it so. */
  #renew(old: Branch): readonly string[] {
    const names = topicNamesIn(this.#vault);
    attempt(() => {
      const free = { type: "name", name: BRANCH, branch: undefined, expect: old.id } as const;
      this.#vault.commit([free, { type: "drop", branch: old.id }], { durability: "memory" });
      const marks = names.map((name) => ({ put: PREFIX + name, value: new Uint8Array() }));
      if (marks.length > 0) this.#write(this.#branch(), marks);
    });
    return names;
  }

  #write(branch: Branch, ops: readonly Op[]): void {
    this.#vault.commit([{ type: "write", branch: branch.id, ops }], { durability: "memory" });
  }

  #branch(): Branch {
    return this.#vault.head(BRANCH) ?? this.#vault.create({ name: BRANCH, durability: "memory" }).branch;
  }
}
