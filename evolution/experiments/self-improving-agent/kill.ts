/**
 * Kills a cell with SIGKILL in the middle of a trial: when the arbiter tells of the planned stage for the first time. A plan stays until
 * its moment comes, in whatever round that is.
 */
import type { Runtime } from "../../../runtime/index.ts";
import type { PlannedKill } from "./troubles.ts";

/** A cell that was killed. */
export interface Kill extends PlannedKill {
  readonly pids: readonly number[];
}

/** Looks after the kills of one agent. */
export class Killer implements Disposable {
  readonly done: Kill[] = [];
  readonly #runtime: Runtime;
  readonly #agent: string;
  readonly #cells = new Set<number>();
  readonly #planned: PlannedKill[] = [];
  readonly #stop: () => void;
  #striking: Promise<void> = Promise.resolve();

  /** From the runtime's beginning: it must have seen every cell. */
  constructor(runtime: Runtime, agent: string) {
    this.#runtime = runtime;
    this.#agent = agent;
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (event.type === "cell.spawned") this.#cells.add(event.pid);
      if (event.type === "cell.exited") this.#cells.delete(event.pid);
      // Events of upper floors are plain data here.
      if (event.type === "candidate.progress" && event.agent === agent) this.#at(String(event.stage));
    });
    this.#stop = unsubscribe;
  }

  /** To be done when its moment comes. */
  plan(kill: PlannedKill): void {
    this.#planned.push(kill);
  }

  /** Resolves when no kill is under way. */
  async settled(): Promise<void> {
    await this.#striking;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #at(stage: string): void {
    const [kill] = this.#planned;
    if (kill?.stage !== stage) return;
    this.#planned.shift();
    this.#striking = this.#strike(kill);
    this.#striking.catch(() => undefined); // told by `settled`
  }

  async #strike(kill: PlannedKill): Promise<void> {
    const { cellPid: own } = await this.#runtime.ref(this.#agent).info();
    const pids = [...this.#cells].filter((pid) => (pid === own) === (kill.whose === "the agent's"));
    for (const pid of pids) process.kill(pid, "SIGKILL");
    this.done.push({ ...kill, pids });
  }
}
