/**
 * Runs a case of kind `procs`: plain processes, what they do to each other, and what arrives at them.
 *
 * - `spawn { id, link?, trap? }`: `link` is the id of the process that spawns it and is linked to it. An id may be spawned
 *   again; it then names the new process.
 * - `messages { id }` gives what has arrived since the last asking, oldest first: `["EXIT", from, reason]` for an exit
 *   that was trapped, `["DOWN", ref, id, reason]` for a monitor that fired.
 * - An action of a process that is dead gives "noproc"; `register` and `unregister` that OTP refuses "error:badarg";
 *   `whereis` the id, or "undefined". Everything else gives "ok".
 * - Events are `["start", id, n]` and `["down", id, n, reason]`; there is no tree, so it is empty.
 */
import type { LinkAction, LinkEffect, Pid, Processes } from "../links.ts";
import { act, isAlive, noProcesses, whereIs } from "../links.ts";
import type { Action, Case, Step, TraceEvent } from "./case.ts";

interface Being {
  readonly id: string;
  readonly n: number;
  messages: unknown[];
}

/** All steps of a case of kind `procs`. */
export function simulateProcs({ when }: Case): readonly Step[] {
  const run = new ProcsRun();
  return [run.step("start", "ok"), ...when.map((action) => run.step(action.op, run.act(action)))];
}

class ProcsRun {
  #processes: Processes = noProcesses;
  readonly #beings = new Map<Pid, Being>();
  readonly #pids = new Map<string, Pid>();
  readonly #attempts = new Map<string, number>();
  /** The case's own name of each monitor, and who set it. */
  readonly #monitors = new Map<number, { readonly from: Pid; readonly ref: unknown }>();
  #events: TraceEvent[] = [];
  #pidNext = 1;

  step(op: string, result: unknown): Step {
    const events = this.#events;
    this.#events = [];
    return { op, result, events, tree: [] };
  }

  act(action: Action): unknown {
    switch (action.op) {
      case "spawn":
        return this.#spawn(action);
      case "messages":
        return this.#messages(String(action.id));
      case "whereis":
        return this.#whereIs(String(action.name));
      case "register":
        return this.#perform({ type: "register", pid: this.#pid(action.id), name: String(action.name) });
      case "unregister":
        return this.#perform({ type: "unregister", name: String(action.name) });
      default:
        return this.#byProcess(action);
    }
  }

  #spawn({ id, link, trap }: Action): unknown {
    const linker = typeof link === "string" ? this.#pid(link) : undefined;
    if (linker !== undefined && !isAlive(this.#processes, linker)) return "noproc";
    const pid = this.#bear(String(id));
    const n = (this.#attempts.get(String(id)) ?? 0) + 1;
    this.#attempts.set(String(id), n);
    this.#beings.set(pid, { id: String(id), n, messages: [] });
    this.#events.push(["start", String(id), n]);
    return this.#perform({
      type: "spawn",
      pid,
      isTrapping: trap === true,
      ...(linker === undefined ? {} : { link: linker }),
    });
  }

  /** What only the living can do. */
  #byProcess(action: Action): unknown {
    const doer = this.#pid(action.op === "trap" || action.op === "exit" ? action.id : action.from);
    if (!isAlive(this.#processes, doer)) return "noproc";
    switch (action.op) {
      case "trap":
        return this.#perform({ type: "trap", pid: doer, isTrapping: action.value === true });
      case "link":
      case "unlink":
        return this.#perform({ type: action.op, from: doer, to: this.#pid(action.to) });
      case "monitor":
        return this.#monitor(doer, action);
      case "demonitor":
        return this.#demonitor(doer, action.ref);
      case "signal":
        return this.#perform({ type: "signal", from: doer, to: this.#pid(action.to), reason: String(action.reason) });
      case "exit":
        return this.#perform({ type: "exit", pid: doer, reason: String(action.reason) });
      default:
        throw new Error(`${action.op} is no op of a process`);
    }
  }

  #monitor(from: Pid, { to, ref }: Action): unknown {
    const monitor = this.#monitors.size + 1;
    this.#monitors.set(monitor, { from, ref });
    return this.#perform({ type: "monitor", from, to: this.#pid(to), monitor });
  }

  /** All monitors that this process set under that name. */
  #demonitor(from: Pid, ref: unknown): unknown {
    for (const [monitor, set] of this.#monitors)
      if (set.from === from && set.ref === ref) this.#perform({ type: "demonitor", from, monitor });
    return "ok";
  }

  #messages(id: string): unknown {
    const pid = this.#pid(id);
    if (!isAlive(this.#processes, pid)) return "noproc";
    const being = this.#being(pid);
    const { messages } = being;
    being.messages = [];
    return messages;
  }

  #whereIs(name: string): string {
    const pid = whereIs(this.#processes, name);
    return pid === undefined ? "undefined" : this.#being(pid).id;
  }

  #perform(action: LinkAction): "ok" | "error:badarg" {
    const { state, effects } = act(this.#processes, action);
    this.#processes = state;
    for (const effect of effects) this.#keep(effect);
    return effects.some(({ type }) => type === "refused") ? "error:badarg" : "ok";
  }

  #keep(effect: LinkEffect): void {
    switch (effect.type) {
      case "ended": {
        const { id, n } = this.#being(effect.pid);
        return void this.#events.push(["down", id, n, effect.reason]);
      }
      case "exit_message":
        return void this.#being(effect.to).messages.push(["EXIT", this.#being(effect.from).id, effect.reason]);
      case "down_message": {
        const ref = this.#monitors.get(effect.monitor)?.ref;
        return void this.#being(effect.to).messages.push(["DOWN", ref, this.#being(effect.of).id, effect.reason]);
      }
      case "refused":
        return;
    }
  }

  /** The process that an id names now; an id that was never spawned names one that is dead. */
  #pid(id: unknown): Pid {
    const known = this.#pids.get(String(id));
    if (known !== undefined) return known;
    const pid = this.#bear(String(id));
    this.#beings.set(pid, { id: String(id), n: 0, messages: [] });
    return pid;
  }

  #bear(id: string): Pid {
    const pid = this.#pidNext++;
    this.#pids.set(id, pid);
    return pid;
  }

  #being(pid: Pid): Being {
    const being = this.#beings.get(pid);
    if (being === undefined) throw new Error(`process ${pid} was never spawned`);
    return being;
  }
}
