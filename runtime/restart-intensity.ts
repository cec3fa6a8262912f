/**
 * Restart intensity, OTP's guard against endless restarts: at most `intensity` restarts within `periodMs`; one more and
 * the supervisor gives up. As in OTP (`supervisor:add_restart/1`), a restart exactly one period ago still counts.
 */

/** How many restarts are tolerated in how long. */
export interface Intensity {
  readonly intensity: number;
  readonly periodMs: number;
}

/** The restarts still inside the window, oldest first, in monotonic milliseconds; and whether one more was allowed. */
export interface IntensityVerdict {
  readonly restarts: readonly number[];
  readonly isAllowed: boolean;
}

/** Counts one more restart at `nowMs`. */
export function chargeRestart(restarts: readonly number[], nowMs: number, limit: Intensity): IntensityVerdict {
  const within = restarts.filter((atMs) => nowMs - atMs <= limit.periodMs);
  within.push(nowMs);
  return { restarts: within, isAllowed: within.length <= limit.intensity };
}
