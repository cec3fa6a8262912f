/**
 * A world of simulated processes: who is alive, what has reached them, whose turn it is, and the two clocks. It knows
 * links and exit signals as the BEAM delivers them, and nothing of supervisors.
 *
 *   send / exitSignal --> inbox --> run queue (first come, first served) --> process.run()
 *                                        | empty
 *                                        v
 *                              the earliest shutdown timer fires; none left: the world is quiet
 *
 * Invariants
 * 1. The same case gives the same events: no clock, no chance; order comes from the run queue alone.
 * 2. `nowMs`, the clock of the restart windows, is moved by `advance` alone; waiting for a child that hangs takes time on
 *    a clock of its own.
 */
import type { Reason } from "../contract.ts";
import type { TraceEvent } from "./case.ts";
import { invalid } from "./case.ts";

/** What reaches a process. */
export type Message =
  | { readonly type: "exit_signal"; readonly from: number; readonly reason: Reason }
  /** It is to end itself with this reason. */
  | { readonly type: "crash"; readonly reason: Reason }
  /** For supervisors: what the shell of the core has to say. */
  | { readonly type: "own"; readonly event: unknown };

/** What a process is made of; `run` handles everything in the inbox. */
export interface Process {
  readonly pid: number;
  readonly path: string;
  /** Number of the start attempt of this path. */
  readonly n: number;
  readonly parent: number;
  readonly isSupervisor: boolean;
  traps: boolean;
  /** False until its start is over; one that ends before is no end in the trace but a failed start. */
  isUp: boolean;
  isAlive: boolean;
  isSuspended: boolean;
  isQueued: boolean;
  inbox: Message[];
  readonly links: Set<number>;
  run(messages: readonly Message[]): void;
}

interface Timer {
  readonly atMs: number;
  readonly owner: number;
  readonly id: number;
  readonly fire: () => void;
}

/** The parent of the root, and whoever else acts from outside. */
export const OUTSIDE = 0;

/** Runs more turns than this in one step, and the case is a loop that no real system would leave either. */
const TURNS_MAX = 1_000_000;

/** The world of one case. */
export class World {
  /** Milliseconds on the clock of the restart windows. */
  nowMs = 0;
  #events: TraceEvent[] = [];
  #elapsedMs = 0;
  #pidNext = 1;
  readonly #processes = new Map<number, Process>();
  readonly #latest = new Map<string, Process>();
  readonly #attempts = new Map<string, number>();
  #queue: Process[] = [];
  #timers: Timer[] = [];

  /** What supervisors read of that clock: OTP counts its window in whole seconds. */
  get windowMs(): number {
    return Math.floor(this.nowMs / 1_000) * 1_000;
  }

  /** Counts one more start attempt of a path. */
  attempt(path: string): number {
    const n = (this.#attempts.get(path) ?? 0) + 1;
    this.#attempts.set(path, n);
    return n;
  }

  /** A number for a process that is about to be. */
  nextPid(): number {
    return this.#pidNext++;
  }

  /** A process is born, linked to its parent. */
  add(process: Process): void {
    this.#processes.set(process.pid, process);
    this.#latest.set(process.path, process);
    process.links.add(process.parent);
    this.#processes.get(process.parent)?.links.add(process.pid);
    this.note(["start", process.path, process.n]);
  }

  /** The process of that number, if it is alive. */
  get(pid: number): Process | undefined {
    return this.#processes.get(pid);
  }

  /** The process that was last born under a path, alive or not. */
  last(path: string): Process | undefined {
    return this.#latest.get(path);
  }

  /** The living process of a path. */
  living(path: string): Process | undefined {
    const process = this.#latest.get(path);
    return process?.isAlive === true ? process : undefined;
  }

  /** Adds to the trace. */
  note(event: TraceEvent): void {
    this.#events.push(event);
  }

  /** The trace since the last asking. */
  takeEvents(): readonly TraceEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Puts a message into an inbox; the dead get none. */
  send(process: Process, message: Message): void {
    if (!process.isAlive) return;
    process.inbox.push(message);
    this.#wake(process);
  }

  /** OTP's `exit(Pid, Reason)`: `kill` cannot be trapped and shows as killed; `normal` is for those who trap. */
  exitSignal(from: number, to: Process, reason: Reason): void {
    if (!to.isAlive) return;
    if (reason === "kill") this.die(to, "killed");
    else this.#deliver(from, to, reason);
  }

  /** Ends a process: its links hear of it (there, `kill` is an ordinary reason). */
  die(process: Process, reason: Reason): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    process.inbox = [];
    this.#processes.delete(process.pid);
    this.#timers = this.#timers.filter(({ owner }) => owner !== process.pid);
    if (process.isUp) this.note(["down", process.path, process.n, reason]);
    // Children first: they were started later than the link to the parent was made.
    for (const pid of [...process.links].toReversed()) {
      const linked = this.#processes.get(pid);
      linked?.links.delete(process.pid);
      if (linked !== undefined) this.#deliver(process.pid, linked, reason);
    }
  }

  #deliver(from: number, to: Process, reason: Reason): void {
    if (to.traps) this.send(to, { type: "exit_signal", from, reason });
    else if (reason !== "normal") this.die(to, reason);
  }

  /** Stops a process from handling what reaches it, until `resume`. */
  suspend(process: Process): void {
    process.isSuspended = true;
  }

  /** Lets it go on. */
  resume(process: Process): void {
    process.isSuspended = false;
    if (process.inbox.length > 0) this.#wake(process);
  }

  /** Arms a timer of a process; it is gone with it. */
  setTimer(owner: Process, timer: { readonly id: number; readonly ms: number; readonly fire: () => void }): void {
    const { id, ms, fire } = timer;
    this.#timers.push({ atMs: this.#elapsedMs + ms, owner: owner.pid, id, fire });
  }

  /** Takes it back. */
  cancelTimer(owner: Process, id: number): void {
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner.pid || timer.id !== id);
  }

  /** Lets everybody run until all is quiet: nobody has anything to do, and no timer is left. Throws RUNTIME_CASE_INVALID. */
  settle(): void {
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      const process = this.#queue.shift();
      if (process !== undefined) this.#turn(process);
      else if (!this.#fireEarliest()) return;
    }
    throw invalid(`one of its steps does not come to rest within ${TURNS_MAX} turns`);
  }

  #wake(process: Process): void {
    if (process.isSuspended || process.isQueued) return;
    process.isQueued = true;
    this.#queue.push(process);
  }

  #turn(process: Process): void {
    process.isQueued = false;
    if (!process.isAlive || process.isSuspended) return;
    const messages = process.inbox;
    process.inbox = [];
    process.run(messages);
  }

  #fireEarliest(): boolean {
    const [first, ...others] = this.#timers;
    if (first === undefined) return false;
    const timer = others.reduce((earliest, other) => (other.atMs < earliest.atMs ? other : earliest), first);
    this.#timers = this.#timers.filter((other) => other !== timer);
    this.#elapsedMs = timer.atMs;
    timer.fire();
    return true;
  }
}
