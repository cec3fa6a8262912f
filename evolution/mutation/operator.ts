/**
 * An operator: one way to change a program a little. It lists all its changes of a program, in the order of the text, so the
 * neighbourhood of a program is finite and the same for everybody; who draws from it brings the chance.
 *
 * Invariants
 * 1. The edits of one change are apart or side by side: they can be made together.
 * 2. The number of changes goes with the length of the program: whatever is taken from elsewhere in it is taken from nearby.
 */
import type { Edit } from "./edit.ts";
import type { ParsedProgram } from "./program.ts";
import type { Declarations } from "./scope.ts";

/** One change of one program. */
export interface Change {
  /** Which operator made it. */
  readonly operator: string;
  readonly edits: readonly Edit[];
}

/** What operators look at. */
export interface Ground {
  readonly program: ParsedProgram;
  readonly declarations: Declarations;
}

/** A way to change programs. */
export interface Operator {
  readonly id: string;
  /** Every change it knows. Lazy: a caller that has enough stops asking. */
  changes(ground: Ground): Iterable<readonly Edit[]>;
}

/** One edit that puts a text in the place of a node. */
export function replaced(node: { readonly start: number; readonly end: number }, text: string): readonly Edit[] {
  return [{ start: node.start, end: node.end, text }];
}
