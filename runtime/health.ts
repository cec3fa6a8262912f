/**
 * Whether a silent cell is killed. A cell that gives no sign of life and does not run either is stopped or deadlocked; but
 * when many are silent at once, the machine has no time for them, and killing them would only make it busier.
 *
 *   a cell is silent --judgeSilence--> kill            within the budget, and few are silent
 *                                  --> withhold        too many at once ("machine"), or the budget is spent ("budget")
 *
 * Pure: the caller says what time it is and what it sees. Verdicts from exits and from limits that were broken (memory, a
 * turn's time) never come here: they are facts, and need no budget.
 *
 * Invariants
 * 1. Never more than `KILLS_MAX` kills within `KILLS_PERIOD_MS`, its edge included.
 * 2. Never a kill while more than half of the live cells are silent (one may always be), unless that lasts longer than
 *    `SILENCE_MS_MAX`: no machine is busy for so long, and somebody's agents wait.
 * 3. A verdict is about the cell that was asked about, and no other.
 */

/** Kills for silence ... */
export const KILLS_MAX = 3;
/** ... within this time, in ms: three lost cells in a minute come back with hardly a caller noticing, twenty do not. */
export const KILLS_PERIOD_MS = 60_000;
/** Silence, in ms, beyond which it is no longer put down to the machine. */
export const SILENCE_MS_MAX = 60_000;

/** When cells were killed for silence: monotonic times, oldest first. */
export type SilenceKills = readonly number[];

/** What is seen when a silent cell is judged. */
export interface SilenceSeen {
  /** Monotonic, in ms. */
  readonly atMs: number;
  /** How long the cell in question has been silent, in ms. */
  readonly silentMs: number;
  /** Live cells, and those of them that are silent, the one in question included. */
  readonly liveCount: number;
  readonly silentCount: number;
}

/** Why a silent cell is left alone. */
export type WithheldReason =
  /** More cells are silent at once than may be: the machine is at fault. */
  | "machine"
  /** As many cells as may be were killed within the period. */
  | "budget";

/** What becomes of it. */
export type SilenceVerdict =
  | { readonly type: "kill"; readonly kills: SilenceKills }
  | { readonly type: "withhold"; readonly reason: WithheldReason };

/** Decides about one silent cell. */
export function judgeSilence(kills: SilenceKills, seen: SilenceSeen): SilenceVerdict {
  const { atMs, silentMs, liveCount, silentCount } = seen;
  const isManyAtOnce = silentCount > Math.max(1, Math.floor(liveCount / 2));
  if (isManyAtOnce && silentMs <= SILENCE_MS_MAX) return { type: "withhold", reason: "machine" };
  const recent = kills.filter((killedMs) => atMs - killedMs <= KILLS_PERIOD_MS);
  if (recent.length >= KILLS_MAX) return { type: "withhold", reason: "budget" };
  return { type: "kill", kills: [...recent, atMs] };
}
