/** All operators, the ones that repair most first (design by yield: operators and numbers lead every published list). */
import type { Change, Ground, Operator } from "./operator.ts";
import {
  combine,
  donor,
  guard,
  hoist,
  literalToName,
  negate,
  offByOne,
  postfix,
  swapOperands,
  wrap,
} from "./operators/expressions.ts";
import {
  deleteStatement,
  earlyReturn,
  moveReturn,
  moveStatement,
  swapStatements,
  unwrapStatement,
} from "./operators/statements.ts";
import {
  assignmentOperator,
  binaryOperator,
  booleanLiteral,
  identifierSwap,
  methodName,
  numberLiteral,
  stringLiteral,
  updateOperator,
} from "./operators/tokens.ts";
import type { ParsedProgram } from "./program.ts";
import { declarationsOf } from "./scope.ts";

/** In the order in which a search should try them. */
export const operators: readonly Operator[] = [
  binaryOperator,
  numberLiteral,
  identifierSwap,
  stringLiteral,
  offByOne,
  booleanLiteral,
  hoist,
  assignmentOperator,
  methodName,
  negate,
  updateOperator,
  swapOperands,
  unwrapStatement,
  moveReturn,
  deleteStatement,
  swapStatements,
  literalToName,
  donor,
  wrap,
  postfix,
  guard,
  earlyReturn,
  combine,
  moveStatement,
];

/** Every change that these operators know of a program, operator by operator. Lazy. */
export function* changesOf(program: ParsedProgram, chosen: readonly Operator[] = operators): Iterable<Change> {
  const ground: Ground = { program, declarations: declarationsOf(program) };
  for (const operator of chosen) for (const edits of operator.changes(ground)) yield { operator: operator.id, edits };
}
