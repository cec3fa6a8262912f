/** How a cell ended. */

/** Why. Everything but `stopped` is abnormal. */
export type CellExitReason =
  /** `stop` was asked for. */
  | "stopped"
  /** `kill` was asked for. */
  | "killed"
  /** It ended by itself: a native crash, a signal from outside, an error in the cell's own code. */
  | "crashed"
  /** It sent something that no honest cell sends. */
  | "bad_frame"
  /** It gave no sign of life while it had work, or a turn never came back. */
  | "hung"
  /** Its resident memory grew over its limit. */
  | "memory"
  /** It said itself that an entry cannot be stopped. */
  | "stuck"
  /** It never became ready. */
  | "start_failed";

/** The end of a cell process. */
export interface CellExit {
  readonly reason: CellExitReason;
  /** One sentence for people. */
  readonly detail: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /**
   * Agents that were inside the guest when it died, by the black box; where words of one agent could not be true, that one
   * alone. Each by the name it was placed with for this (`PlaceOptions.suspectName`).
   */
  readonly suspects: readonly string[];
}
