/**
 * What the arbiter decides and remembers: plain data, one record per decision, enough for a person to check it.
 */

/** pass, fail; inconclusive = not enough evidence, never promotes; void = the measurement itself failed, no blame. */
export type Verdict = "pass" | "fail" | "inconclusive" | "void";

/** What one stage found. */
export interface StageReport {
  readonly stage: string;
  readonly verdict: Verdict;
  /** One sentence for people. */
  readonly reason: string;
  /** Why it did not pass, as a program reads it: a `VerdictCode`, or a code of a user's own stage. */
  readonly code?: string;
  /** Measured in this stage: counts, milliseconds, ratios. */
  readonly figures: Readonly<Record<string, number>>;
  readonly durationMs: number;
  /** The first differing reply, side by side, where there is one. */
  readonly difference?: Difference;
  /** What was weighed: each value against its threshold. */
  readonly evidence?: readonly EvidenceLine[];
  /** Keys of the state in which candidate and champion ended differently; the first few. */
  readonly stateDiff?: readonly StateDifference[];
  /** Lines for people: findings, counts. */
  readonly notes?: readonly string[];
  /** Runs of this stage; absent: one. A void one is tried once more. */
  readonly tries?: number;
}

/** One thing that was weighed, and what it says. */
export interface EvidenceLine {
  /** `errors`, `cpu`, `fitness` … */
  readonly name: string;
  /** Observations behind it. */
  readonly pairs: number;
  readonly value: number;
  /** Where it would have said something else. */
  readonly threshold: number;
  readonly says: "harm" | "no harm" | "gain" | "open";
  /** The same as one sentence, with its unit. */
  readonly text: string;
}

/** One key of the state after the same turns; `null` where it is not there. Texts are clipped. */
export interface StateDifference {
  readonly key: string;
  readonly champion: string | null;
  readonly candidate: string | null;
}

/** Two answers to one message. */
export interface Difference {
  readonly method: string;
  readonly argument: string;
  readonly expected: string;
  readonly actual: string;
  /** Which recorded turn, counted from 1. */
  readonly turn: number;
}

/** What became of a candidate. */
export type Ruling = "promoted" | "rejected";

/** How the version before came back. */
export interface WayBack {
  /** `shadow`: as the reverse shadow, which has every acknowledged turn. `code`: its code, on the present state. `snapshot`: an earlier state. */
  readonly way: "shadow" | "code" | "snapshot";
  /** The snapshot that was taken. */
  readonly snapshot?: string;
  /** Newer ones that could not be taken, and why. */
  readonly skipped?: readonly { readonly label: string; readonly why: string }[];
  /** What is no longer part of the state, as a sentence. */
  readonly lost?: string;
}

/** How a promoted version's probation ended. */
export interface ProbationReport {
  readonly end: "confirmed" | "rolled_back" | "interrupted";
  readonly reason: string;
  /** Turns the new version answered during probation. */
  readonly turns: number;
  /** From the failure to the old version serving; only when rolled back. */
  readonly rollbackMs?: number;
  /** Which way back was taken, and what it costs; only when rolled back. */
  readonly back?: WayBack;
  readonly difference?: Difference;
}

/** One decision of the arbiter. */
export interface Decision {
  readonly id: string;
  readonly agent: string;
  /** Who proposed it: `operator`, or `agent:<id>`. */
  readonly author: string;
  /** The proposer's own words, if any. */
  readonly note: string;
  readonly timeMs: number;
  readonly championHash: string;
  /** Empty when it did not compile. */
  readonly candidateHash: string;
  readonly source: string;
  /** The champion's own text, where its source map or an earlier decision has it. */
  readonly championSource?: string;
  readonly ruling: Ruling;
  /** Of the last stage that ran. */
  readonly verdict: Verdict;
  /** Why it was rejected, as a program reads it. */
  readonly code?: string;
  /** The sentence that decided. */
  readonly reason: string;
  /** Which live trial of this agent it was, counted from 1; 0 where it came to none. Strict spending pays by it. */
  readonly number: number;
  /** Of how many candidates its proposer chose it; evidence for a gain must be stronger by so much. */
  readonly candidatesTried: number;
  /** All chance of the trial began with it. */
  readonly seed: number;
  readonly stages: readonly StageReport[];
  /** How long the agent could start no message during promotion, in ms. */
  readonly pauseMs?: number;
  /** The snapshot to go back to. */
  readonly snapshot?: string;
}
