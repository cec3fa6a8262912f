/**
 * Restart intensity: at most `intensity` restarts within `periodMs`; one more and the supervisor gives up. As in OTP
 * (`supervisor:add_restart/1`) the edge belongs to the window: a restart exactly one period ago still counts, and what
 * counts is the restart, not the exit: a failed attempt spends as much as a crash.
 */
import type { Flags } from "./contract.ts";
import { emptyIntMap, getIn, removeIn, setIn } from "./int-map.ts";
import type { IntMap } from "./int-map.ts";

/** The restarts within the window, numbered in order; `atMs` of each. */
export interface RestartWindow {
  readonly first: number;
  readonly next: number;
  readonly atMs: IntMap<number>;
}

/** No restart yet. */
export const noRestarts: RestartWindow = { first: 0, next: 0, atMs: emptyIntMap() };

/** Counts one more restart, at `nowMs`; says how many lie within the window now, and whether so many are allowed. */
export function chargeRestart(
  window: RestartWindow,
  nowMs: number,
  { intensity, periodMs }: Pick<Flags, "intensity" | "periodMs">,
): { readonly window: RestartWindow; readonly count: number; readonly isAllowed: boolean } {
  let { first, atMs } = window;
  for (; first < window.next; first++) {
    if (nowMs - (getIn(atMs, first) ?? 0) <= periodMs) break;
    atMs = removeIn(atMs, first);
  }
  const next = window.next + 1;
  const count = next - first;
  return {
    window: { first, next, atMs: setIn(atMs, window.next, nowMs) },
    count,
    isAllowed: count <= intensity,
  };
}
