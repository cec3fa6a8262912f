/**
 * An individual: one program, where it comes from and what is known of it. It is named by its content, so equal programs are
 * one individual and are run once.
 */
import { createHash } from "node:crypto";
import type { Edit } from "../mutation/edit.ts";
import type { TextRange } from "./problem.ts";
import type { CallOutcome } from "./program-runner.ts";

/** A search case that it fails, as mutators are told of it. */
export interface CaseFailure {
  readonly caseId: string;
  readonly args: readonly unknown[];
  readonly outcome: CallOutcome;
  readonly score: number;
}

/** Where an individual comes from. */
export interface Origin {
  /** Ids; the first is the one that was edited. */
  readonly parents: readonly string[];
  /** Id of the mutator; "seed" for the first parents. */
  readonly mutator: string;
  readonly note?: string;
  /** On the first parent's text; absent for seeds. */
  readonly edits?: readonly Edit[];
  readonly island: number;
  readonly generation: number;
  readonly slot: number;
  /** Money that the proposal cost. */
  readonly usd: number;
  readonly tokens: number;
}

/** What running it said. */
export interface Evaluation {
  /** Per search case, in their order; shorter than the cases when the cascade ended it. */
  readonly scores: readonly number[];
  /** Mean over all search cases, 0 for those it was not asked. */
  readonly score: number;
  /** Mean steps per call. */
  readonly fuel: number;
  /** Hash of its outcomes: equal ones behave the same on the search cases. */
  readonly signature: string;
  readonly descriptor: readonly number[];
  /** The first few. */
  readonly failures: readonly CaseFailure[];
}

/** See the header. */
export interface Individual extends Evaluation {
  /** SHA-256 of the normal text, in hex. */
  readonly id: string;
  readonly text: string;
  readonly origin: Origin;
  /** What of its text may change. */
  readonly evolvable: readonly TextRange[];
}

/**
 * Names a program by its content; line ends, and blanks around the text, do not count. All else does: blanks may stand in a
 * string of several lines.
 */
export function programId(text: string): string {
  return createHash("sha256").update(text.replaceAll(/\r\n?/g, "\n").trim()).digest("hex");
}
