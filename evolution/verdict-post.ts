/**
 * Tells agents what became of what they proposed: a message to `verdict`, if their code has that method.
 *
 * Invariants
 * 1. An agent is not started to be told: one that sleeps is told as it starts, for whatever reason.
 * 2. At most `WAITING_MAX` verdicts wait per agent; the oldest go first. All of them are in the vault.
 */
import { RuntimeError, VERDICT_METHOD } from "../runtime/index.ts";
import type { Runtime } from "../runtime/index.ts";
import type { Decision, Verdict } from "./decision.ts";

/** What an agent is told. */
export interface VerdictMessage {
  /** Of the decision; `ctx.propose` gave it. */
  readonly id: string;
  /** `rolled_back` comes after `promoted`. */
  readonly ruling: Decision["ruling"] | "rolled_back";
  readonly verdict: Verdict;
  /** Absent where it was promoted. */
  readonly code?: string;
  readonly reason: string;
}

/** Verdicts that wait for an agent to start. */
const WAITING_MAX = 32;

/** Delivers verdicts. */
export class VerdictPost {
  readonly #runtime: Runtime;
  readonly #waiting = new Map<string, VerdictMessage[]>();
  readonly #stop: () => void;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (event.type === "agent.started") this.#deliver(event.agent);
      if (event.type === "agent.dropped") this.#waiting.delete(event.agent);
    });
    this.#stop = unsubscribe;
  }

  /** Tells the agent that proposed, if it was one and if it listens: now, or as it starts. */
  tell({ agent, author }: Pick<Decision, "agent" | "author">, message: VerdictMessage): void {
    if (author !== `agent:${agent}`) return;
    this.#waiting.set(agent, [...(this.#waiting.get(agent) ?? []), message].slice(-WAITING_MAX));
    this.#deliver(agent);
  }

  /** Nobody is told any more. */
  close(): void {
    this.#stop();
    this.#waiting.clear();
  }

  #deliver(agent: string): void {
    const waiting = this.#waiting.get(agent);
    if (waiting === undefined) return;
    try {
      const control = this.#runtime.control(agent);
      if (!control.isTaken) return;
      this.#waiting.delete(agent);
      if (!control.hearsVerdicts) return;
      for (const message of waiting) this.#runtime.ref(agent).cast(VERDICT_METHOD, message);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      this.#waiting.delete(agent);
      this.#runtime.events.emit({ type: "message.discarded", agent, method: VERDICT_METHOD, code: error.code });
    }
  }
}
