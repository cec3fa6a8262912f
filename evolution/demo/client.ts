/**
 * A client that never stops asking. It sends at a steady rate whether or not answers come (an open loop), and it measures
 * each request from the moment it was due, so that a stall of the librarian shows up in the figures of every request that
 * fell into it.
 *
 * Invariants
 * 1. Every request that was sent is counted once as answered, refused or lost, in the phase in which it was sent.
 * 2. A note is in the ledger if and only if its `add` was answered.
 * 3. `stop` resolves when no request is under way.
 */
import type { AgentRef } from "../../runtime/index.ts";
import type { Clock } from "../../vault/index.ts";
import type { Corpus } from "./corpus.ts";
import type { Ledger } from "./ledger.ts";
import type { LibrarianDefinition } from "./librarian.ts";
import type { Request } from "./requests.ts";
import { requestAt } from "./requests.ts";
import type { Ending, Phase } from "./tally.ts";
import { countEnding, newPhase } from "./tally.ts";

/** What a client needs. */
export interface ClientOptions {
  readonly librarian: AgentRef<LibrarianDefinition>;
  readonly clock: Clock;
  readonly corpus: Corpus;
  readonly ledger: Ledger;
  /** From one request to the next, in ms. */
  readonly intervalMs: number;
  /** Told after each ending. */
  readonly onEnding: (phase: Phase) => void;
}

/** No answer within this time is a lost request, in ms. */
const ANSWER_WITHIN_MS = 5_000;
/** Requests that may be under way: far more than a librarian in good health ever leaves waiting. */
const UNDERWAY_MAX = 500;

/** Sends requests until it is stopped. */
export class Client {
  /** Whether it also asks questions without a word. */
  isCurious = false;
  readonly phases: Phase[] = [];
  readonly #options: ClientOptions;
  readonly #underway = new Set<Promise<void>>();
  #phase: Phase;
  #sent = 0;
  #dueMs: number;
  #timer: { cancel(): void } | undefined;

  constructor(options: ClientOptions, phase: string) {
    this.#options = options;
    this.#phase = newPhase(phase);
    this.phases.push(this.#phase);
    this.#dueMs = options.clock.monotonicMs();
    this.#arm();
  }

  /** Requests sent from now on are counted under this name. */
  enter(name: string): Phase {
    this.#phase = newPhase(name);
    this.phases.push(this.#phase);
    return this.#phase;
  }

  /** Resolves when every request of an earlier phase has ended. */
  async settled(phase: Phase): Promise<void> {
    if (phase === this.#phase) throw new Error("requests are still added to this phase");
    await Promise.all(this.#underway);
  }

  /** Stops asking and waits for what is under way. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await Promise.all(this.#underway);
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, this.#dueMs - clock.monotonicMs()), () => this.#tick());
  }

  /** Sends whatever is due: more than one request after the event loop was busy. */
  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    while (this.#dueMs <= nowMs && this.#underway.size < UNDERWAY_MAX) {
      this.#send(this.#dueMs);
      this.#dueMs += this.#options.intervalMs;
    }
    this.#arm();
  }

  #send(dueMs: number): void {
    const request = requestAt(this.#sent++, this.#options.corpus, this.isCurious);
    const phase = this.#phase;
    phase.asked += 1;
    const done = this.#end(request, dueMs).then((ending) => {
      countEnding(phase, ending);
      this.#underway.delete(done);
      this.#options.onEnding(phase);
    });
    this.#underway.add(done);
  }

  async #end(request: Request, dueMs: number): Promise<Ending> {
    try {
      await this.#answer(request);
      return { type: "answered", ms: this.#options.clock.monotonicMs() - dueMs };
    } catch (error) {
      return endingOf(error);
    }
  }

  async #answer({ method, text }: Request): Promise<void> {
    const { librarian, ledger } = this.#options;
    const options = { timeoutMs: ANSWER_WITHIN_MS };
    if (method === "add") ledger.set(await librarian.call("add", text, options), text);
    else await librarian.call("ask", text, options);
  }
}

/** A refusal has a code; running out of time is no answer at all. Anything else is a bug and is thrown on. */
export function endingOf(error: unknown): Ending {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code !== "string") throw error;
  return code === "RUNTIME_CALL_TIMEOUT" ? { type: "lost" } : { type: "refused", code };
}
