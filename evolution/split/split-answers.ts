/**
 * The live side of a split: which version answers a request, and what leaves for its caller.
 *
 *   call, answered by the champion, durable --asked--> session's arm?
 *       champion ------------------------------------> its own reply, at once
 *       candidate --withheld--> the stage runs it in the candidate's shadow --> the candidate's reply
 *                                  not in time, failed, or in doubt --------> the champion's own reply
 *   every turn, whoever answers it --> queue --> the stage
 *
 * Invariants
 * 1. The champion has done the turn and its effects before anything here is asked: what is at stake is the text of one reply.
 * 2. Every withheld reply is let go exactly once: by the stage, by its time limit, when it is dropped, or at the end.
 * 3. All turns of the agent are in the queue once, in their order; a turn is put in when it is first seen, by either of the two ways.
 */
import type { AgentControl, RecordedTurn } from "../../runtime/index.ts";
import type { Clock } from "../../vault/index.ts";
import { UserFault, guarded, valueOf } from "../evidence/users-view.ts";
import type { ParsedArbiterOptions } from "../options.ts";
import type { TurnQueue } from "../pairs/turn-queue.ts";
import { assign } from "./assign.ts";

/** One request on its way through a split. */
export interface Ticket {
  readonly turn: RecordedTurn;
  readonly session: string;
  readonly arm: "candidate" | "champion";
  /** The candidate's share as it came. */
  readonly share: number;
  /** When it came, on the monotonic clock. */
  readonly atMs: number;
  /** Set once its time was over: its caller has the champion's reply. */
  isLate: boolean;
  /** Lets the reply go: this text, or the champion's own. A second time does nothing. */
  readonly settle: (reply: string | undefined) => void;
}

/** What the live side needs. */
export interface SplitAnswersOptions {
  readonly control: AgentControl;
  readonly clock: Clock;
  readonly queue: TurnQueue<Ticket>;
  readonly session: ParsedArbiterOptions["session"];
  /** The experiment: another one draws other sessions. */
  readonly experiment: string;
  /** How long a reply is withheld at most, in ms. */
  readonly patienceMs: number;
  /** The share of requests from now on. */
  readonly share: () => number;
}

/** Asked about every reply while it stands. */
export class SplitAnswers implements Disposable {
  readonly #options: SplitAnswersOptions;
  readonly #stops: readonly (() => void)[];
  readonly #seen = new WeakSet<RecordedTurn>();
  #fault: UserFault | undefined;

  /** Begins to answer. Throws RUNTIME_ANSWERER_EXISTS. */
  constructor(options: SplitAnswersOptions) {
    this.#options = options;
    const { control } = options;
    this.#stops = [
      control.answerWith((turn) => this.#asked(turn)),
      control.onTurn((turn) => {
        if (!this.#seen.has(turn)) this.#put(turn, () => undefined);
      }),
    ];
  }

  /** What the user's `session` did wrong, if it did. */
  get fault(): UserFault | undefined {
    return this.#fault;
  }

  /** Everybody is answered by the champion again; what is withheld leaves with its own reply. */
  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #asked(turn: RecordedTurn): Promise<string | undefined> | undefined {
    const { clock, patienceMs } = this.#options;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const ticket = this.#put(turn, resolve);
    if (ticket.arm === "champion") return undefined;
    const timer = clock.after(patienceMs, () => {
      ticket.isLate = true;
      resolve(undefined);
    });
    return promise.finally(() => timer.cancel());
  }

  #put(turn: RecordedTurn, settle: Ticket["settle"]): Ticket {
    this.#seen.add(turn);
    const share = this.#options.share();
    const session = this.#sessionOf(turn);
    const arm = turn.kind === "cast" ? "champion" : assign(session, this.#options.experiment, share);
    const atMs = this.#options.clock.monotonicMs();
    const ticket: Ticket = { turn, session, arm, share, atMs, isLate: false, settle };
    this.#options.queue.put(ticket);
    return ticket;
  }

  /** Who asks; where nobody is known to, each request is a session of its own. */
  #sessionOf(turn: RecordedTurn): string {
    const { session } = this.#options;
    const { method, text, from, seed, nowMs } = turn;
    if (session === undefined) return from ?? `${seed} ${nowMs}`;
    try {
      const argument = valueOf(text).value;
      const key = guarded("session", () => session({ method, argument, ...(from === undefined ? {} : { from }) }));
      if (typeof key === "string") return key;
      throw new UserFault(`session returned ${typeof key} for ${method}: it must be a text`);
    } catch (error) {
      if (!(error instanceof UserFault)) throw error;
      this.#fault ??= error;
      return "";
    }
  }
}
