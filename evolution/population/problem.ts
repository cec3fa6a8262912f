/**
 * A problem: what is searched for. All of it runs in the Guardian; a candidate sees nothing of it but the arguments of its calls.
 */
import type { CallOutcome } from "./program-runner.ts";

/** One call that programs are judged by. */
export interface Case {
  /** Names it in reports; each once. */
  readonly id: string;
  /** Plain data. */
  readonly args: readonly unknown[];
}

/** Characters of a text from `start` up to `end`, in UTF-16 units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** See the header. */
export interface Problem {
  readonly name: string;
  /** Texts of programs: the first parents. At least one must load. */
  readonly seeds: readonly string[];
  /** The function that is called. */
  readonly entry: string;
  /** What the search chooses by, the most telling first: whoever fails the first ones is not asked the rest. */
  readonly cases: readonly Case[];
  /** Judged once, at the end: never used to choose. */
  readonly held?: readonly Case[] | undefined;
  /**
   * How well the outcome fits, from 0 to 1 (passed). Asked for what returned or threw; every other outcome scores 0. What it
   * throws, and anything but a number from 0 to 1, ends the run with EVOLUTION_EVALUATOR_FAILED; it can be resumed. A promise is
   * waited for, with a bound. Equal arguments must give equal scores.
   */
  score(test: Case, outcome: CallOutcome): number | PromiseLike<number>;
  /**
   * How the program behaves, beside how well: up to 32 finite numbers, always as many, for the archive. Up to six are axes of a grid
   * beside size and steps; more say the kind of a program alone, as one of 256 regions.
   */
  describe?(text: string, outcomes: readonly CallOutcome[]): readonly number[];
  /** What of the first seed's text may change; default: all of it. */
  readonly evolvable?: readonly TextRange[] | undefined;
}
