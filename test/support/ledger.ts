/**
 * The ledger: every commit that was handed to a vault, what the vault should hold after it, and whether it was
 * acknowledged. It is the witness when a vault is recovered.
 *
 *     submit --> open --acknowledged--> kept      recovered state = state after some entry
 *                  \--undone (disk full)--> gone         not before the last one that was promised to survive
 *                   \--failed--> may or may not be there
 */
import { VaultError } from "../../vault/index.ts";
import type { Commit, Durability, Vault } from "../../vault/index.ts";
import { EMPTY_VAULT, textOf, textOfVault } from "./vault-model.ts";
import type { Change, VaultModel } from "./vault-model.ts";

interface Entry {
  readonly seq: number;
  readonly level: Durability;
  readonly change: Change;
  model: VaultModel;
  isKept: boolean;
}

/** What happens to the vault: its process ends, the power goes, or only its backup is left. */
export type End = "kill" | "power" | "backup";

/** All that may be found after an end at one instant. */
export interface Moment {
  /** Oldest first; the state before the first entry has seq 0. */
  readonly states: readonly { readonly seq: number; readonly model: VaultModel }[];
  /** The last commit that must be there, by kind of end. */
  readonly floor: Readonly<Record<End, number>>;
}

/** A recovered vault that is right, or what is wrong with it. */
export type Judgement = { readonly model: VaultModel; readonly seq: number } | { readonly wrong: string };

/** See the header. */
export class Ledger {
  readonly #start: VaultModel;
  #entries: Entry[] = [];
  readonly #open = new Set<Promise<void>>();
  /** Up to where a backup that was reported as done goes. */
  backupSeq = 0;
  /** Commits that were refused or failed, by code. */
  readonly failures = new Map<string, number>();

  /** `start`: what the vault holds when the ledger begins. */
  constructor(start: VaultModel = EMPTY_VAULT) {
    this.#start = start;
  }

  /** What the vault holds now. */
  get model(): VaultModel {
    return this.#entries.at(-1)?.model ?? this.#start;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** Notes a commit and what it does, and waits in the background for its outcome. */
  submit(commit: Commit, level: Durability, change: Change): void {
    const entry: Entry = { seq: commit.seq, level, change, model: change(this.model), isKept: false };
    this.#entries.push(entry);
    const outcome = commit.durable.then(
      () => void (entry.isKept = true),
      (error: unknown) => this.#failed(entry, error),
    );
    this.#open.add(outcome);
    outcome.finally(() => this.#open.delete(outcome)).catch(() => undefined); // `settled` has the rejection
  }

  /** All commits so far have an outcome. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** What may be found if the end comes now. */
  moment(): Moment {
    const states = [{ seq: 0, model: this.#start }, ...this.#entries.map(({ seq, model }) => ({ seq, model }))];
    const last = (levels: readonly Durability[]) =>
      this.#entries.findLast(({ isKept, level }) => isKept && levels.includes(level))?.seq ?? 0;
    return { states, floor: { kill: last(["os", "disk"]), power: last(["disk"]), backup: this.backupSeq } };
  }

  #failed(entry: Entry, error: unknown): void {
    if (!(error instanceof VaultError)) throw error;
    this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1);
    // Undone for good. Any other failure leaves open whether the commit is on the disk.
    if (error.code !== "VAULT_COMMIT_FAILED") return;
    this.#entries = this.#entries.filter((each) => each !== entry);
    let model = this.#start;
    for (const each of this.#entries) {
      if (each.seq > entry.seq) each.model = each.change(model);
      model = each.model;
    }
  }
}

/** Whether a recovered vault holds a state that it may hold: all that was promised, and nothing but a prefix. */
export async function judge(vault: Vault, { states, floor }: Moment, end: End): Promise<Judgement> {
  const found = await textOfVault(vault);
  const match = states.findLast(({ model }) => textOf(model) === found);
  if (match !== undefined && match.seq >= floor[end]) return match;
  const last = states.findLast(({ seq }) => seq <= floor[end]) ?? states[0];
  const expected = last === undefined ? "" : textOf(last.model);
  const what =
    match === undefined
      ? `it holds no state it ever had`
      : `it holds the state of ${match.seq}, although ${floor[end]} was acknowledged`;
  return { wrong: `${what}\n${difference(expected, found)}` };
}

/** The lines in which two texts differ. */
function difference(expected: string, found: string): string {
  const before = new Set(expected.split("\n"));
  const after = new Set(found.split("\n"));
  const gone = [...before].filter((line) => !after.has(line)).map((line) => `- ${line.slice(0, 300)}`);
  const come = [...after].filter((line) => !before.has(line)).map((line) => `+ ${line.slice(0, 300)}`);
  return [...gone.slice(0, 8), ...come.slice(0, 8)].join("\n");
}
