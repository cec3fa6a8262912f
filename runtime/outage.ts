/**
 * How long an agent had no life: from its exit to the next life that is loaded, over all starts that failed in between.
 */
import type { AgentHost } from "./agent-host.ts";
import type { ExitReason } from "./exit-reason.ts";

/** The time between two lives of one agent. */
export class Outage {
  readonly #agent: string;
  readonly #host: Pick<AgentHost, "clock" | "events">;
  #sinceMs: number | undefined;
  #cause = "";

  constructor(agent: string, host: Pick<AgentHost, "clock" | "events">) {
    this.#agent = agent;
    this.#host = host;
  }

  /** A life or a start ended. The first one counts for the time, the newest for the cause. */
  begin(reason: ExitReason): void {
    this.#sinceMs ??= this.#host.clock.monotonicMs();
    this.#cause = reason.name;
  }

  /** A life is up: tells how long there was none, if there was one before. */
  end(restarts: number): void {
    const sinceMs = this.#sinceMs;
    if (sinceMs === undefined) return;
    this.#sinceMs = undefined;
    const downMs = this.#host.clock.monotonicMs() - sinceMs;
    this.#host.events.emit({ type: "agent.restarted", agent: this.#agent, cause: this.#cause, restarts, downMs });
  }

  /** The agent is meant to be down. */
  forget(): void {
    this.#sinceMs = undefined;
  }
}
