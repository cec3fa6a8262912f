/**
 * Waiting, by a clock that is handed in, until time has passed or something has become true. Every wait ends at once, with
 * the signal's reason, when the demo is called off.
 */
import type { Clock } from "../../vault/index.ts";

/** Who waits, and who may call it off. */
export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Resolves after so many milliseconds. Rejects with the signal's reason when it is aborted. */
export async function pause({ clock, signal }: Patience, ms: number): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Looks again and again until `isTrue`. Resolves with whether it came true within `limitMs`. */
export async function until(
  patience: Patience,
  wait: { readonly everyMs: number; readonly limitMs: number; readonly isTrue: () => boolean },
): Promise<boolean> {
  const endMs = patience.clock.monotonicMs() + wait.limitMs;
  while (!wait.isTrue()) {
    if (patience.clock.monotonicMs() >= endMs) return false;
    await pause(patience, wait.everyMs);
  }
  return true;
}
