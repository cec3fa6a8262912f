/**
 * Tests as cases: each `console.assert` becomes a call of the program and a judge of its answer, so which ones fail can guide a
 * search, and the program sees nothing of a test but the arguments.
 */
import type { AnyNode } from "../../../sandbox/index.ts";
import { childrenOf, parseScript } from "../../../sandbox/index.ts";
import type { CallOutcome } from "../../population/program-runner.ts";
import { BeyondJudging, valueOf } from "./judge.ts";

/** One assertion. */
export interface RepairCase {
  /** Function of the program that it calls. */
  readonly entry: string;
  readonly args: readonly unknown[];
  /** The value that it must be equal to, where the assertion says it. */
  readonly expected: { readonly value: unknown } | undefined;
  /** Whether the assertion holds of the outcome. */
  passes(outcome: CallOutcome): boolean;
}

/** What a test text says. */
export interface RepairCases {
  readonly cases: readonly RepairCase[];
  /** Assertions that are no single call with a judge: loops, random input, two calls. They are run as they are (script-test.ts). */
  readonly beyond: number;
}

/** Reads a test; `functions` are those of the program. A text that does not parse has one assertion, and it is beyond. */
export function casesOf(test: string, functions: ReadonlySet<string>): RepairCases {
  const parsed = parseScript(test);
  if (!("program" in parsed)) return { cases: [], beyond: 1 };
  const cases: RepairCase[] = [];
  let beyond = 0;
  for (const assertion of assertionsIn(parsed.program)) {
    const found = assertion.isStraight ? caseOf(assertion.condition, functions) : undefined;
    if (found === undefined) beyond++;
    else cases.push(found);
  }
  return { cases, beyond };
}

interface Assertion {
  readonly condition: AnyNode;
  /** It is reached once, whatever happens: no loop, no branch, no inner function around it. */
  readonly isStraight: boolean;
}

function assertionsIn(program: AnyNode): readonly Assertion[] {
  const found: Assertion[] = [];
  const stack: { readonly node: AnyNode; readonly functions: number; readonly isStraight: boolean }[] = [
    { node: program, functions: 0, isStraight: true },
  ];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { node } = top;
    const condition = conditionOf(node);
    if (condition !== undefined) {
      found.push({ condition, isStraight: top.isStraight });
      continue;
    }
    const functions = top.functions + (/Function/.test(node.type) ? 1 : 0);
    const isStraight =
      top.isStraight && functions <= 1 && !/^(For|While|DoWhile|If|Switch|Try|Conditional|Logical)/.test(node.type);
    const below = [...childrenOf(node)].map(([, child]) => ({ node: child, functions, isStraight }));
    stack.push(...below.toReversed());
  }
  return found;
}

function conditionOf(node: AnyNode): AnyNode | undefined {
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return undefined;
  const { object, property } = node.callee;
  const isAssert =
    object.type === "Identifier" &&
    object.name === "console" &&
    property.type === "Identifier" &&
    property.name === "assert";
  return isAssert ? node.arguments[0] : undefined;
}

function caseOf(condition: AnyNode, functions: ReadonlySet<string>): RepairCase | undefined {
  const calls = callsIn(condition, functions);
  const [call] = calls;
  if (call === undefined || calls.length > 1) return undefined;
  try {
    const args = call.arguments.map((argument) => valueOf(argument));
    // Beyond judging is found out now, not in the midst of a search.
    probe(condition, call.node);
    const expected = expectedOf(condition, call.node);
    return { entry: call.entry, args, expected, passes: (outcome) => isHeld(condition, call.node, outcome) };
  } catch (error) {
    if (error instanceof BeyondJudging) return undefined;
    throw error;
  }
}

/** Throws what is beyond judging; that the test itself throws of a text is no news. */
function probe(condition: AnyNode, node: AnyNode): void {
  try {
    valueOf(condition, { node, value: "" });
  } catch (error) {
    if (error instanceof BeyondJudging) throw error;
  }
}

interface CallSite {
  readonly node: AnyNode;
  readonly entry: string;
  readonly arguments: readonly AnyNode[];
}

function callsIn(root: AnyNode, functions: ReadonlySet<string>): readonly CallSite[] {
  const calls: CallSite[] = [];
  const stack: AnyNode[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === "CallExpression" && node.callee.type === "Identifier" && functions.has(node.callee.name))
      calls.push({ node, entry: node.callee.name, arguments: node.arguments });
    for (const [, child] of childrenOf(node)) stack.push(child);
  }
  return calls;
}

function isHeld(condition: AnyNode, node: AnyNode, outcome: CallOutcome): boolean {
  if (outcome.kind !== "returned") return false;
  try {
    return Boolean(valueOf(condition, { node, value: outcome.value }));
  } catch {
    // The test itself would throw: a cycle has no JSON, a list no property of that name, an object no number.
    return false;
  }
}

/** The other side of `f(x) === y`, or of the same between `JSON.stringify`. */
function expectedOf(condition: AnyNode, call: AnyNode): RepairCase["expected"] {
  if (condition.type !== "BinaryExpression" || !/^={2,3}$/.test(condition.operator)) return undefined;
  for (const [own, other] of [
    [condition.left, condition.right],
    [condition.right, condition.left],
  ] as const) {
    if (own === call) return { value: valueOf(other) };
    const [said, meant] = [stringified(own), stringified(other)];
    if (said === call && meant !== undefined) return { value: valueOf(meant) };
  }
  return undefined;
}

function stringified(node: AnyNode): AnyNode | undefined {
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return undefined;
  const { property } = node.callee;
  return property.type === "Identifier" && property.name === "stringify" ? node.arguments[0] : undefined;
}
