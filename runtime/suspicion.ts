/**
 * An agent that was inside the guest when its cell died is a suspect. Once is chance; the second time within its restart
 * period it gets a cell of its own, where it can harm nobody else, until a whole period has passed without another loss.
 * Pure: told the times, it keeps those that count.
 */

/** Losses within one period after which an agent lives alone. */
const LOSSES_MAX = 2;

/** Times of the losses that still count, in monotonic ms, oldest first. */
export type Suspicion = readonly number[];

/** One more cell was lost under this agent. */
export function suspect(suspicion: Suspicion, nowMs: number, periodMs: number): Suspicion {
  return [...suspicion.filter((atMs) => nowMs - atMs <= periodMs), nowMs].slice(-LOSSES_MAX);
}

/** True when the agent's next life belongs into a cell of its own. */
export function isToLiveAlone(suspicion: Suspicion, nowMs: number, periodMs: number): boolean {
  return suspicion.filter((atMs) => nowMs - atMs <= periodMs).length >= LOSSES_MAX;
}
