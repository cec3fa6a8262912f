/**
 * A pair: one recorded turn as the candidate ran it and as the control did, which is the champion's own code on an equal
 * fork in the same kind of cell (A/A). Types only.
 */
import type { RecordedTurn, ShadowTurn } from "../../runtime/index.ts";

/** One turn, run by both. */
export interface Pair {
  /** Counted from 1, over all reloads and forks of a stage. */
  readonly number: number;
  readonly turn: RecordedTurn;
  readonly candidate: ShadowTurn;
  readonly control: ShadowTurn;
  /** The candidate went over the wall clock twice in a row, the second time by itself, and its control did not: that is no busy machine. */
  readonly isOwnOverrun?: true;
}
