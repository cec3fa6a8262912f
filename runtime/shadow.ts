/**
 * A shadow: code on trial, on a fork of an agent's state, in a cell that it shares with none but trials of the same agent. It
 * answers the turns it is given and writes to its fork alone; it has no name, no mailbox and no way to the outside.
 *
 * It reads rows of its tables from its fork, as the live agent reads them from its own branch. What it wants of the world is
 * answered by the firewall (`shadow-effects.ts`): as the live turn was, or as the trial simulates it, or not at all.
 *
 * Invariants
 * 1. Every write goes to the shadow's own branch. The live agent's branch is never named in a commit of this file.
 * 2. `drop` removes the fork and lets the isolate go, also when the trial ended badly.
 * 3. A turn that came to no good end (it threw, exceeded, was lost, its simulation failed) has written nothing.
 */
import { randomUUID } from "node:crypto";
import { SandboxError } from "../sandbox/index.ts";
import type { Artifact, CellExit, IsolateLimits, Loaded, Outcome } from "../sandbox/index.ts";
import type { Branch, BranchId, Clock, Vault, View } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";
import { draftOps, readSpec, specOp, stateEntries } from "./agent-record.ts";
import { CallIds } from "./call-ids.ts";
import type { Profile } from "./cell-groups.ts";
import type { CellPool, Tenant } from "./cell-pool.ts";
import { contextOps, lifeOf } from "./handover.ts";
import { RowReads } from "./row-reads.ts";
import { TurnEffects } from "./shadow-effects.ts";
import type { ShadowEffect, Simulate } from "./shadow-effects.ts";
import { digestOf, stateOf } from "./shadow-state.ts";
import { guiltOf } from "./suspicion.ts";
import type { RecordedTurn } from "./traffic.ts";
import type { TrialSeat } from "./trial-cells.ts";

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
  readonly domain?: string | undefined;
  /** In a cell of its own. */
  readonly isAlone?: boolean | undefined;
  readonly limits: IsolateLimits;
  /** What `ctx.text` is. Default: what it was in the state it starts from. */
  readonly text?: string | undefined;
  /** What `ctx.host` shows; whatever is granted, nothing is done. */
  readonly host: string;
  /** Answers what the live turn did not ask. Default: it is refused. */
  readonly simulate?: Simulate | undefined;
  /** The state it starts from; or none, and the settings with which a new agent would begin. */
  readonly from: { readonly state: Branch | View } | { readonly newborn: AgentSpec };
}

/** How a shadow's cell was lost under it. */
export interface ShadowLoss {
  readonly exit: CellExit;
  /**
   * It was inside as the cell ended by something that code can bring about. Among others (`isAlone` false) that is no proof: who
   * owns a cell blames whom it likes there. Try it alone before it counts.
   */
  readonly isOwnDoing: boolean;
  /** Nobody else was in that cell. */
  readonly isAlone: boolean;
}

/** How one turn went in a shadow. */
export interface ShadowTurn {
  readonly outcome: Outcome;
  /** Verbs of the questions that were refused. */
  readonly refusedEffects: readonly string[];
  /** What the turn wanted of the world, in the order in which it came; what it sends counts only where it came to its end. */
  readonly effects: readonly ShadowEffect[];
  /** Heap in use after it, array buffers included; undefined where the isolate is gone. */
  readonly heapBytes?: number | undefined;
  /** Only of a turn that was lost with its cell. Where it was not its own doing, the turn says nothing about this code. */
  readonly loss?: ShadowLoss | undefined;
}

/** What runs in a shadow. */
interface TrialTurn {
  readonly kind: "init" | "call" | "cast" | "migrate" | "stop";
  readonly method: string;
  readonly text: string;
  readonly nowMs: number;
  readonly seed: number;
  readonly entropy?: string | undefined;
}

/** Code on trial on a fork. */
export class Shadow implements Tenant, AsyncDisposable {
  readonly agent: string;
  readonly artifact: Artifact;
  /** The fork's name in the vault, until it is dropped or adopted; and the shadow's own among the suspects of a lost cell. */
  readonly name: string;
  /** The fork; readable by the arbiter, and adoptable by a rollback. */
  readonly branch: Branch;
  /** Whether it was given a cell of its own. */
  readonly isAlone: boolean;
  readonly #options: ShadowOptions;
  readonly #reads: RowReads;
  #seat: TrialSeat | undefined;
  #loaded: Loaded | undefined;
  #heapBytes: number | undefined;
  #callIds: CallIds | undefined;
  #turns = 0;
  /** Of the turn in work, or the last one. */
  #effects: TurnEffects = noEffects();
  /** Settles when the turn given last is over; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #lost: CellExit | undefined;
  #isDropped = false;
  #isKept = false;

  private constructor(options: ShadowOptions, name: string, branch: Branch) {
    this.agent = options.agent;
    this.name = name;
    this.artifact = options.artifact;
    this.branch = branch;
    this.isAlone = options.isAlone === true;
    this.#options = options;
    // One turn at a time.
    this.#reads = new RowReads({ view: branch, inflight: [], resident: () => this.#seat?.resident });
  }

  /** Forks and loads. Rejects with the sandbox's error when the code does not load, and leaves nothing behind. */
  static async start(options: ShadowOptions): Promise<Shadow> {
    const name = `${SHADOW_PREFIX}${options.agent}:${randomUUID()}`;
    const { vault, from } = options;
    const { branch } =
      "state" in from
        ? vault.fork(from.state, { name, durability: "memory" })
        : vault.create({ name, ops: [specOp(from.newborn)], durability: "memory" });
    const shadow = new Shadow(options, name, branch);
    try {
      await shadow.#load();
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
  /** Where it lives now. */
  get cell(): { readonly id: string; readonly pid: number } | undefined {
    return this.#seat?.resident.cell;
  }
  /** Heap in use after its newest turn, in bytes; undefined while it has no isolate. */
  get heapBytes(): number | undefined {
    return this.#heapBytes;
  }

  /**
   * Runs a recorded turn on the shadow's own state and commits its writes to the fork, one turn after the other. Never rejects for
   * the guest's faults. Rejects with RUNTIME_SIMULATION_FAILED when `simulate` threw or gave what is no encoded value: then the
   * isolate is ahead of its fork, and `reload` brings it back.
   */
  run(turn: RecordedTurn): Promise<ShadowTurn> {
    const { kind, method, text, nowMs, seed, entropy, callId } = turn;
    const { simulate, limits } = this.#options;
    const effects = new TurnEffects({ recorded: turn.asks, simulate, bytesMax: limits.messageBytesMax });
    return this.#inTurn(effects, { kind, method, text, nowMs, seed, entropy }, callId);
  }

  /** Makes the first state, as the first start of an agent does. For shadows that began with none; others refuse. */
  begin(nowMs: number): Promise<ShadowTurn> {
    return this.#inTurn(noEffects(), { kind: "init", method: "init", text: "", nowMs, seed: 0 });
  }

  /** Runs `migrate` on the fork. Its chance begins with `seed`: 0, as where it counts. */
  migrate(fromVersion: number, nowMs: number, seed = 0): Promise<ShadowTurn> {
    return this.#inTurn(noEffects(), { kind: "migrate", method: "migrate", text: String(fromVersion), nowMs, seed });
  }

  /** Runs `stop` on the fork, as a shutdown would. The shadow goes on. */
  stop(nowMs: number): Promise<ShadowTurn> {
    return this.#inTurn(noEffects(), { kind: "stop", method: "stop", text: '"shutdown"', nowMs, seed: 0 });
  }

  /**
   * Begins a new life on what is in the fork: what the code kept elsewhere is gone, as after any restart. Also after its isolate or
   * its cell was lost. A turn in work is lost. Rejects as `start` does; then it has no isolate, and may be tried again.
   */
  async reload(): Promise<void> {
    await this.#leave();
    this.#lost = undefined;
    await this.#load();
  }

  /** What it has written to state and tables so far, as texts for people: `state.count`, `table.orders.7`. */
  state(): Iterable<readonly [key: string, text: string]> {
    return stateOf(this.branch);
  }

  /** SHA-256 of its state and its tables, as they stand when it is asked. */
  async stateDigest(): Promise<string> {
    return digestOf(await this.branch.at({ seq: this.branch.head }));
  }

  /** Lets the isolate go but leaves the fork to whoever adopts it. */
  async keepBranch(): Promise<void> {
    this.#isKept = true;
    await this.drop();
  }

  /** Lets the isolate go and removes the fork. */
  async drop(): Promise<void> {
    if (this.#isDropped) return;
    this.#isDropped = true;
    await this.#leave();
    if (!this.#isKept) removeFork(this.#options.vault, this.name, this.branch.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }

  onCellLost(exit: CellExit): void {
    this.#lost = exit;
  }

  async #leave(): Promise<void> {
    const seat = this.#seat;
    this.#seat = undefined;
    this.#heapBytes = undefined;
    await seat?.release();
  }

  /** A cell that is lost meanwhile may be another shadow's doing: it is loaded once more, alone, where there is no doubt. */
  async #load(): Promise<void> {
    try {
      await this.#loadIn(this.isAlone);
    } catch (error) {
      const isLost = error instanceof SandboxError && error.code === "SANDBOX_CELL_LOST";
      if (!isLost || this.isAlone || this.#isDropped) throw error;
      await this.#leave();
      await this.#loadIn(true);
    }
  }

  async #loadIn(isAlone: boolean): Promise<void> {
    const { agent, artifact, domain, profile, limits, pool, text, host } = this.#options;
    this.#assertKept();
    const spec = readSpec(this.branch);
    const seat = await pool.placeTrial({ agent, profile, domain, isAlone }, this, {
      agent,
      suspectName: this.name,
      artifact,
      limits,
      text: text ?? spec?.text ?? "",
      host,
      life: lifeOf(this.branch, spec?.contextBudget),
      state: stateEntries(this.branch),
      onAsk: ({ turn, ask, verb, text }) => this.#seat?.resident.answer(turn, ask, this.#effects.answer(verb, text)),
      onRead: (read) => this.#reads.put(read),
      onTaken: () => this.#reads.serve(),
    });
    this.#seat = seat;
    if (this.#isDropped) await this.#leave();
    this.#assertKept();
    this.#loaded = await seat.resident.loaded;
    this.#heapBytes = this.#loaded.heapBytes;
  }

  #assertKept(): void {
    if (this.#isDropped)
      throw new SandboxError("SANDBOX_DISPOSED", `the shadow of ${this.agent} was dropped while it loaded`);
  }

  /** One turn at a time: the next one begins when what this one wrote is in the fork. */
  #inTurn(effects: TurnEffects, turn: TrialTurn, callId?: string): Promise<ShadowTurn> {
    const run = this.#tail.then(() => {
      this.#effects = effects;
      return this.#seat === undefined ? goneTurn(this.agent) : this.#runTurn(this.#seat, turn, callId);
    });
    this.#tail = run.catch(() => undefined); // told to whoever gave the turn
    return run;
  }

  async #runTurn(seat: TrialSeat, turn: TrialTurn, callId: string | undefined): Promise<ShadowTurn> {
    const effects = this.#effects;
    const id = ++this.#turns;
    const outcome = await seat.resident.run({ id, ...turn });
    this.#reads.over(id);
    this.#heapBytes = "meter" in outcome ? outcome.meter.heapBytes : undefined;
    if (effects.failure !== undefined) throw effects.failure;
    if (outcome.kind === "done") {
      effects.sent(outcome.outbox);
      this.#commit(turn, outcome, callId);
    }
    const refusedEffects = effects.effects.filter(({ how }) => how === "refused").map(({ verb }) => verb);
    const loss = await this.#lossOf(seat, outcome);
    return { outcome, refusedEffects, effects: effects.effects, heapBytes: this.#heapBytes, loss };
  }

  #commit(turn: TrialTurn, outcome: Extract<Outcome, { readonly kind: "done" }>, callId: string | undefined): void {
    const ops = draftOps(outcome);
    if (turn.kind !== "migrate") ops.push(...contextOps(this.branch, outcome.outbox));
    if (callId !== undefined) {
      this.#callIds ??= new CallIds(this.branch);
      ops.push(...this.#callIds.record(callId, outcome.reply));
    }
    if (ops.length === 0) return;
    this.#options.vault.commit([{ type: "write", branch: this.branch.id, ops }], { durability: "memory" });
  }

  /** Whose doing it was that the cell is gone. Known when its process is. */
  async #lossOf(seat: TrialSeat, outcome: Outcome): Promise<ShadowLoss | undefined> {
    if (outcome.kind !== "lost" || outcome.code !== "SANDBOX_CELL_LOST") return undefined;
    const exit = await seat.resident.cell.exited;
    const isOwnDoing = guiltOf(exit, exit.suspects.includes(this.name)).isProven === true;
    return { exit, isOwnDoing, isAlone: seat.isAlone };
  }
}

/** What becomes of a turn for which there is no isolate any more. */
function goneTurn(agent: string): ShadowTurn {
  const message = `the shadow of ${agent} has no isolate: it was dropped, or did not load`;
  const outcome: Outcome = { kind: "lost", code: "SANDBOX_DISPOSED", wasRunning: false, message };
  return { outcome, refusedEffects: [], effects: [] };
}

/** A turn of the runtime's own: nothing was recorded, and nothing is simulated, because handlers alone may ask. */
function noEffects(): TurnEffects {
  return new TurnEffects({ recorded: [], simulate: undefined, bytesMax: 0 });
}
