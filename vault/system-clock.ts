/**
 * The system's clock: the one place where a process reads the time or arms a timer. Everything else is handed a `Clock`.
 * It lies down here because a tool that only restores an agent must not load more than this floor.
 */
import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "./clock.ts";

/** Wall time, monotonic time and unreferenced timers of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, fire: () => void): Timer {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
