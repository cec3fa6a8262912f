/**
 * What an agent remembers from one life to the next about how its lives end: how long it has had none, how many followed
 * another, how often in a row its home failed it, and how often its cell died under it.
 */
import type { AgentHost } from "./agent-host.ts";
import type { AgentSpec } from "./agent-record.ts";
import { backOffMs } from "./back-off.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Suspicion } from "./suspicion.ts";
import { isOverrun, isToLiveAlone, suspect } from "./suspicion.ts";

/** Overruns count for as long: in a crowd each of them may take seconds, so that no restart period would see two. */
const OVERRUN_MS = 60_000;

/** The lives of one agent. */
export class Lives {
  readonly #agent: string;
  readonly #host: Pick<AgentHost, "clock" | "events" | "random">;
  #restarts = 0;
  #sinceMs: number | undefined;
  #cause = "";
  /** A life has ended, and what follows it was not begun. */
  #isBetween = false;
  #rehomings = 0;
  #suspicion: Suspicion = [];
  #overruns: Suspicion = [];

  constructor(agent: string, host: Pick<AgentHost, "clock" | "events" | "random">) {
    this.#agent = agent;
    this.#host = host;
  }

  /** Lives begun after another one had ended, for whatever reason. */
  get restarts(): number {
    return this.#restarts;
  }

  /** A life or a start ended. The first one counts for the time, the newest for the cause. */
  ended(reason: ExitReason, { periodMs }: Pick<AgentSpec, "periodMs">): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    this.#cause = reason.name;
    this.#isBetween = true;
    if (isOverrun(reason)) this.#overruns = suspect(this.#overruns, { nowMs, periodMs: OVERRUN_MS, isProven: false });
    if (reason.name !== "cell_lost_suspect") return;
    this.#suspicion = suspect(this.#suspicion, { nowMs, periodMs, isProven: reason.isProven === true });
  }

  /** How long to wait before it is re-homed, in ms: the first time not at all, then ever longer while no life comes up. */
  rehomingMs(): number {
    return backOffMs(this.#rehomings++, this.#host.random);
  }

  /** The next life is to begin. */
  next(): void {
    if (this.#isBetween) this.#restarts += 1;
    this.#isBetween = false;
  }

  /** A life is up: tells how long there was none, if there was one before. */
  up(): void {
    const sinceMs = this.#sinceMs;
    this.#rehomings = 0;
    if (sinceMs === undefined) return;
    this.#sinceMs = undefined;
    const downMs = this.#host.clock.monotonicMs() - sinceMs;
    const { restarts } = this;
    this.#host.events.emit({ type: "agent.restarted", agent: this.#agent, cause: this.#cause, restarts, downMs });
  }

  /** The agent is meant to be down. */
  down(): void {
    this.#sinceMs = undefined;
    this.#isBetween = false;
  }

  /** Whether the next life is to run behind those of others: two of its turns within a minute overran their time. */
  get isToBeHeldBack(): boolean {
    return isToLiveAlone(this.#overruns, this.#host.clock.monotonicMs(), OVERRUN_MS);
  }

  /** Whether the next life belongs into a cell of its own. */
  isToBeAlone({ periodMs }: Pick<AgentSpec, "periodMs">): boolean {
    return isToLiveAlone(this.#suspicion, this.#host.clock.monotonicMs(), periodMs);
  }
}
