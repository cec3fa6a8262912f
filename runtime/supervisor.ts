/**
 * A supervisor: the shell around one state of the core (`supervision/`). It hands in what happens, carries out what the
 * core wants, and keeps the children, which are agents or supervisors.
 *
 *   children, timers, requests --> #send --> step --> effects --> children, timers, replies, events
 *
 *   down --start--> starting --ready--> up --(told, breach, auto-shutdown)--> down (held until the one above decides)
 *                                        `--kill--> killed: every child is killed, then down
 *
 * Invariants
 * 1. Events are handed to the core one at a time, in order of arrival; effects are carried out in order.
 * 2. A child that has ended is held, with its messages, while the core may start it again; it is settled (its messages fail)
 *    as soon as the core stands still and does not mean to.
 * 3. Each start of this supervisor is reported once as started or failed, and what was started once as exited; by then none
 *    of its children runs.
 */
import type { Clock, Timer } from "../vault/index.ts";
import { backOffMs } from "./back-off.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Random } from "./random.ts";
import type { AgentRegistry } from "./registry.ts";
import type { Answer } from "./supervise-refusals.ts";
import { accepted } from "./supervise-refusals.ts";
import { reportEvent, tellsEnd } from "./supervise-reports.ts";
import type { ChildPlan, SupervisorPlan } from "./supervise-spec.ts";
import { SupervisedAgent } from "./supervised-agent.ts";
import type { StartReport, SupervisedChild } from "./supervised-child.ts";
import type { ChildName, ChildSpec, Effect, Event, Reason, Ref, Reply, Request } from "./supervision/contract.ts";
import { isOrderly } from "./supervision/contract.ts";
import { getIn } from "./supervision/int-map.ts";
import { childOf, childrenOf } from "./supervision/roster.ts";
import type { State } from "./supervision/state.ts";
import { isDynamic, newSupervisor } from "./supervision/state.ts";
import { step } from "./supervision/step.ts";
import type { SupervisorNode, TreeNode } from "./tree.ts";
import { isSupervisor } from "./tree.ts";

/** What supervisors need of their runtime. */
export interface SupervisorHost {
  readonly clock: Clock;
  readonly events: EventStream;
  readonly random: Random;
  readonly agents: AgentRegistry;
}

/** A child with what its supervisor keeps about it. */
interface Kept {
  readonly id: string;
  readonly child: SupervisedAgent | Supervisor;
  /** Refs by which the core may still name it, newest last. */
  refs: readonly Ref[];
  /** Why it ended last. */
  reason: ExitReason;
}

const NOT_STARTED: ExitReason = { name: "shutdown", message: "it was not started" };
const KILLED: ExitReason = { name: "killed", message: "killed by its supervisor" };

/** Supervises agents and supervisors. */
export class Supervisor implements SupervisedChild<SupervisorPlan> {
  readonly path: string;
  readonly #host: SupervisorHost;
  /** What the one above said last. */
  #given: SupervisorPlan;
  /** What it goes by: the same, or what an upgrade said since. */
  #plan: SupervisorPlan;
  #phase: "down" | "starting" | "up" | "killed" = "down";
  #core: State | undefined;
  #report: StartReport | undefined;
  readonly #kept = new Map<string, Kept>();
  readonly #byRef = new Map<Ref, Kept>();
  readonly #running = new Set<Kept>();
  readonly #held = new Set<Kept>();
  readonly #timers = new Map<number, Timer>();
  readonly #retries = new Map<Kept, Timer>();
  readonly #asked = new Map<number, (answer: Answer) => void>();
  readonly #inbox: Event[] = [];
  #isStepping = false;
  #fromNext = 1;
  #startedMs = 0;
  #hasBeenUp = false;
  /** The one above has told it to end. */
  #isTold = false;
  /** Why it is about to end, where it knows. */
  #end: ExitReason | undefined;
  /** Behind the newest start that failed. */
  #error: unknown;

  constructor(plan: SupervisorPlan, host: SupervisorHost) {
    this.path = plan.path;
    this.#host = host;
    this.#given = plan;
    this.#plan = plan;
  }

  get phase(): "down" | "starting" | "up" | "killed" {
    return this.#phase;
  }

  /** Its definition as it stands. */
  get plan(): SupervisorPlan {
    return this.#plan;
  }

  /** The child of this id, also one that is stopped. */
  child(id: string): SupervisedAgent | Supervisor | undefined {
    return this.#kept.get(id)?.child;
  }

  /** What the core calls the child of this id; undefined for one that a dynamic supervisor does not have. */
  nameOf(id: string): ChildName | undefined {
    const core = this.#core;
    if (core === undefined || !isDynamic(core)) return { id };
    const ref = this.#kept.get(id)?.refs.findLast((known) => getIn(core.dynamics, known) !== undefined);
    return ref === undefined ? undefined : { ref };
  }

  // ------------------------------------------------------------------ for the one above

  start(plan: SupervisorPlan, report: StartReport): void {
    if (plan !== this.#given) this.#plan = plan; // what an upgrade said holds until the one above says something new
    this.#given = plan;
    this.#report = report;
    this.#phase = "starting";
    this.#hasBeenUp = false;
    this.#isTold = false;
    this.#end = undefined;
    this.#startedMs = this.#host.clock.monotonicMs();
    this.#core = newSupervisor(this.#plan.definition);
    this.#send({ type: "init" });
  }

  signal(reason: "shutdown" | "kill"): void {
    if (reason === "shutdown") {
      this.#isTold = true;
      this.#send({ type: "told", reason });
      return this.#hurry();
    }
    if (this.#core === undefined) return;
    this.#phase = "killed";
    this.#forgetCore();
    if (this.#running.size === 0) return this.#over(KILLED);
    for (const { child } of [...this.#running].toReversed()) child.signal("kill");
  }

  /**
   * It is to end, and the core, as OTP's, first awaits the child it is starting, and starts what it has still to start. Such a
   * one may be re-homed for ever, so it hears at once that it is not wanted: it ends when it is up, or between two tries.
   */
  #hurry(): void {
    const operation = this.#core?.operation;
    if (operation?.type === "starting") this.#byRef.get(operation.ref)?.child.signal("shutdown");
  }

  hold(): void {
    // Its children are held by themselves; nobody watches a supervisor from outside.
  }

  settle(reason: ExitReason): number {
    let agents = 0;
    for (const { child } of [...this.#kept.values()].toReversed()) {
      agents += child.settle(reason, { isForgotten: false });
    }
    for (const table of [this.#kept, this.#byRef, this.#held]) table.clear();
    return agents;
  }

  describe(): SupervisorNode {
    const { strategy } = this.#plan.definition.flags;
    const children = [...this.#kept.values()].map((kept) => this.#describeChild(kept));
    const status = this.#phase === "killed" ? "down" : this.#phase;
    return { type: "supervisor", id: this.path, strategy, status, children };
  }

  /** A supervisor that ended and is about to be started again does not know that by itself. */
  #describeChild(kept: Kept): TreeNode {
    const node = kept.child.describe();
    return isSupervisor(node) && node.status === "down" && this.#held.has(kept)
      ? { ...node, status: "restarting" }
      : node;
  }

  // ------------------------------------------------------------------ for whoever asks

  /** Asks the core. Resolves with its answer; `noproc` where this supervisor is down, or ends before it answers. */
  ask(request: Request): Promise<Answer> {
    if (this.#core === undefined) return Promise.resolve({ reply: { type: "refused", error: "noproc" } });
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const from = this.#fromNext++;
    this.#asked.set(from, resolve);
    this.#send({ type: "called", from, request, atMs: this.#host.clock.monotonicMs() });
    return promise;
  }

  /** Goes by another definition from here on. Starts nothing, stops nothing. */
  async upgrade(plan: SupervisorPlan): Promise<Answer> {
    const answer = await this.ask({ type: "upgrade", definition: plan.definition });
    if (answer.reply.type !== "ok") return answer;
    this.#plan = plan;
    this.#host.events.emit({ type: "supervisor.upgraded", supervisor: this.path });
    return answer;
  }

  /** Lets go of a child that was deleted. False: a child of this id runs, or is being started. */
  forget(id: string): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return true;
    if (this.#running.has(kept)) return false;
    this.#settle(kept, true);
    return true;
  }

  // ------------------------------------------------------------------ the core

  #send(event: Event): void {
    this.#inbox.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
      if (this.#core === undefined) continue; // nobody is left to hear it
      const { state, effects } = step(this.#core, next);
      this.#core = state;
      for (const effect of effects) this.#carryOut(effect);
    }
    this.#isStepping = false;
    this.#settleHeld();
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "start":
        return this.#startChild(effect.ref, effect.spec);
      case "signal":
        return this.#byRef.get(effect.ref)?.child.signal(effect.reason);
      case "set_timer":
        return this.#setTimer(effect.id, effect.ms);
      case "cancel_timer":
        this.#timers.get(effect.id)?.cancel();
        this.#timers.delete(effect.id);
        return;
      case "reply":
        return this.#answer(Number(effect.from), effect.reply);
      case "try_again":
        return this.#tryAgain(effect.key, effect.attempt);
      case "report":
        return this.#hear(effect);
      case "ready":
        return this.#ready();
      case "exit":
        this.#forgetCore();
        return this.#over(this.#endOf(effect.reason));
    }
  }

  #setTimer(id: number, ms: number): void {
    const { clock } = this.#host;
    const fire = (): void => {
      this.#timers.delete(id);
      this.#send({ type: "timer", id, atMs: clock.monotonicMs() });
    };
    this.#timers.set(id, clock.after(ms, fire));
  }

  #tryAgain(key: ChildName, attempt: number): void {
    const { clock, random } = this.#host;
    const kept = "id" in key ? this.#kept.get(key.id) : this.#byRef.get(key.ref);
    if (kept === undefined) return;
    kept.child.hold();
    this.#retries.get(kept)?.cancel();
    const again = (): void => this.#send({ type: "try_again", key, atMs: clock.monotonicMs() });
    this.#retries.set(kept, clock.after(backOffMs(attempt, random), again));
  }

  #hear({ report }: Extract<Effect, { readonly type: "report" }>): void {
    const { flags } = this.#plan.definition;
    const kept = this.#kept.get(report.spec.id);
    const reason = kept?.reason ?? NOT_STARTED;
    if (report.type === "child_exited" && report.outcome === "restart") kept?.child.hold();
    this.#end = tellsEnd(report, this.path, reason) ?? this.#end;
    const event = reportEvent(report, { supervisor: this.path, flags, reason });
    if (event !== undefined) this.#host.events.emit(event);
  }

  #answer(from: number, reply: Reply): void {
    const isFailedStart = reply.type === "refused" && reply.error === "start_failed";
    this.#asked.get(from)?.(isFailedStart ? { reply, error: this.#error } : { reply });
    this.#asked.delete(from);
  }

  #ready(): void {
    const { clock, events } = this.#host;
    const { flags, children } = this.#plan.definition;
    this.#phase = "up";
    this.#hasBeenUp = true;
    // Who was added to an earlier life of this supervisor is not known to this one.
    for (const kept of this.#kept.values()) if (!this.#running.has(kept)) this.#held.add(kept);
    events.emit({
      type: "supervisor.started",
      supervisor: this.path,
      strategy: flags.strategy,
      children: children.length,
      durationMs: clock.monotonicMs() - this.#startedMs,
    });
    this.#report?.started();
  }

  #endOf(reason: Reason): ExitReason {
    if (this.#end !== undefined) return this.#end;
    return { name: isOrderly(reason) ? "shutdown" : "fault", message: `${this.path} was told to stop (${reason})` };
  }

  /** It has ended: none of its children runs, and the one above decides. */
  #over(reason: ExitReason): void {
    this.#phase = "down";
    if (!this.#hasBeenUp) return this.#report?.failed(reason, this.#error);
    this.#host.events.emit({ type: "supervisor.exited", supervisor: this.path, reason });
    this.#report?.exited(reason);
  }

  #forgetCore(): void {
    this.#core = undefined;
    for (const timer of [...this.#timers.values(), ...this.#retries.values()]) timer.cancel();
    this.#timers.clear();
    this.#retries.clear();
    for (const from of this.#asked.keys()) this.#answer(from, { type: "refused", error: "noproc" });
  }

  // ------------------------------------------------------------------ children

  #startChild(ref: Ref, spec: ChildSpec): void {
    const plan = spec.start as ChildPlan; // put there by supervise-spec.ts
    const kept = this.#keptFor(spec.id, plan);
    kept.refs = [...kept.refs, ref];
    this.#byRef.set(ref, kept);
    this.#running.add(kept);
    this.#held.delete(kept);
    const { clock } = this.#host;
    const report: StartReport = {
      started: () => {
        this.#dropRefs(kept, (known) => known !== ref);
        if (this.#phase !== "killed") this.#send({ type: "started", ref, atMs: clock.monotonicMs() });
      },
      failed: (reason, error) => {
        this.#error = error;
        this.#dropRefs(kept, (known) => known === ref);
        this.#ended(kept, reason, { type: "start_failed", ref, reason: reason.name, atMs: clock.monotonicMs() });
      },
      exited: (reason) =>
        this.#ended(kept, reason, { type: "exited", ref, reason: reason.name, atMs: clock.monotonicMs() }),
    };
    const { child } = kept;
    if (plan.type === "agent" && child instanceof SupervisedAgent) child.start(plan, report);
    else if (plan.type === "supervisor" && child instanceof Supervisor) child.start(plan, report);
    if (this.#isTold) this.#hurry();
  }

  /** What is kept of the child of this id; anew where an upgrade made an agent of a supervisor, or the other way round. */
  #keptFor(id: string, plan: ChildPlan): Kept {
    const before = this.#kept.get(id);
    const isSame = before !== undefined && before.child instanceof SupervisedAgent === (plan.type === "agent");
    if (isSame) return before;
    if (before !== undefined) this.#settle(before, true);
    const child = plan.type === "agent" ? this.#newAgent(id, plan.path) : new Supervisor(plan, this.#host);
    const kept: Kept = { id, child, refs: [], reason: NOT_STARTED };
    this.#kept.set(id, kept);
    return kept;
  }

  #newAgent(id: string, path: string): SupervisedAgent {
    const terminate = async (): Promise<void> => {
      // A dynamic child has no name before it is up: this is answered behind its start.
      if (this.nameOf(id) === undefined) await this.ask({ type: "count_children" });
      const child = this.nameOf(id);
      if (child !== undefined) await this.ask({ type: "terminate_child", child });
    };
    const restart = async (): Promise<void> => {
      accepted(this.path, id, await this.ask({ type: "restart_child", id }));
    };
    return new SupervisedAgent(path, { agents: this.#host.agents, owner: { terminate, restart } });
  }

  #dropRefs(kept: Kept, isOld: (ref: Ref) => boolean): void {
    for (const ref of kept.refs.filter(isOld)) this.#byRef.delete(ref);
    kept.refs = kept.refs.filter((ref) => !isOld(ref));
  }

  #ended(kept: Kept, reason: ExitReason, event: Event): void {
    kept.reason = reason;
    this.#running.delete(kept);
    this.#held.add(kept);
    if (this.#phase !== "killed") return this.#send(event);
    if (this.#running.size === 0) this.#over(KILLED);
  }

  /** Whoever has ended and is not about to be started again stays down: now it is known. */
  #settleHeld(): void {
    const core = this.#core;
    if (this.#held.size === 0 || core === undefined || core.phase !== "up" || core.operation !== undefined) return;
    if (isGroupRestarting(core)) return; // whoever is stopped is started with it
    for (const kept of this.#held) {
      const status = statusOf(core, kept);
      if (status === undefined || status === "stopped") this.#settle(kept, status === undefined);
    }
  }

  #settle(kept: Kept, isForgotten: boolean): void {
    const { child, id, reason } = kept;
    const hasJustEnded = this.#held.delete(kept);
    this.#retries.get(kept)?.cancel();
    this.#retries.delete(kept);
    if (isForgotten) {
      this.#dropRefs(kept, () => true);
      if (this.#kept.get(id) === kept) this.#kept.delete(id);
    }
    const agents = child.settle(reason, { isForgotten });
    if (child instanceof Supervisor && hasJustEnded)
      this.#host.events.emit({ type: "subtree.ended", supervisor: child.path, reason, agents });
  }
}

/** A group whose restart has failed is tried again as a whole, later. */
function isGroupRestarting({ flags, children }: State): boolean {
  if (flags.strategy !== "one_for_all" && flags.strategy !== "rest_for_one") return false;
  return childrenOf(children).some(({ status }) => status.type === "restarting");
}

function statusOf(core: State, { id, refs }: Kept): "up" | "stopped" | "restarting" | undefined {
  if (!isDynamic(core)) return childOf(core.children, id)?.status.type;
  const child = refs.map((ref) => getIn(core.dynamics, ref)).find((known) => known !== undefined);
  if (child === undefined) return undefined;
  return child.isRestarting ? "restarting" : "up";
}
