/** Templates on what was done wrong more than once, and on the terms of conditions. */
import type { AnyNode } from "../../../../sandbox/index.ts";
import type { Edit } from "../../../mutation/edit.ts";
import { replaced, type Operator } from "../../../mutation/operator.ts";
import { isValue, textOf, type ParsedProgram } from "../../../mutation/program.ts";

/** The same mistake everywhere: all of one sign, all of one literal, all truths. */
export const everywhere: Operator = {
  id: "everywhere",
  *changes({ program }) {
    const groups = new Map<string, AnyNode[]>();
    for (const site of program.sites) {
      const { node } = site;
      if (node.type === "Literal" && isValue(site)) groupBy(groups, `literal ${textOf(program, node)}`, node);
      if (node.type === "Literal" && typeof node.value === "boolean") groupBy(groups, "truths", node);
      if (node.type === "BinaryExpression" || node.type === "LogicalExpression")
        groupBy(groups, `sign ${node.operator}`, node);
    }
    const literals = [...groups.keys()].filter((key) => key.startsWith("literal ")).map((key) => key.slice(8));
    for (const [key, nodes] of groups) {
      if (nodes.length < 2) continue;
      if (key === "truths")
        yield nodes.flatMap((node) => replaced(node, textOf(program, node) === "true" ? "false" : "true"));
      else if (key.startsWith("literal ")) {
        for (const text of literals)
          if (text !== key.slice(8) && isAlike(text, key.slice(8))) yield nodes.flatMap((node) => replaced(node, text));
      } else {
        const sign = key.slice(5);
        for (const other of signsLike(sign))
          yield nodes.map((node) => signEdit(program, node, sign, other)).filter((edit) => edit !== undefined);
      }
    }
    yield* nestedLogic(program);
  },
};

/** All signs of one chain: `a && b && c` becomes `a || b || c`. */
function* nestedLogic(program: ParsedProgram): Iterable<readonly Edit[]> {
  for (const { node, parent } of program.sites) {
    if (node.type !== "LogicalExpression" || parent?.node.type === "LogicalExpression") continue;
    const chain: AnyNode[] = [];
    for (const stack: AnyNode[] = [node]; stack.length > 0;) {
      const top = stack.pop();
      if (top?.type !== "LogicalExpression" || top.operator !== node.operator) continue;
      chain.push(top);
      stack.push(top.left, top.right);
    }
    if (chain.length < 2) continue;
    const other = node.operator === "&&" ? "||" : "&&";
    yield chain.map((each) => signEdit(program, each, node.operator, other)).filter((edit) => edit !== undefined);
  }
}

function groupBy(groups: Map<string, AnyNode[]>, key: string, node: AnyNode): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [node]);
  else group.push(node);
}

const SIGNS = [
  ["<", "<=", ">", ">="],
  ["==", "!="],
  ["===", "!=="],
  ["+", "-", "*", "/", "%"],
  ["&&", "||"],
];

function signsLike(sign: string): readonly string[] {
  return (SIGNS.find((group) => group.includes(sign)) ?? []).filter((other) => other !== sign);
}

function signEdit(program: ParsedProgram, node: AnyNode, sign: string, other: string): Edit | undefined {
  if (node.type !== "BinaryExpression" && node.type !== "LogicalExpression") return undefined;
  const at = node.left.end + program.code.slice(node.left.end, node.right.start).indexOf(sign);
  return { start: at, end: at + sign.length, text: other };
}

/** A part of a condition becomes its opposite. */
export const negateTerm: Operator = {
  id: "negate-term",
  *changes({ program }) {
    for (const { node, parent, key } of program.sites) {
      const isTerm = parent?.node.type === "LogicalExpression";
      if (isTerm || (key === "argument" && node.type === "LogicalExpression"))
        yield replaced(node, `!(${textOf(program, node)})`);
    }
  },
};

/** Both numbers, both texts, or the same. */
function isAlike(a: string, b: string): boolean {
  return kindOf(a) === kindOf(b);
}

function kindOf(literal: string): string {
  if (/^\d/.test(literal)) return "number";
  return /^['"]/.test(literal) ? "text" : literal;
}
