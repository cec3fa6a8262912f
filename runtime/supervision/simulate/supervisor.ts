/**
 * A supervisor as a process of the simulated world: the shell that runs the core there. What reaches the process becomes
 * the core's events, all that is in the inbox at once; the core's effects become starts, signals, timers and answers.
 *
 *   inbox --> events --> step --> effects --> world (signals, timers), nursery (starts), answers
 */
import type { Effect, Event, Reason, Ref, Reply } from "../contract.ts";
import { newSupervisor } from "../state.ts";
import type { State } from "../state.ts";
import { step } from "../step.ts";
import type { Script } from "./case.ts";
import { definitionOf, startErrorText } from "./definition.ts";
import type { Place } from "./worker.ts";
import { newWorker } from "./worker.ts";
import type { Message, Process, World } from "./world.ts";

/** What all supervisors of one case share. */
export interface Nursery {
  readonly world: World;
  /** Definitions that an upgrade gave to a path; they outlive the process. */
  readonly upgrades: Map<string, Script>;
  /** Definitions that calls ask for, by the number of the call. */
  readonly asked: Map<number, Script>;
  /** Answers of calls, by the number of the call. */
  readonly answers: Map<number, Reply>;
}

/** What a dynamic child is started with, beside its template. */
export interface Asked {
  readonly number: number;
  readonly script: Script;
}

/** What became of a start attempt that is over, or the supervisor whose start is not over yet. */
export type Start = "ignored" | "failed" | Process;

/**
 * One start attempt of a path, with the outcome that its script has for it. A worker is up when this returns; a
 * supervisor tells its parent when it is.
 */
export function startScript(nursery: Nursery, place: Omit<Place, "n">, script: Script): Start {
  const { world } = nursery;
  const n = world.attempt(place.path);
  const outcome = outcomeOf(script.start, n);
  if (outcome === "ignore") world.note(["start_ignored", place.path, n]);
  if (outcome === "ignore") return "ignored";
  if (outcome !== "ok") world.note(["start_failed", place.path, n]);
  if (outcome !== "ok") return "failed";
  const isSupervisor = script.type === "supervisor";
  const process = isSupervisor
    ? new SupervisorProcess(nursery, { ...place, n }, script)
    : newWorker(world, { ...place, n }, script);
  world.add(process);
  if (process instanceof SupervisorProcess) process.init();
  return process;
}

function outcomeOf(outcomes: unknown, n: number): unknown {
  if (!Array.isArray(outcomes)) return outcomes ?? "ok";
  return outcomes[Math.min(n, outcomes.length) - 1] ?? "ok";
}

/** One supervisor. */
export class SupervisorProcess implements Process {
  readonly pid: number;
  readonly path: string;
  readonly n: number;
  readonly parent: number;
  readonly isSupervisor = true;
  readonly links: Set<number> = new Set();
  traps = true;
  isUp = false;
  isAlive = true;
  isSuspended = false;
  isQueued = false;
  inbox: Message[] = [];
  /** Why its start failed, in OTP's words. */
  failure = "error:start_failed";
  readonly #nursery: Nursery;
  readonly #script: Script;
  readonly #refs = new Map<number, Ref>();
  readonly #pids = new Map<Ref, number>();
  readonly #paths = new Map<Ref, string>();
  #state: State | undefined;
  #startErrorId = "";

  constructor(nursery: Nursery, { pid, path, n, parent }: Place, script: Script) {
    this.pid = pid;
    this.path = path;
    this.n = n;
    this.parent = parent;
    this.#nursery = nursery;
    this.#script = nursery.upgrades.get(path) ?? script;
  }

  /** What the core knows; undefined while its definition was not accepted. */
  get state(): State | undefined {
    return this.#state;
  }

  /** The process of a child. */
  processOf(ref: Ref): Process | undefined {
    return this.#nursery.world.get(this.#pids.get(ref) ?? -1);
  }

  /** The ref of a process that is or was a child of this very process; 0 for all others, which the core takes for dead. */
  refOf(pid: number): Ref {
    return this.#refs.get(pid) ?? 0;
  }

  /** The path under which the process of that ref was started. */
  pathOf(ref: Ref): string | undefined {
    return this.#paths.get(ref);
  }

  /** Starts its children, unless its definition is refused. */
  init(): void {
    const definition = definitionOf(this.#script);
    if (definition.type === "bad") {
      this.failure = startErrorText(definition);
      return this.#end(definition.part);
    }
    this.#state = newSupervisor(definition.value);
    this.#step([{ type: "init" }]);
  }

  run(messages: readonly Message[]): void {
    const events = messages.map((message) => this.#eventOf(message)).filter((event) => event !== undefined);
    if (events.length > 0) this.#step(events);
  }

  #eventOf(message: Message): Event | undefined {
    // Only the shell itself sends those.
    if (message.type === "own") return message.event as Event;
    if (message.type === "crash" || message.from === this.parent) return { type: "told", reason: message.reason };
    const ref = this.#refs.get(message.from);
    if (ref === undefined) return undefined;
    return { type: "exited", ref, reason: message.reason, atMs: this.#nursery.world.windowMs };
  }

  #step(events: readonly Event[]): void {
    if (this.#state === undefined) return;
    const { state, effects } = step(this.#state, events);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    const { world, answers } = this.#nursery;
    switch (effect.type) {
      case "start":
        return this.#start(effect);
      case "signal":
        return this.#signal(effect.ref, effect.reason);
      case "set_timer":
        return world.setTimer(this, {
          id: effect.id,
          ms: effect.ms,
          fire: () => this.tell({ type: "timer", id: effect.id }),
        });
      case "cancel_timer":
        return world.cancelTimer(this, effect.id);
      case "reply":
        if (effect.reply.type === "ok") this.#keepUpgrade(Number(effect.from));
        return void answers.set(Number(effect.from), effect.reply);
      case "try_again":
        return this.tell({ type: "try_again", key: effect.key, atMs: world.windowMs });
      case "report":
        if (effect.report.type === "start_error") this.#startErrorId = effect.report.spec.id;
        return;
      case "ready":
        this.isUp = true;
        return this.#tellParent("started");
      case "exit":
        this.failure = `error:shutdown:failed_to_start_child:${this.#startErrorId}`;
        return this.#end(effect.reason);
    }
  }

  /** A definition that was taken over is what a later process of this path starts with. */
  #keepUpgrade(call: number): void {
    const script = this.#nursery.asked.get(call);
    if (script !== undefined) this.#nursery.upgrades.set(this.path, script);
  }

  /** Puts an event into its own inbox. */
  tell(event: Event): void {
    this.#nursery.world.send(this, { type: "own", event });
  }

  #signal(ref: Ref, reason: Reason): void {
    const child = this.processOf(ref);
    if (child !== undefined) this.#nursery.world.exitSignal(this.pid, child, reason);
  }

  #end(reason: Reason): void {
    const { world } = this.#nursery;
    if (!this.isUp) world.note(["start_failed", this.path, this.n]);
    if (!this.isUp) this.#tellParent("start_failed");
    world.die(this, reason);
  }

  #tellParent(type: "started" | "start_failed"): void {
    const parent = this.#nursery.world.get(this.parent);
    if (parent instanceof SupervisorProcess) parent.childStart(this.pid, type);
  }

  /** A supervisor that is a child says what became of its start. */
  childStart(pid: number, type: "started" | "start_failed"): void {
    const ref = this.#refs.get(pid);
    if (ref === undefined) return;
    this.tell(type === "started" ? { type, ref } : { type, ref, reason: "shutdown" });
    if (type === "start_failed") this.#refs.delete(pid);
  }

  #start({ ref, spec, extra }: Extract<Effect, { readonly type: "start" }>): void {
    // The start of a child's spec is its script, and what is asked for beside a template is `Asked`: see `inputOf`, tree.ts.
    const own = spec.start as Script;
    const asked = extra as Asked | undefined;
    const script = asked === undefined ? own : { ...own, ...behaviourOf(asked.script) };
    const path = `${this.path}/${asked?.number ?? spec.id}`;
    const pid = this.#nursery.world.nextPid();
    this.#refs.set(pid, ref);
    this.#pids.set(ref, pid);
    this.#paths.set(ref, path);
    const start = startScript(this.#nursery, { pid, path, parent: this.pid }, script);
    if (typeof start === "object") {
      if (!start.isSupervisor) this.tell({ type: "started", ref });
      return;
    }
    this.#refs.delete(pid);
    this.tell(start === "ignored" ? { type: "ignored", ref } : { type: "start_failed", ref, reason: "start_failed" });
  }
}

/** What a call may change of a template: how the child behaves, not how it is supervised. */
function behaviourOf({ start, trap_exit, on_shutdown }: Script): Partial<Script> {
  const behaviour = { start, trap_exit, on_shutdown };
  return Object.fromEntries(Object.entries(behaviour).filter(([, value]) => value !== undefined));
}
