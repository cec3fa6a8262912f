/**
 * The newest failures, and what each of them did: feeds the blast radius with events and keeps its reports.
 *
 * A report waits until everything that belongs to an event was told: the agents of a lost cell hear of it one after the
 * other, and messages that waited are settled after their agent was given up. All of that is over when a timer fires.
 */
import type { Branch, Clock, Timer, Vault } from "../vault/index.ts";
import { BlastRadius } from "./blast-radius.ts";
import type { EventStream } from "./events.ts";
import type { FailureReport } from "./failure-report.ts";

/** Reports that are kept. */
export const FAILURES_KEPT = 100;

/** What it needs. */
export interface FailureLogOptions {
  readonly vault: Pick<Vault, "durableSeq">;
  /** The agent of this name that was touched since the runtime opened. */
  readonly peek: (id: string) => { readonly branch: Pick<Branch, "head"> } | undefined;
  readonly clock: Clock;
  readonly events: EventStream;
}

/** Reports failures as `failure.contained`, and keeps the newest. */
export class FailureLog {
  readonly radius: BlastRadius;
  readonly #clock: Clock;
  readonly #stop: () => void;
  readonly #reports: FailureReport[] = [];
  #flush: Timer | undefined;

  constructor({ clock, events, vault, peek }: FailureLogOptions) {
    this.#clock = clock;
    this.radius = new BlastRadius({
      seqs: (id) => {
        const head = peek(id)?.branch.head;
        return head === undefined ? undefined : { head, safe: Math.min(head, vault.durableSeq) };
      },
      report: (report) => {
        this.#reports.push(report);
        if (this.#reports.length > FAILURES_KEPT) this.#reports.shift();
        events.emit({ type: "failure.contained", ...report });
      },
    });
    this.#stop = events.subscribe(({ event }) => {
      this.radius.take(event, clock.monotonicMs());
      if (event.type !== "failure.contained") this.#flushSoon();
    }).unsubscribe;
  }

  /** The newest reports, oldest first. */
  list(): readonly FailureReport[] {
    return [...this.#reports];
  }

  /** Reports what is over, and follows no more. */
  close(): void {
    this.#flush?.cancel();
    this.radius.flush();
    this.#stop();
  }

  #flushSoon(): void {
    if (!this.radius.hasOpen) return;
    this.#flush ??= this.#clock.after(0, () => {
      this.#flush = undefined;
      this.radius.flush();
    });
  }
}
