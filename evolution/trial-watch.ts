/**
 * Ends a trial that has lost its purpose: its agent was stopped or dropped, another version runs than the one it is tried
 * against, or the arbiter closes. The stage that runs is told through its signal, whose reason is the verdict.
 */
import type { Runtime } from "../runtime/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import type { StageVerdict } from "./stage.ts";

/** After these another code may run. */
const CODE_EVENTS: ReadonlySet<string> = new Set([
  "code.swapped",
  "agent.restored",
  "agent.escalated",
  "agent.spawned",
  "definition.applied",
]);
/** After these none does. */
const GONE_EVENTS: ReadonlySet<string> = new Set(["agent.stopped", "agent.parked", "agent.dropped"]);

/** What a trial that ended with its arbiter is told. */
export const INTERRUPTED: StageVerdict = {
  verdict: "void",
  reason: "the arbiter was closed meanwhile; propose it again",
  code: "EVOLUTION_INTERRUPTED",
};

/** Looks after one trial. */
export class TrialWatch implements Disposable {
  /** Aborted when the trial is over; its reason is a `StageVerdict`. */
  readonly signal: AbortSignal;
  readonly #stop: () => void;

  constructor(
    runtime: Runtime,
    trial: { readonly agent: string; readonly hash: string; readonly closing: AbortSignal },
  ) {
    const { agent, hash, closing } = trial;
    const ending = new AbortController();
    this.signal = AbortSignal.any([closing, ending.signal]);
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (!("agent" in event) || event.agent !== agent) return;
      if (GONE_EVENTS.has(event.type)) ending.abort(gone(runtime, agent, event.type));
      else if (CODE_EVENTS.has(event.type) && runningHash(runtime, agent) !== hash) ending.abort(STALE);
    });
    this.#stop = unsubscribe;
  }

  /** How the trial was ended, where it was. */
  get ended(): StageVerdict | undefined {
    return this.signal.aborted ? (this.signal.reason as StageVerdict) : undefined; // nothing else aborts it
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

/** What is tried against a version that is gone proves nothing. */
export const STALE: StageVerdict = {
  verdict: "void",
  reason: "the version it was tried against no longer runs; propose it again",
  code: "EVOLUTION_STALE",
};

/** An agent that stops because its runtime closes is not gone. */
function gone(runtime: Runtime, agent: string, event: string): StageVerdict {
  if (isClosing(runtime, agent)) return INTERRUPTED;
  const how = event === "agent.dropped" ? "was dropped" : "was stopped";
  return { verdict: "void", reason: `${agent} ${how} meanwhile`, code: "EVOLUTION_AGENT_GONE" };
}

function isClosing(runtime: Runtime, agent: string): boolean {
  try {
    runtime.control(agent);
    return false;
  } catch (error) {
    return error instanceof RuntimeError && error.code === "RUNTIME_CLOSED";
  }
}

function runningHash(runtime: Runtime, agent: string): string | undefined {
  try {
    return runtime.control(agent).code.current.hash;
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}
