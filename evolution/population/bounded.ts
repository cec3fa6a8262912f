/** Waits with an end: for work that may never answer, and for room among what runs at once. */
import type { Clock } from "../../vault/index.ts";

/**
 * What `work` resolves with. Rejects with `signal.reason` as soon as it is aborted, and with what `late` makes after `ms`; the work
 * is then nobody's business here, and stays with whoever runs it.
 */
export async function within<T>(
  work: PromiseLike<T>,
  {
    clock,
    ms,
    signal,
    late,
  }: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal; readonly late: () => Error },
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after(ms, () => reject(late()));
  try {
    return await Promise.race([work, promise]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** So many at once, the others wait in the order in which they came. */
export class Turnstile {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Runs `work` when there is a place. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next(); // the place is handed on
    }
  }
}
