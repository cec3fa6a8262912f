/**
 * What the search needs of whoever runs programs: calls in, one outcome for each. A runner is pure: the same program, calls and
 * fuel give the same outcomes, in whatever process and however many workers there are. Everything that depends on time alone is
 * an `exceeded`, and that never scores.
 */

import type { TextRange } from "./problem.ts";

/** How one call ended. `value` comes out of a candidate: plain data, bounded by the runner, and hostile. */
export type CallOutcome =
  /** A copy of what it returned. */
  | { readonly kind: "returned"; readonly value: unknown }
  /** It threw, its promise was rejected or never settles, or what it returned is no plain data or too large. */
  | { readonly kind: "threw"; readonly message: string }
  /** It passed as many counters as it may. Repeats exactly. */
  | { readonly kind: "fuel" }
  /** A limit of the machine ended it: heap, clock, stack. Evidence that need not repeat. */
  | { readonly kind: "exceeded"; readonly code: string }
  /** There is nothing to call: the text is no program, throws as it is evaluated, or has no function of that name. */
  | { readonly kind: "unfit"; readonly reason: string };

/** A program: its text, TypeScript or JavaScript, and the function in it that is called. */
export interface RunnableProgram {
  readonly text: string;
  /** `$default` for a default export without a name. */
  readonly entry: string;
}

/** How far a run may go. */
export interface RunCallsOptions {
  /** Counters that each call may pass: function entries and turns of loops. */
  readonly fuel: number;
  /** Tell of each call which blocks it passed, branches as well. Outcomes and fuel are the same; it takes longer. */
  readonly isDetailed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which parts of a program each call passed. */
export interface RunDetail {
  /** Functions, turns of loops and branches, in the program's text. Blocks may lie in one another. */
  readonly blocks: readonly TextRange[];
  /** One for each call: how often it passed each block; `undefined` for a call that exceeded. */
  readonly counts: readonly (ArrayLike<number> | undefined)[];
}

/** What a program did. */
export interface ProgramRun {
  /** One for each call, in order. */
  readonly outcomes: readonly CallOutcome[];
  /** Counters that each call passed; 0 for a call that exceeded, because nobody knows. */
  readonly fuelUsed: readonly number[];
  /** How often each counter was passed, all calls together; `undefined` where nothing was counted. */
  readonly coverage: Uint32Array | undefined;
  /** Where it was asked for, and the program loads. A runner that cannot tell leaves it out. */
  readonly detail?: RunDetail | undefined;
  /** CPU time inside the isolate, without loading. Measured, so never the same twice: for reports only. */
  readonly cpuMs: number;
}

/** Runs programs. Several runs may be in work at once; the runner bounds how many. */
export interface ProgramRunner extends AsyncDisposable {
  /** Runs the program's entry on each list of arguments, each call by itself. Rejects when the runner is broken, never because of a program. */
  run(program: RunnableProgram, calls: readonly (readonly unknown[])[], options: RunCallsOptions): Promise<ProgramRun>;
}
