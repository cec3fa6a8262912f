/**
 * Operators for repair, beside those of evolution/mutation/: what is known to be forgotten, doubled or mistaken in small functions.
 * Each is general; none knows a task.
 */
import type { Operator } from "../../mutation/operator.ts";
import type { Hints } from "./hints.ts";
import { hintedLiteral, hintedSeparator, respell } from "./templates/hinted.ts";
import { everywhere, negateTerm } from "./templates/repeated.ts";
import { deleteDeclaration, dropTerm, guardStatement, insertAssignment, likeBranch } from "./templates/statements.ts";
import { arrow, convert, extend, partOfName, swapElements, termOffByOne } from "./templates/values.ts";

/** All templates, for a task's hints. */
export function templatesFor(hints: Hints): readonly Operator[] {
  return [
    swapElements,
    convert,
    termOffByOne,
    arrow,
    everywhere,
    negateTerm,
    dropTerm,
    deleteDeclaration,
    respell(hints),
    hintedLiteral(hints),
    partOfName,
    likeBranch,
    hintedSeparator(hints),
    guardStatement,
    extend,
    insertAssignment,
  ];
}
