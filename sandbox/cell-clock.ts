/**
 * Time inside a cell process. The Guardian's clock is injected from above; a cell is a process of its own with nothing
 * above it, so this is where its time comes from. Used by the cell alone.
 */
import type { Clock, Timer } from "../vault/index.ts";

/** Real time. Timers here do not keep the process alive; the pipe does. */
export const cellClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs: number, fire: () => void): Timer => {
    const timer = setTimeout(fire, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
