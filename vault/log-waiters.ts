/**
 * Who waits for the log: until a seq is written (readable from the segments) or durable (synced).
 *
 * Invariant: every promise that is handed out settles: by progress, or by the failure of the log.
 */
import type { VaultError } from "./errors.ts";

/** How far the log has come. */
export interface Progress {
  readonly written: number;
  readonly durable: number;
}

interface Waiter {
  readonly seq: number;
  readonly until: keyof Progress;
  readonly settled: PromiseWithResolvers<void>;
}

/** See the header. */
export class LogWaiters {
  #waiters: Waiter[] = [];

  /** Resolves when `seq` is written, or durable. */
  wait(seq: number, until: keyof Progress): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#waiters.push({ seq, until, settled });
    return settled.promise;
  }

  /** Whether somebody waits for a sync beyond `durableSeq`. */
  wantsSyncBeyond(durableSeq: number): boolean {
    return this.#waiters.some(({ seq, until }) => until === "durable" && seq > durableSeq);
  }

  /** Resolves whoever has what was waited for. */
  wake(progress: Progress): void {
    const isDone = ({ seq, until }: Waiter) => progress[until] >= seq;
    const done = this.#waiters.filter(isDone);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const { settled } of done) settled.resolve();
  }

  /** Rejects everybody. */
  fail(error: VaultError): void {
    for (const { settled } of this.#waiters.splice(0)) settled.reject(error);
  }
}
