/**
 * Whose turns are kept in the vault: of agents that are judged, or that somebody said will be. A candidate is then judged by what
 * its agent was asked before the program was started, too. It costs something (docs/adr/0033), so not all agents are.
 */
import type { Runtime } from "../runtime/index.ts";
import { RuntimeError } from "../runtime/index.ts";

/** Agents that are watched; then the oldest are let go. */
const WATCHED_MAX = 10_000;

/** Keeps turns, agent by agent, until it is closed. */
export class WatchedAgents {
  readonly #runtime: Runtime;
  readonly #stops = new Map<string, () => void>();
  readonly #unsubscribe: () => void;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (event.type === "agent.dropped") this.#release(event.agent);
    });
    this.#unsubscribe = unsubscribe;
  }

  /** From here on this agent's turns are kept. Throws RUNTIME_AGENT_UNKNOWN, RUNTIME_AGENT_DOWN. */
  watch(agent: string): void {
    if (this.#stops.has(agent)) return;
    this.#stops.set(agent, this.#runtime.control(agent).keepTraffic());
    const oldest = this.#stops.size > WATCHED_MAX ? this.#stops.keys().next().value : undefined;
    if (oldest !== undefined) this.#release(oldest);
  }

  /** Those of an earlier runtime: whoever is gone meanwhile is passed over. */
  watchAgain(agents: readonly string[]): void {
    for (const agent of agents) {
      try {
        this.watch(agent);
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
      }
    }
  }

  /** What is kept stays in the vault. */
  close(): void {
    this.#unsubscribe();
    for (const agent of this.#stops.keys()) this.#release(agent);
  }

  #release(agent: string): void {
    this.#stops.get(agent)?.();
    this.#stops.delete(agent);
  }
}
