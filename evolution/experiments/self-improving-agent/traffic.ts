/**
 * The agent's world: asks it one seeded request after the other, knows what is right, and keeps a ledger of what was acknowledged.
 *
 * Invariants
 * 1. The n-th request depends on the seed and n alone.
 * 2. The agent sees requests and nothing else; how right it was stays here.
 * 3. A ticket that was acknowledged and is not in the agent's state is lost. Those whose request failed may be there or not: each
 *    balance counts them anew, so that none of them hides a loss of later.
 */
import type { AgentRef, Runtime } from "../../../runtime/index.ts";
import type { AuditRequest } from "../../audit/requests.ts";
import { fitnessOf, requestAt } from "../../audit/requests.ts";
import { seedOf } from "../draws.ts";

type Desk = AgentRef<typeof import("../../audit/triage.agent.ts").default>;

/** Between an answer and the next request, in ms: shadows that share the machine must be able to follow. */
const PAUSE_MS = 4;
/** Purpose of a seed. */
const ROUTES = 0x707e;

/** The n-th request of a stream: the audit's, and as many besides of which it is known whether the answer is right. Pure. */
export function requestOf(seed: number, index: number): AuditRequest {
  const half = index >> 1;
  // Of ten requests of the audit the second is always of that kind.
  return index % 2 === 0 ? requestAt(seed, half) : requestAt(seedOf(seed, ROUTES), half * 10 + 1);
}

/** What was counted so far. */
export interface TrafficCounts {
  readonly acknowledged: number;
  /** Refused or not answered. */
  readonly failed: number;
  readonly lost: number;
}

/** Asks until it is stopped. */
export class Traffic {
  readonly #runtime: Runtime;
  readonly #desk: Desk;
  readonly #seed: number;
  #stop = new AbortController();
  #asking: Promise<void> = Promise.resolve();
  #next = 0;
  #acknowledged = 0;
  #failed = 0;
  #lost = 0;
  /** Tickets that are in the agent's state, as far as was acknowledged. */
  #opened = 0;

  constructor(options: { readonly runtime: Runtime; readonly desk: Desk; readonly seed: number }) {
    this.#runtime = options.runtime;
    this.#desk = options.desk;
    this.#seed = options.seed;
  }

  get counts(): TrafficCounts {
    return { acknowledged: this.#acknowledged, failed: this.#failed, lost: this.#lost };
  }

  /** The first requests, before anything is tried. */
  async warmUp(count: number, signal: AbortSignal): Promise<void> {
    for (let asked = 0; asked < count && !signal.aborted; asked++) await this.#ask();
  }

  /** Goes on asking until `stop`. */
  start(): void {
    this.#stop = new AbortController();
    this.#asking = this.#askOn();
    this.#asking.catch(() => undefined); // told by `stop`
  }

  /** Resolves when nothing is under way any more. Rejects where asking failed for reasons that are not the agent's. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#asking;
  }

  /** Compares the ledger with what the agent knows; nothing may be asked meanwhile. */
  async balance(): Promise<void> {
    const [opened = 0] = await this.#desk.call("figures", undefined);
    this.#lost += Math.max(0, this.#opened - opened);
    this.#opened = opened;
  }

  async #askOn(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#ask();
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#runtime.clock.after(PAUSE_MS, resolve);
    await promise;
  }

  async #ask(): Promise<void> {
    const { method, argument } = requestOf(this.#seed, this.#next++);
    try {
      // The names come from requestOf, the arguments with them.
      await this.#desk.call(method as "open", argument as never);
      this.#acknowledged += 1;
      if (method === "open") this.#opened += 1;
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      this.#failed += 1;
    }
  }
}

/** How right an answer is, for the search and the arbiter: the same measure, and neither is the agent's. */
export function rightness(turn: {
  readonly method: string;
  readonly argument: unknown;
  readonly reply?: unknown;
}): number | undefined {
  return fitnessOf(turn.method, turn.argument, turn.reply);
}
