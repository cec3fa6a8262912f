/**
 * What the search needs of whoever runs programs: calls in, one outcome for each. A runner is pure: the same program, calls and
 * fuel give the same outcomes, in whatever process and however many workers there are. Everything that depends on time alone is
 * an `exceeded`, and that never scores.
 */

/** What became of one call. `value` comes out of a candidate: hostile, plain data, bounded by the runner. */
export type CallOutcome =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly message: string }
  /** It took as many steps as it was given. */
  | { readonly kind: "fuel" }
  /** A limit of the isolate ended it: heap, CPU or wall time. */
  | { readonly kind: "exceeded"; readonly code: string }
  /** The program does not load. */
  | { readonly kind: "unfit"; readonly reason: string };

/** A program as it is run. */
export interface RunnableProgram {
  readonly text: string;
  /** Name of the function that is called. */
  readonly entry: string;
}

/** How its calls are run. */
export interface RunCallsOptions {
  /** Steps per call. */
  readonly fuel: number;
  readonly signal?: AbortSignal | undefined;
}

/** What became of its calls, in their order. */
export interface ProgramRun {
  readonly outcomes: readonly CallOutcome[];
  /** Steps of each call. */
  readonly fuelUsed: readonly number[];
  /** How often each counter of the program was passed, over all calls; `undefined` where nothing was counted. */
  readonly coverage: Uint32Array | undefined;
  /** Measured, so never the same twice: for reports only. */
  readonly cpuMs: number;
}

/** Runs programs. Several runs may be in work at once; the runner bounds how many. */
export interface ProgramRunner extends AsyncDisposable {
  /** Runs the program's entry on each list of arguments, each call by itself. Rejects when the runner is broken, never because of a program. */
  run(program: RunnableProgram, calls: readonly (readonly unknown[])[], options: RunCallsOptions): Promise<ProgramRun>;
}
