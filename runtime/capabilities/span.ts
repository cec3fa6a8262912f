/**
 * How long a call of a capability may run: until it is done, its time is up, or whoever asked is gone. What it runs is told by
 * a signal; what does not listen is not waited for.
 */
import type { Clock, Timer } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";

/** What a span begins with. */
export interface SpanOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The call, for people. */
  readonly what: string;
}

/** The time of one call. */
export class CallSpan {
  readonly #controller = new AbortController();
  readonly #waiting = new Set<(error: RuntimeError) => void>();
  readonly #timer: Timer | undefined;
  #ended: RuntimeError | undefined;

  constructor({ clock, timeoutMs, what }: SpanOptions) {
    const late = (): void => {
      const text = `${what}: no answer within ${Math.ceil(timeoutMs)} ms`;
      this.abort(new RuntimeError("RUNTIME_CAPABILITY_TIMEOUT", text, { details: { timeoutMs } }));
    };
    this.#timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.after(timeoutMs, late);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The result of `work`, or the error that ended the span first: what comes later is dropped, its rejection too. */
  within<T>(work: PromiseLike<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    const settled = Promise.resolve(work).finally(() => this.#waiting.delete(reject));
    settled.then(resolve, reject);
    if (this.#ended !== undefined) reject(this.#ended);
    return promise;
  }

  /** Ends it early. The first reason counts. */
  abort(error: RuntimeError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#timer?.cancel();
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
    this.#controller.abort(error);
  }

  /** The call is done: its time runs no longer. */
  end(): void {
    this.#timer?.cancel();
  }
}
