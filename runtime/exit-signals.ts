/**
 * Links and monitors between agents, on the rules of `supervision/links.ts`: OTP's. Processes there are numbers; here an
 * agent is one process from one exit to the next. A re-homing is no exit, so it breaks no link; after an exit, the agent
 * that its supervisor starts again is somebody new.
 *
 *   ctx.link, ctx.monitor --(the turn is durable)--> act --> links and monitors
 *   an agent exits ---------------------------------> act --> who is linked: ends too, or is told (@exit)
 *                                                         `-> who monitors: is told (@down)
 *
 * Invariants
 * 1. Only agents that are linked, monitor or are monitored take space, and only until they exit.
 * 2. Everything lives as long as the runtime: agents that sleep in the vault when it opens hang together with nobody.
 * 3. Whether an agent traps exits is what its code of now says, also while it has no life.
 */
import { DOWN_METHOD, encode, EXIT_METHOD, SandboxError, unpackMonitor } from "../sandbox/index.ts";
import type { Agent } from "./agent.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import { exitReasonOf, linkedReason, reasonText } from "./exit-reason.ts";
import type { Letter } from "./message.ts";
import { act, isAlive, linkCount, noProcesses } from "./supervision/links.ts";
import type { LinkAction, LinkEffect, Pid, Processes } from "./supervision/links.ts";

/** What signals need of the runtime. */
export interface ExitSignalsOptions {
  readonly events: EventStream;
  /** Throws RUNTIME_AGENT_UNKNOWN. */
  readonly agent: (id: string) => Agent;
  /** The agent of this name, unless nobody has it any more. */
  readonly peek: (id: string) => Agent | undefined;
  /** Throws when the agent does not take it. */
  readonly deliver: (id: string, letter: Letter) => void;
}

/**
 * Links and monitors of one agent, and signals that wait in its mailbox. OTP has no limit; a supervisor of thousands has
 * none of them through links.
 */
export const LINKS_MAX = 1_000;
/** Nobody: the embedding program, and whoever is not there. */
const NOBODY: Pid = 0;
/** A signal is a few words; names are bounded by the agents' own rule. */
const SIGNAL_BYTES_MAX = 4_096;

/** A monitor that an agent set. */
interface Monitor {
  readonly watcher: string;
  readonly ref: string;
}

/** The links and monitors of one runtime. */
export class ExitSignals {
  readonly #on: ExitSignalsOptions;
  #processes: Processes = noProcesses;
  readonly #pids = new Map<string, Pid>();
  readonly #names = new Map<Pid, string>();
  readonly #monitors = new Map<number, Monitor>();
  /** For each agent that monitors, the numbers of its monitors by their names. */
  readonly #watches = new Map<string, Map<string, number>>();
  #last = NOBODY;

  constructor(options: ExitSignalsOptions) {
    this.#on = options;
  }

  /** Processes that take space: for those who look for leaks. */
  get size(): number {
    return this.#pids.size + this.#names.size + this.#monitors.size + this.#watches.size;
  }

  /**
   * What a turn says takes effect when it is durable, unless its agent has exited by then: this says, when it is asked as the
   * turn ends, how to do it later.
   */
  later(agent: string, act: () => void): () => void {
    const pid = this.#pid(agent);
    return () => {
      if (this.#pids.get(agent) === pid) act();
    };
  }

  /** `ctx.link`; a link counts at both ends. Throws RUNTIME_LINKS_EXCEEDED. */
  link(from: string, to: string): void {
    for (const id of [from, to]) this.#requireRoom(id);
    this.#act({ type: "link", from: this.#pid(from), to: this.#pid(to) });
  }

  /** `ctx.unlink`. */
  unlink(from: string, to: string): void {
    const [one, other] = [this.#pids.get(from), this.#pids.get(to)];
    if (one !== undefined && other !== undefined) this.#act({ type: "unlink", from: one, to: other });
  }

  /** `ctx.monitor`; of itself it is nothing. Throws RUNTIME_LINKS_EXCEEDED; SANDBOX_ENVELOPE_INVALID for a text that no honest guest sends. */
  monitor(from: string, text: string): void {
    const { ref, agent } = unpackMonitor(text);
    if (agent === from) return; // it would be told of nothing, and kept as long as it lives
    this.#requireRoom(from);
    const watches = this.#watches.get(from) ?? new Map<string, number>();
    if (watches.has(ref)) throw new SandboxError("SANDBOX_ENVELOPE_INVALID", "a guest gives two monitors one name");
    const monitor = ++this.#last;
    this.#monitors.set(monitor, { watcher: from, ref });
    this.#watches.set(from, watches.set(ref, monitor));
    this.#act({ type: "monitor", from: this.#pid(from), to: this.#pid(agent), monitor });
  }

  /** `ctx.demonitor`; harmless for a monitor that has told already, or is another's. */
  demonitor(from: string, ref: string): void {
    const [pid, monitor] = [this.#pids.get(from), this.#watches.get(from)?.get(ref)];
    if (pid === undefined || monitor === undefined) return;
    this.#forget(monitor);
    this.#act({ type: "demonitor", from: pid, monitor });
  }

  /**
   * An exit signal from the program. Ends an agent that does not trap exits, unless the reason is `normal`; `kill` ends
   * anybody. Nothing happens to an agent that is down.
   */
  signal(to: string, reason: string): void {
    const pid = this.#pid(to);
    this.#act({ type: "signal", from: NOBODY, to: pid, reason });
  }

  /** An agent has exited: whoever hangs on it is told, or ends with it. */
  exited(id: string, reason: ExitReason): void {
    const pid = this.#pids.get(id);
    if (pid === undefined) return;
    this.#pids.delete(id);
    this.#act({ type: "exit", pid, reason: reasonText(reason) }, reason);
  }

  /** The code of an agent may be another one: whether it traps exits is looked up again. */
  changed(id: string): void {
    const pid = this.#pids.get(id);
    if (pid === undefined) return;
    this.#act({ type: "trap", pid, isTrapping: this.#hears(id, EXIT_METHOD) });
  }

  // ------------------------------------------------------------------ how

  /** The process that an agent is now; one that is dead, where there is no agent or it is down. */
  #pid(id: string): Pid {
    const known = this.#pids.get(id);
    if (known !== undefined) return known;
    const pid = ++this.#last;
    this.#names.set(pid, id);
    if (!this.#isThere(id)) return pid;
    this.#pids.set(id, pid);
    this.#act({ type: "spawn", pid, isTrapping: this.#hears(id, EXIT_METHOD) });
    return pid;
  }

  #isThere(id: string): boolean {
    try {
      const { phase } = this.#on.agent(id);
      return phase !== "down" && phase !== "parked";
    } catch (error) {
      if (error instanceof RuntimeError) return false; // RUNTIME_AGENT_UNKNOWN, RUNTIME_CLOSED
      throw error;
    }
  }

  #hears(id: string, method: string): boolean {
    return this.#on.agent(id).current?.hears?.includes(method) === true;
  }

  #requireRoom(id: string): void {
    if (linkCount(this.#processes, this.#pids.get(id) ?? NOBODY) < LINKS_MAX) return;
    const text = `${id} has ${LINKS_MAX} links and monitors and may have no more`;
    throw new RuntimeError("RUNTIME_LINKS_EXCEEDED", text, { details: { agent: id, linksMax: LINKS_MAX } });
  }

  /** `cause`: the whole story behind an exit, for those who end with it. */
  #act(action: LinkAction, cause?: ExitReason): void {
    const { state, effects } = act(this.#processes, action);
    this.#processes = state;
    const origin = action.type === "exit" ? this.#nameOf(action.pid) : "";
    for (const effect of effects) this.#carryOut(effect, { action, origin, cause });
    // Those that ended were still named in what others were told.
    for (const effect of effects) if (effect.type === "ended") this.#names.delete(effect.pid);
    // Who was not there was needed for its name alone.
    if (action.type === "link" || action.type === "monitor" || action.type === "signal") this.#forgetDead(action.to);
  }

  #carryOut(
    effect: LinkEffect,
    why: { readonly action: LinkAction; readonly origin: string; readonly cause: ExitReason | undefined },
  ): void {
    switch (effect.type) {
      case "ended":
        return this.#ended(effect, why);
      case "exit_message": {
        const from = this.#nameOf(effect.from);
        return this.#tell(effect.to, EXIT_METHOD, { from, reason: effect.reason });
      }
      case "down_message": {
        const monitor = this.#monitors.get(effect.monitor);
        this.#forget(effect.monitor);
        if (monitor === undefined) return;
        return this.#tell(effect.to, DOWN_METHOD, {
          ref: monitor.ref,
          agent: this.#nameOf(effect.of),
          reason: effect.reason,
        });
      }
      case "refused": // of names, which the vault has
        return;
    }
  }

  /** A process of ours ended: by itself, which is known already, or because of another, which its agent must hear. */
  #ended(
    { pid, reason }: Extract<LinkEffect, { readonly type: "ended" }>,
    why: { readonly action: LinkAction; readonly origin: string; readonly cause: ExitReason | undefined },
  ): void {
    this.#forgetWatchesOf(pid);
    if (why.action.type === "exit" && why.action.pid === pid) return;
    const id = this.#nameOf(pid);
    this.#pids.delete(id);
    const told = reason === "killed" ? ({ name: "killed", message: "it was killed" } as const) : exitReasonOf(reason);
    const linked = why.origin === "" ? told : linkedReason(why.cause ?? told, why.origin);
    this.#on.peek(id)?.killNow(linked);
  }

  #tell(to: Pid, method: string, message: Readonly<Record<string, string>>): void {
    const id = this.#nameOf(to);
    try {
      if (!this.#hears(id, method)) throw new RuntimeError("RUNTIME_AGENT_DOWN", `${id} has no handler for ${method}`);
      this.#on.deliver(id, { kind: "cast", method, text: encode(message, { bytesMax: SIGNAL_BYTES_MAX }) });
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      this.#on.events.emit({ type: "message.discarded", agent: id, method, code: error.code });
    }
  }

  #nameOf(pid: Pid): string {
    return this.#names.get(pid) ?? "";
  }

  #forgetDead(pid: Pid): void {
    if (!isAlive(this.#processes, pid) && this.#pids.get(this.#nameOf(pid)) !== pid) this.#names.delete(pid);
  }

  #forgetWatchesOf(pid: Pid): void {
    for (const monitor of this.#watches.get(this.#nameOf(pid))?.values() ?? []) this.#forget(monitor);
  }

  #forget(monitor: number): void {
    const known = this.#monitors.get(monitor);
    if (known === undefined) return;
    this.#monitors.delete(monitor);
    const watches = this.#watches.get(known.watcher);
    watches?.delete(known.ref);
    if (watches?.size === 0) this.#watches.delete(known.watcher);
  }
}
