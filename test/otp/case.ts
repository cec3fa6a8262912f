/** The shapes of cases and traces, as far as the comparison looks into them; see the docstring of `simulate`. */

/** A scripted child, or a supervisor with children of its own. */
export interface Script {
  readonly id?: unknown;
  readonly type?: unknown;
  readonly strategy?: unknown;
  readonly children?: readonly Script[];
  readonly template?: Script;
  readonly [key: string]: unknown;
}

/** Something that is done to the tree, or to the processes. */
export interface Action {
  readonly op: string;
  readonly ops?: readonly Action[];
  readonly [field: string]: unknown;
}

/** One case. */
export interface SimCase {
  readonly id: string;
  readonly kind: "tree" | "procs";
  readonly given: { readonly supervisor?: Script };
  readonly when: readonly Action[];
}

/** What one action did. */
export interface Step {
  readonly op: string;
  readonly result: unknown;
  readonly events: readonly (readonly unknown[])[];
  readonly tree: readonly (readonly unknown[])[];
}

/** What a case did: step 0 is the start, then one step for each action. */
export interface Trace {
  readonly id: string | number;
  readonly steps: readonly Step[];
}
