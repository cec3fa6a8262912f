/**
 * Stands between an agent and its keeper, and climbs the ladder when lives do not load: the keeper hears of failures that
 * another restart may mend, or that nothing is left to try for.
 *
 *   agent --exited(did not load)--> nextRung --supervisor----> keeper (restart, back-off, park)
 *                                            `--a rung-------> vault: earlier code | earlier snapshot --> agent.launch
 *
 * Invariants
 * 1. While a rung is taken the agent is held, and nothing else may replace its life.
 * 2. A rung that leads nowhere counts as taken; the next one is tried at once.
 * 3. A rung is not charged: what is started after it is not what failed.
 */
import type { Branch, Clock, Vault } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Keeper, Kept } from "./keeper.ts";
import type { Escalation, TakenRung } from "./ladder.ts";
import { nextRung } from "./ladder.ts";
import type { Step } from "./rungs.ts";
import { Rungs } from "./rungs.ts";

/** The agent as the ladder sees it. */
export interface Climber extends Kept {
  readonly spec: Pick<AgentSpec, "intensity" | "quarantineMs" | "host" | "domain">;
  readonly branch: Branch;
  readonly current: CurrentCode | undefined;
  readonly traffic: { clear(): void };
}

/** What it needs. */
export interface LadderParts {
  /** Decides about all that the ladder does not. */
  readonly keeper: Keeper;
  readonly host: { readonly vault: Vault; readonly clock: Clock; readonly events: EventStream };
  /** The branch holds other code, or another state: the agent is that from here on. */
  readonly onMoved: () => void;
  /** A climb is over: whoever waited for the agent looks again. */
  readonly onEnd: () => void;
}

/** Rungs that are remembered: more than can be taken within any quarantine time. */
const TAKEN_MAX = 8;

/** A keeper that tries what restarts cannot mend before it lets its own keeper give up. */
export class LadderKeeper implements Keeper {
  readonly #agent: Climber;
  readonly #keeper: Keeper;
  readonly #host: LadderParts["host"];
  readonly #onMoved: () => void;
  readonly #onEnd: () => void;
  readonly #rungs: Rungs;
  /** Lives in a row that did not load. */
  #failures = 0;
  #isUp = false;
  #isClimbing = false;
  #taken: readonly TakenRung[] = [];
  /** The climb that is under way; who ends the agent calls it off. */
  #climbing: { isCalledOff: boolean } | undefined;

  constructor(agent: Climber, { keeper, host, onMoved, onEnd }: LadderParts) {
    this.#agent = agent;
    this.#keeper = keeper;
    this.#host = host;
    this.#onMoved = onMoved;
    this.#onEnd = onEnd;
    this.#rungs = new Rungs(host.vault, { branch: () => agent.branch, spec: () => agent.spec });
  }

  get isFree(): boolean {
    return this.#climbing === undefined && this.#keeper.isFree;
  }

  started(): void {
    this.#isUp = true;
    this.#failures = 0;
    this.#isClimbing = false;
    this.#keeper.started();
  }

  exited(reason: ExitReason): void {
    const hasLoaded = this.#isUp;
    this.#isUp = false;
    if (hasLoaded || !isLoadFailure(reason)) return this.#keeper.exited(reason);
    this.#failures += 1;
    const rung = this.#next();
    if (rung === "supervisor") return this.#keeper.exited(reason);
    this.#agent.hold();
    void this.#climb(rung, reason); // owns its outcome: it never rejects
  }

  /**
   * The first life in this runtime did not load, of code that is kept in the vault: takes the first rung that leads
   * somewhere, as whoever spawns it waits. True when the agent is something else now, and worth another try.
   */
  async rescue(reason: ExitReason): Promise<boolean> {
    if (!isLoadFailure(reason)) return false;
    this.#isClimbing = true;
    for (let rung = this.#next(); rung !== "supervisor"; rung = this.#next()) {
      if (await this.#stepped(rung, reason)) return true;
    }
    return false;
  }

  adopt(): boolean {
    return this.#keeper.adopt();
  }

  stop(reason: ExitReason): Promise<void> | "by_itself" {
    return this.#keeper.stop(reason);
  }

  retire(): void {
    if (this.#climbing !== undefined) this.#climbing.isCalledOff = true;
    this.#climbing = undefined;
    this.#keeper.retire();
  }

  revive(): Promise<void> | void {
    this.#taken = [];
    this.#failures = 0;
    this.#isClimbing = false;
    return this.#keeper.revive();
  }

  reconfigure(spec: AgentSpec): void {
    this.#keeper.reconfigure(spec);
  }

  #next(): Escalation | "supervisor" {
    const { intensity, quarantineMs } = this.#agent.spec;
    return nextRung({
      failed: "load",
      failures: this.#failures,
      isClimbing: this.#isClimbing,
      taken: this.#taken,
      atMs: this.#host.clock.monotonicMs(),
      intensity,
      quarantineMs,
      hasEarlierCode: this.#rungs.hasEarlierCode(this.#agent.current),
      hasEarlierSnapshot: this.#rungs.hasEarlierSnapshot(),
    });
  }

  /** Climbs, and goes on from where that leads. Never rejects for what the vault refuses. */
  async #climb(first: Escalation, reason: ExitReason): Promise<void> {
    this.#isClimbing = true;
    const climb = { isCalledOff: false };
    this.#climbing = climb;
    const isElsewhere = await this.#isLedElsewhere(first, reason, climb);
    if (climb.isCalledOff) return;
    this.#climbing = undefined;
    if (isElsewhere) this.#agent.launch("now");
    else this.#keeper.exited(reason);
    this.#onEnd();
  }

  /** Takes this rung, or the next one that leads somewhere. False: none does, or what it leads to cannot be read. */
  async #isLedElsewhere(
    first: Escalation,
    reason: ExitReason,
    climb: { readonly isCalledOff: boolean },
  ): Promise<boolean> {
    try {
      for (let rung: Escalation | "supervisor" = first; rung !== "supervisor"; rung = this.#next()) {
        if (await this.#stepped(rung, reason, climb)) return true;
        if (climb.isCalledOff) return false;
      }
    } catch (error) {
      if (!(error instanceof VaultError)) throw error; // a page was damaged since it was looked at, which the vault has told
    }
    return false;
  }

  /** Takes one rung, and tells. False when it leads nowhere: then nothing was changed. */
  async #stepped(rung: Escalation, reason: ExitReason, climb?: { readonly isCalledOff: boolean }): Promise<boolean> {
    this.#taken = [...this.#taken, { rung, atMs: this.#host.clock.monotonicMs() }].slice(-TAKEN_MAX);
    const step = await this.#take(rung);
    if (step === undefined || climb?.isCalledOff === true) return false;
    const { before, to, skipped } = step;
    this.#onMoved();
    if (to !== undefined) this.#agent.traffic.clear(); // recorded on states that are left
    const { id, current } = this.#agent;
    this.#host.events.emit({
      type: "agent.escalated",
      agent: id,
      rung,
      reason,
      hash: current?.hash ?? "",
      before,
      ...(to === undefined ? {} : { to }),
      ...(skipped.length === 0 ? {} : { skipped }),
    });
    return true;
  }

  async #take(rung: Escalation): Promise<Step | undefined> {
    const { current } = this.#agent;
    try {
      if (rung === "earlier_snapshot") return await this.#rungs.earlierSnapshot();
      return current === undefined ? undefined : await this.#rungs.earlierCode(current);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      return undefined; // the disk is full or gone, which the vault has told: a restart must do
    }
  }
}

/** A life that was never loaded: its code, or the state it was given, is at fault, or it cost its cell by loading. */
function isLoadFailure({ name }: ExitReason): boolean {
  return name === "load_failed" || name === "cell_lost_suspect";
}
