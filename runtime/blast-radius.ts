/**
 * The blast radius of failures: who was touched, for how long, and what was lost. Reads the events of the runtime and what
 * agents tell of their messages; decides nothing.
 *
 *   cell.exited (abnormal) ------> a failure of that cell -- its agents' ends join it
 *   agent.exited (abnormal) -----> a failure of that agent -- those that followed it because they were linked join it
 *                                  -- so do those that a supervisor takes down with it: a group that restarts, a subtree
 *   agent.rehomed (storage) -----> a failure of the storage -- all agents whose commits failed join it
 *        ... agent.started | parked | stopped | dropped --> when all touched agents are back or down: one report
 *
 * Invariants
 * 1. An end of a life belongs to exactly one failure; one that comes while its agent is still without a life belongs to the
 *    failure that took the life before.
 * 2. A failure is reported once. Beyond `OPEN_MAX` open ones the oldest is reported as it stands.
 * 3. It is told what time it is; times are monotonic milliseconds.
 */
import type { PlanariaEvent } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import { isAbnormal } from "./exit-reason.ts";
import type { FailureReport, MessageTally, TouchedAgent } from "./failure-report.ts";

/** Failures whose agents are not all back yet. */
const OPEN_MAX = 1_000;

/** What it is told beside events. */
export interface BlastRadiusHost {
  /** The newest commit of an agent that is safe, and the newest there is; undefined where it has no branch any more. */
  readonly seqs: (agent: string) => { readonly safe: number; readonly head: number } | undefined;
  readonly report: (report: FailureReport) => void;
}

interface Touched {
  /** Of the end that is not over yet, or of the last one. */
  sinceMs: number;
  safeSeq: number;
  /** Of the ends that are over. */
  downMs: number;
  readonly hash: string;
  readonly reason: string;
  readonly methods: Set<string>;
  readonly rungs: { readonly rung: string; readonly before?: string }[];
  exits: number;
  end: TouchedAgent["end"];
}

interface Failure {
  readonly id: number;
  readonly kind: FailureReport["kind"];
  readonly cause: string;
  readonly message: string;
  readonly sinceMs: number;
  endMs: number;
  readonly suspects: Set<string>;
  readonly agents: Map<string, Touched>;
  tally: MessageTally;
  acknowledged: number;
}

const NOTHING: MessageTally = { failed: 0, setAside: 0, returned: 0 };

/** Follows failures from their cause to the last agent that is back. */
export class BlastRadius {
  readonly #host: BlastRadiusHost;
  readonly #open = new Set<Failure>();
  /** The failure an agent is without a life for. */
  readonly #of = new Map<string, Failure>();
  /** Where each life is; lives that have not been loaded are not known yet. */
  readonly #homes = new Map<string, string>();
  readonly #cells = new Map<string, Failure>();
  /** Supervisors that take their children down over a failure, by path. */
  readonly #groups = new Map<string, Failure>();
  /** What was told of an agent's messages before the end of its life was. */
  readonly #early = new Map<string, MessageTally>();
  #count = 0;

  constructor(host: BlastRadiusHost) {
    this.#host = host;
  }

  /** What became of messages as a life ended; told before the event that it did. */
  ended(agent: string, more: Partial<MessageTally>): void {
    const failure = this.#of.get(agent);
    if (failure === undefined) this.#early.set(agent, sum(this.#early.get(agent) ?? NOTHING, more));
    else failure.tally = sum(failure.tally, more);
  }

  /** What became of messages that waited when an agent was given up. */
  leftOver(agent: string, more: Partial<MessageTally>): void {
    const failure = this.#of.get(agent);
    if (failure !== undefined) failure.tally = sum(failure.tally, more);
  }

  /** Takes an event, in the order of the stream. */
  take(event: PlanariaEvent, atMs: number): void {
    switch (event.type) {
      case "cell.exited":
        return this.#cellExited(event, atMs);
      case "agent.exited":
      case "agent.rehomed":
        return this.#exited(event, atMs);
      case "agent.escalated":
        this.#of
          .get(event.agent)
          ?.agents.get(event.agent)
          ?.rungs.push({
            rung: event.rung,
            ...(event.before === undefined ? {} : { before: event.before }),
          });
        return;
      case "supervisor.restart_begun":
        return event.strategy === "one_for_one" ? undefined : this.#spread(event);
      case "supervisor.breached":
        return this.#spread(event);
      case "agent.started":
        this.#homes.set(event.agent, event.cell);
        this.#early.delete(event.agent); // of a life that ended without an exit: a hand-over
        return this.#settled(event.agent, "back", atMs);
      case "agent.parked":
        return this.#settled(event.agent, "parked", atMs);
      case "agent.stopped":
        return this.#settled(event.agent, "stopped", atMs);
      case "agent.dropped":
        this.#homes.delete(event.agent);
        this.#early.delete(event.agent);
        return this.#settled(event.agent, "dropped", atMs);
      default:
        return; // nothing that a failure does to anybody
    }
  }

  /** True while a failure was not reported. */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Reports what is over: every touched agent is back or down. Called when all that belongs to an event has been told. */
  flush(): void {
    for (const failure of this.#open) {
      if ([...failure.agents.values()].every(({ end }) => end !== "pending")) this.#report(failure);
    }
  }

  #cellExited(event: Extract<PlanariaEvent, { readonly type: "cell.exited" }>, atMs: number): void {
    const { reason, detail, suspects } = event.exit;
    if (reason === "stopped" || reason === "killed") return; // by its owner, for want of use
    const failure = this.#begin({ kind: "cell", cause: reason, message: detail, sinceMs: atMs, suspects });
    this.#cells.set(event.cell, failure);
  }

  #exited(event: Extract<PlanariaEvent, { readonly type: "agent.exited" | "agent.rehomed" }>, atMs: number): void {
    const { agent, reason, hash } = event;
    const group = this.#of.has(agent) ? undefined : this.#groupOf(agent, reason);
    if (!isAbnormal(reason) && group === undefined) return void this.#early.delete(agent);
    const failure = group ?? this.#failureOf(agent, reason, atMs);
    this.#homes.delete(agent);
    this.#of.set(agent, failure);
    const safeSeq = this.#host.seqs(agent)?.safe ?? 0;
    const touched = failure.agents.get(agent) ?? newTouched({ hash, reason: reason.name });
    failure.agents.set(agent, touched);
    if (touched.end !== "pending" || touched.exits === 0) {
      touched.sinceMs = atMs;
      touched.safeSeq = safeSeq;
      touched.end = "pending";
    }
    touched.exits += 1;
    if ("message" in event) touched.methods.add(event.message);
    failure.tally = sum(failure.tally, this.#early.get(agent) ?? NOTHING);
    this.#early.delete(agent);
  }

  #failureOf(agent: string, reason: ExitReason, atMs: number): Failure {
    const own = this.#of.get(agent);
    if (own !== undefined) return own;
    const { name, message, from } = reason;
    const cause = { cause: reason.code ?? name, message, sinceMs: atMs };
    if (name === "cell_lost" || name === "cell_lost_suspect")
      return this.#cellOf(agent) ?? this.#begin({ ...cause, kind: "cell" });
    const leader = from === undefined ? undefined : this.#of.get(from);
    if (leader !== undefined) return leader;
    if (name !== "storage") return this.#begin({ ...cause, kind: "agent", suspects: name === "killed" ? [] : [agent] });
    const open = [...this.#open].find(({ kind }) => kind === "storage");
    return open ?? this.#begin({ ...cause, kind: "storage" });
  }

  /** A supervisor takes its children down because of one of them. */
  #spread({ supervisor, child }: { readonly supervisor: string; readonly child: string }): void {
    const failure = this.#of.get(child) ?? this.#groups.get(child);
    if (failure !== undefined) this.#groups.set(supervisor, failure);
  }

  /** The failure for which one of the supervisors above an agent has taken it down. */
  #groupOf(agent: string, { name }: ExitReason): Failure | undefined {
    if (name !== "shutdown" && name !== "killed") return undefined; // it fell by itself
    for (let end = agent.lastIndexOf("/"); end > 0; end = agent.lastIndexOf("/", end - 1)) {
      const failure = this.#groups.get(agent.slice(0, end));
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** The lost cell it lived in; of a life that was not loaded yet, the one that was lost last. */
  #cellOf(agent: string): Failure | undefined {
    const home = this.#homes.get(agent);
    return home === undefined ? [...this.#cells.values()].at(-1) : this.#cells.get(home);
  }

  #settled(agent: string, end: TouchedAgent["end"], atMs: number): void {
    const failure = this.#of.get(agent);
    const touched = failure?.agents.get(agent);
    if (failure === undefined || touched === undefined) return;
    if (touched.end !== "pending") return;
    if (end === "back") this.#of.delete(agent); // who is given up still has messages that wait
    touched.end = end;
    touched.downMs += atMs - touched.sinceMs;
    failure.endMs = atMs;
    const head = this.#host.seqs(agent)?.head;
    if (head !== undefined && head < touched.safeSeq) failure.acknowledged += 1;
  }

  #begin(
    given: Pick<Failure, "kind" | "cause" | "message" | "sinceMs"> & { readonly suspects?: readonly string[] },
  ): Failure {
    const suspects = new Set(given.suspects);
    const failure: Failure = {
      ...given,
      endMs: given.sinceMs,
      id: ++this.#count,
      suspects,
      agents: new Map(),
      tally: NOTHING,
      acknowledged: 0,
    };
    this.#open.add(failure);
    const [oldest] = this.#open;
    if (this.#open.size > OPEN_MAX && oldest !== undefined) this.#report(oldest);
    return failure;
  }

  #report(failure: Failure): void {
    this.#open.delete(failure);
    for (const [cell, its] of this.#cells) if (its === failure) this.#cells.delete(cell);
    for (const [path, its] of this.#groups) if (its === failure) this.#groups.delete(path);
    for (const [agent, its] of this.#of) if (its === failure) this.#of.delete(agent);
    const { id, kind, cause, message, suspects, sinceMs, endMs, tally, acknowledged } = failure;
    const agents = [...failure.agents].map(([agent, touched]) => reportOf(agent, touched));
    const lost = { ...tally, acknowledged };
    const durationMs = endMs - sinceMs;
    this.#host.report({ id, kind, cause, message, suspects: [...suspects], agents, durationMs, lost });
  }
}

function newTouched(given: Pick<Touched, "hash" | "reason">): Touched {
  return { ...given, sinceMs: 0, safeSeq: 0, downMs: 0, methods: new Set(), rungs: [], exits: 0, end: "pending" };
}

function reportOf(agent: string, touched: Touched): TouchedAgent {
  const { reason, downMs, end, exits, hash, methods, rungs } = touched;
  return { agent, reason, downMs, end, exits, hash, methods: [...methods], rungs };
}

function sum(a: MessageTally, b: Partial<MessageTally>): MessageTally {
  return {
    failed: a.failed + (b.failed ?? 0),
    setAside: a.setAside + (b.setAside ?? 0),
    returned: a.returned + (b.returned ?? 0),
  };
}
