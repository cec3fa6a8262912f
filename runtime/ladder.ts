/**
 * The escalation ladder: what is tried for an agent that failed, from what costs least to what costs most. Pure: it is told
 * what failed, what was tried lately, and what there is.
 *
 *   a message ends the life    restart ... --(the same words, too often)--> set the message aside
 *   a life does not load       restart, restart --> earlier code --> earlier snapshot --> leave it to the supervisor: it parks
 *   a cell dies under it       re-home --> a cell of its own (`suspicion.ts`) --> leave it to the supervisor
 *
 * Invariants
 * 1. Each rung but the restart is taken at most once within the quarantine time, its edge included: a ladder never becomes
 *    a loop.
 * 2. A rung that there is nothing for is passed over.
 * 3. No rung undoes anything that was acknowledged without a name for the state before it; who carries the rung out sees to it.
 */

/** Rungs that are told as `agent.escalated`; a restart and parking have events of their own. */
export type Escalation = "message_set_aside" | "earlier_code" | "earlier_snapshot";

/** Restarts of a life that does not load before anything else is tried: what is not the code's doing is over by then. */
export const LOAD_RESTARTS_MAX = 2;

/** A rung that was taken. */
export interface TakenRung {
  readonly rung: Escalation;
  readonly atMs: number;
}

/** What failed, and what there is to go to. Times are monotonic milliseconds. */
export type Trouble =
  | { readonly failed: "message"; readonly deaths: number; readonly deathsMax: number }
  | {
      readonly failed: "load";
      /** Lives in a row that did not load, this one included. */
      readonly failures: number;
      /** Restarts that the supervisor tolerates. */
      readonly intensity: number;
      /** A rung was taken since the last life that loaded. */
      readonly isClimbing: boolean;
      readonly taken: readonly TakenRung[];
      readonly atMs: number;
      readonly quarantineMs: number;
      readonly hasEarlierCode: boolean;
      readonly hasEarlierSnapshot: boolean;
    };

/** Decides. `supervisor`: the next restart, or the end of them, is the supervisor's decision. */
export function nextRung(trouble: Trouble): Escalation | "supervisor" {
  switch (trouble.failed) {
    case "message":
      return trouble.deaths >= trouble.deathsMax ? "message_set_aside" : "supervisor";
    case "load": {
      const { failures, intensity, isClimbing, taken, atMs, quarantineMs } = trouble;
      const { hasEarlierCode, hasEarlierSnapshot } = trouble;
      const recent = new Set(taken.filter((each) => atMs - each.atMs <= quarantineMs).map(({ rung }) => rung));
      // Who climbs goes on: more restarts of what does not load would only use the intensity up.
      if (!isClimbing && failures <= Math.min(LOAD_RESTARTS_MAX, intensity)) return "supervisor";
      if (hasEarlierCode && !recent.has("earlier_code")) return "earlier_code";
      if (hasEarlierSnapshot && !recent.has("earlier_snapshot")) return "earlier_snapshot";
      return "supervisor";
    }
  }
}
