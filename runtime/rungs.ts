/**
 * Carries the rungs of the ladder out: goes back to code that was current before, or to a state that was named before. Works
 * on the vault alone: no agent code runs to decide, and the one that failed is not asked.
 *
 *   earlier code      same version of the state: the state stays, with every acknowledged turn
 *                     another version: the state of before the migration, which was named then
 *   earlier snapshot  the newest named state that can be read and is not the present one, with its code
 *
 * Invariants
 * 1. The present state is named in the commit that leaves it. Nothing acknowledged goes without a name.
 * 2. Only states and code that can be read are gone back to, whole: with their spec and every row. What cannot is told, and
 *    the next older one is taken.
 * 3. A state that somebody left is not gone back to: names that a restore or a rung gave are passed over.
 */
import type { Action, Branch, Vault, View } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import type { AgentSpec, CurrentCode, EarlierCode } from "./agent-record.ts";
import { codeOps, standingOps, readArtifact, readSpec } from "./agent-record.ts";
import { readableState } from "./readable-state.ts";
import { standingSteps } from "./step-records.ts";

/** Snapshots that are looked at for one that can be read. */
const SNAPSHOTS_MAX = 32;
/** Names of states that were left. */
const LEFT = /^before-(?:restore|escalation)-/;

/** A rung that was carried out. */
export interface Step {
  /** The name of the state that was left. */
  readonly before: string;
  /** The name of the state that was gone back to; absent where the state stayed. */
  readonly to?: string;
  readonly skipped: readonly Skipped[];
}

/** What could not be gone back to. */
export interface Skipped {
  readonly label: string;
  readonly why: string;
}

/** What there is to go back to, and the way there. */
export class Rungs {
  readonly #vault: Vault;
  readonly #branch: () => Branch;
  /** As it is now. */
  readonly #spec: () => Pick<AgentSpec, "host" | "domain">;

  constructor(
    vault: Vault,
    agent: { readonly branch: () => Branch; readonly spec: () => Pick<AgentSpec, "host" | "domain"> },
  ) {
    this.#vault = vault;
    this.#branch = agent.branch;
    this.#spec = agent.spec;
  }

  /** Whether there is code that was current before. */
  hasEarlierCode(current: CurrentCode | undefined): boolean {
    return current?.before !== undefined;
  }

  /** Whether there is a named state that might do. */
  hasEarlierSnapshot(): boolean {
    return this.#candidates().length > 0;
  }

  /**
   * Makes the code before the current one again; on disk when it resolves. Undefined, and nothing is changed, where that code
   * or its state cannot be read. Rejects with VAULT_COMMIT_FAILED, VAULT_FAILED.
   */
  async earlierCode(current: CurrentCode): Promise<Step | undefined> {
    const { before } = current;
    if (before === undefined) return undefined;
    if (before.version === current.version) return this.#sameState(current, before);
    const { label } = before;
    if (label === undefined) return undefined;
    const found = await this.#readable(label);
    return "why" in found ? undefined : this.#restore(label, found.view, []);
  }

  /** Makes the newest readable snapshot current; on disk when it resolves. Otherwise as `earlierCode`. */
  async earlierSnapshot(): Promise<Step | undefined> {
    const skipped: Skipped[] = [];
    for (const label of this.#candidates()) {
      const found = await this.#readable(label);
      if ("why" in found) skipped.push(found);
      else if (!this.#isPresent(found.view)) return this.#restore(label, found.view, skipped);
    }
    return undefined;
  }

  async #sameState(current: CurrentCode, earlier: EarlierCode): Promise<Step | undefined> {
    const branch = this.#branch();
    const artifact = readOrNothing(() => {
      readSpec(branch); // it is needed as soon as the code has changed
      return readArtifact(branch, earlier.hash);
    });
    if (artifact === undefined) return undefined;
    const before = `before-escalation-${branch.head}`;
    const { label: _, ...code } = earlier;
    // What the operator deployed stays what was deployed: the same program started again must not bring it back.
    const ops = codeOps(artifact, { ...code, originHash: current.originHash });
    const actions: Action[] = [
      { type: "snapshot", branch: branch.id, label: before },
      { type: "write", branch: branch.id, ops, epoch: branch.fence() },
    ];
    await this.#vault.commit(actions, { durability: "disk" }).durable;
    return { before, skipped: [] };
  }

  async #restore(to: string, view: View, skipped: readonly Skipped[]): Promise<Step> {
    const branch = this.#branch();
    branch.fence();
    const ops = [...standingOps(view, this.#spec()), ...standingSteps(branch)];
    const commit = this.#vault.restore(branch.id, view, { durability: "disk", ops });
    await commit.durable;
    return { before: `before-restore-${commit.seq}`, to, skipped };
  }

  /** Names, newest first. By name, because a snapshot may stand in the middle of a commit; of one name, the newest is meant. */
  #candidates(): readonly string[] {
    const labels = this.#branch()
      .snapshots()
      .map(({ label }) => label)
      .filter((label) => !LEFT.test(label));
    return [...new Set(labels.toReversed())].slice(0, SNAPSHOTS_MAX);
  }

  /** Reads all that a life is loaded from, and all that its turns may ask for. */
  async #readable(label: string): Promise<{ readonly view: View } | Skipped> {
    const found = await readableState(this.#branch(), { label });
    return "why" in found ? { label, ...found } : found;
  }

  /** A damaged present state is like no other. */
  #isPresent(view: View): boolean {
    return readOrNothing(() => this.#vault.diff(view, this.#branch()).next().done) === true;
  }
}

function readOrNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return undefined;
  }
}
