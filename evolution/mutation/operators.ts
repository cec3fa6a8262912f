/** All operators, the ones that repair most first, and how often each is drawn. */
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
import { pattern } from "./operators/patterns.ts";
import {
  deleteStatement,
  earlyReturn,
  moveReturn,
  moveStatement,
  swapStatements,
  unwrapStatement,
} from "./operators/statements.ts";
import { clamp, donorStatement, indexOffset, nullGuard, returnName, sliceTemplate } from "./operators/templates.ts";
import { letters, separator, template, textWrap } from "./operators/texts.ts";
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
  pattern,
  separator,
  letters,
  template,
  returnName,
  indexOffset,
  nullGuard,
  sliceTemplate,
  clamp,
  textWrap,
  donorStatement,
];

/**
 * How often an operator is drawn, whatever the number of its changes: repairs that each made when single changes were tried on 164
 * broken programs, and one for each that made none or is new.
 */
export const yields: ReadonlyMap<string, number> = new Map([
  ["operator", 44],
  ["number", 17],
  ["identifier", 14],
  ["string", 3],
  ["off-by-one", 3],
  ["hoist", 3],
  ["boolean", 2],
  ["assignment", 2],
  ["unwrap", 2],
  ["method", 2],
  ["donor", 2],
]);

/** Every change that these operators know of a program, operator by operator. Lazy. */
export function* changesOf(program: ParsedProgram, chosen: readonly Operator[] = operators): Iterable<Change> {
  const ground: Ground = { program, declarations: declarationsOf(program) };
  for (const operator of chosen) for (const edits of operator.changes(ground)) yield { operator: operator.id, edits };
}
