/**
 * When the arbiter must not judge: its measurements fail too often, or one of them was found to be broken. Pure.
 *
 * One stage in twenty may fail for reasons of the machine. More than that, and verdicts say more about the machine than about
 * candidates; what follows is for a person to look at.
 */
import type { StageReport, Verdict } from "./decision.ts";

/** Newest runs of stages that are looked at. */
const RUNS_LOOKED_AT = 100;
/** Share of them that may be void … */
const VOID_SHARE_MAX = 0.05;
/** … and how few void ones say nothing yet. */
const VOID_MIN = 5;

/** Newest verdicts, oldest first. */
export type Runs = readonly Verdict[];

/** With one more. */
export function withRun(runs: Runs, verdict: Verdict): Runs {
  return [...runs, verdict].slice(-RUNS_LOOKED_AT);
}

/** Why the arbiter must not go on after this stage; `undefined` when it may. */
export function freezeReason(runs: Runs, newest: Pick<StageReport, "stage" | "code" | "reason">): string | undefined {
  if (newest.code === "EVOLUTION_MEASUREMENT_BROKEN")
    return `the measurement of ${newest.stage} is broken: ${newest.reason}`;
  const voids = runs.filter((verdict) => verdict === "void").length;
  if (voids < VOID_MIN || voids <= runs.length * VOID_SHARE_MAX) return undefined;
  return `${voids} of the newest ${runs.length} stage runs were void; the newest: ${newest.stage}: ${newest.reason}`;
}
