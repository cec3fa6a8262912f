/**
 * The due timers of one agent, as letters. Which they are is known by name alone: what a timer says and whether it is still
 * due is read from the vault when its turn comes, so one that was cancelled or used meanwhile is not delivered.
 */
import type { Action, Branch } from "../vault/index.ts";
import type { FeedLetter, FeedSource } from "./feed.ts";
import type { ClaimPlace } from "./message.ts";
import type { TimerRecord } from "./timer-record.ts";
import { timerIn } from "./timer-record.ts";

/** What due timers need of all timers. */
export interface DueTimersHost {
  readonly branch: () => Branch | undefined;
  /** Whether its time has come. */
  readonly isDue: (timer: TimerRecord) => boolean;
  /** The ops that use the due time up, in the commit of a turn or without one. */
  readonly claims: (timer: TimerRecord, turn: ClaimPlace | undefined) => readonly Action[];
  /** It is not due any more but will be: it stands in its order. */
  readonly waits: (timer: TimerRecord) => void;
  /**
   * The timer once due times that nobody wants any more are skipped. `lookedUntilMs` is the host's to fill: by id, for as
   * long as that timer is listed here. Throws what the vault throws.
   */
  readonly caughtUp: (timer: TimerRecord, lookedUntilMs: Map<string, number>) => TimerRecord;
}

/** See the header. */
export class DueTimers implements FeedSource<string> {
  readonly #agent: string;
  readonly #host: DueTimersHost;
  readonly #ids = new Set<string>();
  /** The due time that each one on its way was delivered for. */
  readonly #deliveredMs = new Map<string, number>();
  readonly #lookedUntilMs = new Map<string, number>();

  constructor(agent: string, host: DueTimersHost) {
    this.#agent = agent;
    this.#host = host;
  }

  /** This one is due; known ones keep their place. */
  add(id: string): void {
    this.#ids.add(id);
  }

  peek(isOut: (id: string) => boolean): FeedLetter<string> | undefined {
    for (const id of this.#ids) {
      const timer = isOut(id) ? undefined : this.#dueNow(id);
      if (timer !== undefined)
        return { key: id, letter: this.#letter(this.#host.caughtUp(timer, this.#lookedUntilMs)) };
    }
    return undefined;
  }

  taken(id: string): void {
    const timer = this.#read(id);
    if (timer !== undefined) this.#deliveredMs.set(id, timer.dueMs);
  }

  isHandled(id: string): boolean {
    return this.#read(id)?.dueMs !== this.#deliveredMs.get(id);
  }

  done(id: string): void {
    this.#deliveredMs.delete(id);
    this.#dueNow(id);
  }

  rewind(): void {
    // Nothing is remembered but names: each is looked up when its turn comes.
  }

  #letter(timer: TimerRecord): FeedLetter<string>["letter"] {
    const { id, dueMs, method, text } = timer;
    const identity = `timer/${id}/${dueMs}`; // the same when it is delivered again after a restart
    return { kind: "cast", method, text, identity, claims: (turn) => this.#host.claims(timer, turn) };
  }

  /** The timer if it is due; one that is not is no longer listed here. */
  #dueNow(id: string): TimerRecord | undefined {
    const timer = this.#read(id);
    if (timer !== undefined && this.#host.isDue(timer)) return timer;
    this.#ids.delete(id);
    this.#lookedUntilMs.delete(id);
    if (timer !== undefined) this.#host.waits(timer);
    return undefined;
  }

  #read(id: string): TimerRecord | undefined {
    const branch = this.#host.branch();
    return branch === undefined ? undefined : timerIn(branch, this.#agent, id);
  }
}
