/** A candidate of the audit: a source text of which it is known beforehand whether it may be promoted. */

/** What is wrong with a candidate, or what is good about it. */
export type Family =
  | "broken"
  | "mutant"
  | "slow"
  | "leak"
  | "hang"
  | "corrupts state"
  | "rare fault"
  | "fault after k messages"
  | "fault after a restart"
  | "equal"
  | "gains 2 points"
  | "gains 5 points"
  | "a fifth less CPU";

/** One candidate. */
export interface Candidate {
  /** Unique in its audit. */
  readonly id: string;
  readonly family: Family;
  readonly isGood: boolean;
  readonly source: string;
  /** What exactly, for people. */
  readonly what: string;
}
