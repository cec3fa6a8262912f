/**
 * A shadow: code on trial, on a fork of an agent's state, in a cell of its own. It answers the turns it is given and
 * writes to its fork alone; it has no name, no mailbox and no way to the outside.
 *
 * It reads rows of its tables from its fork, as the live agent reads them from its own branch.
 *
 * Effect firewall: a question the live agent also asked in this turn (same verb, same words, n-th time) gets the
 * recorded answer. Any other is refused and counted. Casts go nowhere.
 *
 * Invariants
 * 1. Every write goes to the shadow's own branch. The live agent's branch is never named in a commit of this file.
 * 2. `drop` removes the fork and ends the cell, also when the trial ended badly.
 */
import { randomUUID } from "node:crypto";
import type { Artifact, CellExit, IsolateLimits, Loaded, Outcome, Resident } from "../sandbox/index.ts";
import type { Branch, BranchId, Clock, Vault, View } from "../vault/index.ts";
import { draftOps, readSpec, stateEntries } from "./agent-record.ts";
import { CallIds } from "./call-ids.ts";
import type { Profile } from "./cell-groups.ts";
import type { CellPool, Tenant } from "./cell-pool.ts";
import { contextOps, lifeOf } from "./handover.ts";
import type { RecordedAsk } from "./message.ts";
import { RowReads } from "./row-reads.ts";
import type { RecordedTurn } from "./traffic.ts";

/** Names of forks on trial begin like this; `~` keeps them apart from agents. */
const SHADOW_PREFIX = "~shadow:";

/** Frees a fork's name and drops the fork. Memory durability: after a crash `sweepShadows` does it again. */
function removeFork(vault: Vault, name: string, branch: BranchId): void {
  const free = { type: "name", name, branch: undefined, expect: branch } as const;
  vault.commit([free, { type: "drop", branch }], { durability: "memory" });
}

/** Removes forks that a runtime left behind when it was killed. */
export function sweepShadows(vault: Vault): void {
  for (const { name, branch } of vault.names()) if (name.startsWith(SHADOW_PREFIX)) removeFork(vault, name, branch);
}

/** What a shadow needs. */
export interface ShadowOptions {
  readonly vault: Vault;
  readonly pool: CellPool;
  readonly clock: Clock;
  /** The agent it stands in for; its `ctx.self.id`. */
  readonly agent: string;
  readonly artifact: Artifact;
  readonly profile: Profile;
  readonly limits: IsolateLimits;
  /** What `ctx.text` is. Default: what it was in the state it starts from. */
  readonly text?: string | undefined;
  /** What `ctx.host` shows; whatever is granted, nothing is done. */
  readonly host: string;
  /** The state it starts from. */
  readonly from: Branch | View;
}

/** How one turn went in a shadow. */
export interface ShadowTurn {
  readonly outcome: Outcome;
  /** Questions without a recorded answer; each was refused. */
  readonly refusedEffects: readonly string[];
}

/** Code on trial on a fork. */
export class Shadow implements Tenant, AsyncDisposable {
  readonly agent: string;
  readonly artifact: Artifact;
  /** The fork's name in the vault, until it is dropped or adopted. */
  readonly name: string;
  /** The fork; readable by the arbiter, and adoptable by a rollback. */
  readonly branch: Branch;
  readonly #vault: Vault;
  readonly #reads: RowReads;
  #resident: Resident | undefined;
  #release: (() => Promise<void>) | undefined;
  #loaded: Loaded | undefined;
  #callIds: CallIds | undefined;
  #turns = 0;
  #recorded: RecordedAsk[] = [];
  #refused: string[] = [];
  #lost: CellExit | undefined;
  #isDropped = false;
  #isKept = false;

  private constructor(options: ShadowOptions, name: string, branch: Branch) {
    this.agent = options.agent;
    this.name = name;
    this.artifact = options.artifact;
    this.branch = branch;
    this.#vault = options.vault;
    this.#reads = new RowReads({ view: branch, inflight: [], resident: () => this.#resident }); // one turn at a time
  }

  /** Forks and loads. Rejects with the sandbox's error when the code does not load, and leaves nothing behind. */
  static async start(options: ShadowOptions): Promise<Shadow> {
    const name = `${SHADOW_PREFIX}${options.agent}:${randomUUID()}`;
    const { branch } = options.vault.fork(options.from, { name, durability: "memory" });
    const shadow = new Shadow(options, name, branch);
    try {
      await shadow.#load(options);
      return shadow;
    } catch (error) {
      await shadow.drop();
      throw error;
    }
  }

  get loaded(): Loaded {
    if (this.#loaded === undefined) throw new Error("not loaded");
    return this.#loaded;
  }
  /** How its cell ended, where it did. */
  get lost(): CellExit | undefined {
    return this.#lost;
  }

  /** Runs a recorded turn on the shadow's own state and commits its writes to the fork. Never rejects for the guest's faults. */
  async run(turn: RecordedTurn): Promise<ShadowTurn> {
    const { kind, method, text, nowMs, seed, entropy, callId } = turn;
    this.#recorded = [...turn.asks];
    return this.#runTurn({ kind, method, text, nowMs, seed, entropy }, callId);
  }

  /** Runs `migrate` on the fork. */
  async migrate(fromVersion: number, nowMs: number): Promise<ShadowTurn> {
    this.#recorded = [];
    return this.#runTurn({ kind: "migrate", method: "migrate", text: String(fromVersion), nowMs, seed: 0 });
  }

  /** Ends the cell but leaves the fork to whoever adopts it. */
  async keepBranch(): Promise<void> {
    this.#isKept = true;
    await this.drop();
  }

  /** Ends the cell and removes the fork. */
  async drop(): Promise<void> {
    if (this.#isDropped) return;
    this.#isDropped = true;
    await this.#release?.();
    if (!this.#isKept) removeFork(this.#vault, this.name, this.branch.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }

  onCellLost(exit: CellExit): void {
    this.#lost = exit;
  }

  async #load(options: ShadowOptions): Promise<void> {
    const { resident, release } = await options.pool.placeAlone(options.profile, this, {
      agent: options.agent,
      artifact: options.artifact,
      limits: options.limits,
      text: options.text ?? readSpec(this.branch)?.text ?? "",
      host: options.host,
      life: lifeOf(this.branch, readSpec(this.branch)?.contextBudget),
      state: stateEntries(this.branch),
      onAsk: (ask) => this.#answer(ask),
      onRead: (read) => this.#reads.put(read),
      onTaken: () => this.#reads.serve(),
    });
    this.#resident = resident;
    this.#release = release;
    this.#loaded = await resident.loaded;
  }

  async #runTurn(
    turn: {
      readonly kind: "call" | "cast" | "migrate";
      readonly method: string;
      readonly text: string;
      readonly nowMs: number;
      readonly seed: number;
      readonly entropy?: string | undefined;
    },
    callId?: string,
  ): Promise<ShadowTurn> {
    if (this.#resident === undefined) throw new Error("not loaded");
    this.#refused = [];
    const outcome = await this.#resident.run({ id: ++this.#turns, ...turn });
    this.#reads.over(this.#turns);
    const ops = outcome.kind === "done" ? [...draftOps(outcome), ...contextOps(this.branch, outcome.outbox)] : [];
    if (outcome.kind === "done" && callId !== undefined) {
      this.#callIds ??= new CallIds(this.branch);
      ops.push(...this.#callIds.record(callId, outcome.reply));
    }
    if (ops.length > 0) {
      this.#vault.commit([{ type: "write", branch: this.branch.id, ops }], { durability: "memory" });
    }
    return { outcome, refusedEffects: this.#refused };
  }

  #answer(ask: { readonly turn: number; readonly ask: number; readonly verb: string; readonly text: string }): void {
    const index = this.#recorded.findIndex((known) => known.verb === ask.verb && known.text === ask.text);
    const [known] = index < 0 ? [] : this.#recorded.splice(index, 1);
    if (known !== undefined) return this.#resident?.answer(ask.turn, ask.ask, known.answer);
    this.#refused.push(ask.verb);
    const message = `${ask.verb}: the live agent did nothing like it in this turn, and a shadow has no effects of its own`;
    this.#resident?.answer(ask.turn, ask.ask, { ok: false, code: "RUNTIME_EFFECT_REFUSED", message });
  }
}
