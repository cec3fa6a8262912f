/** Operators on single tokens: the sign, the number, the word that was mistyped. */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Edit } from "../edit.ts";
import { Near } from "../near.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import { put } from "../place.ts";
import type { ParsedProgram, Site } from "../program.ts";
import { textOf, tokenAt, isValue } from "../program.ts";
import { namesAt } from "../scope.ts";

/** Literals of the program that are tried in the place of one: the nearest. */
const LITERALS_MAX = 12;
/** Longest text that is tried elsewhere, in characters. */
const TEXT_LENGTH_MAX = 60;

const BINARY: readonly (readonly string[])[] = [
  ["<", "<=", ">", ">=", "===", "!=="],
  ["+", "-", "*", "/", "%", "**"],
  ["&", "|", "^"],
  ["<<", ">>", ">>>"],
];
const LOOSE: Readonly<Record<string, string>> = { "==": "===", "!=": "!==" };
const LOGICAL = ["&&", "||", "??"];
const ASSIGNMENT = ["=", "+=", "-=", "*=", "/=", "%="];

/** `a < b` becomes `a <= b`, `a + b` becomes `a - b`, `a && b` becomes `a || b`. The sign alone: brackets stay where they are. */
export const binaryOperator: Operator = {
  id: "operator",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "BinaryExpression" && node.type !== "LogicalExpression") continue;
      const all = node.type === "LogicalExpression" ? LOGICAL : groupOf(node.operator);
      for (const sign of all) {
        if (sign === node.operator || sign === LOOSE[node.operator] || !mayMix(site, sign)) continue;
        yield* signed(program, { sign: node.operator, from: node.left.end, to: node.right.start }, sign);
      }
    }
  },
};

function groupOf(operator: string): readonly string[] {
  return BINARY.find((group) => group.includes(LOOSE[operator] ?? operator)) ?? [];
}

/** `??` next to `&&`, and `-a ** b`, are no JavaScript without brackets. */
function mayMix({ node, parent }: Site, sign: string): boolean {
  if (node.type === "LogicalExpression") {
    const near = [parent?.node, node.left, node.right];
    if (sign === "??") return !near.some((one) => one?.type === "LogicalExpression");
    return !near.some((one) => one?.type === "LogicalExpression" && one.operator === "??");
  }
  if (node.type !== "BinaryExpression" || sign !== "**") return true;
  // In `-a * b` the sign is that of `a`; behind `-(…) * b` a bracket would do, but nobody sees it in the tree.
  return !["UnaryExpression", "AwaitExpression", "BinaryExpression"].includes(node.left.type);
}

/** One edit that puts a sign in the place of another one, with blanks where two signs would become one. */
function* signed(
  program: ParsedProgram,
  old: { readonly sign: string; readonly from: number; readonly to: number },
  sign: string,
): Iterable<readonly Edit[]> {
  const start = tokenAt(program, old.sign, old.from, old.to);
  if (start === undefined) return;
  const end = start + old.sign.length;
  const before = /[-+*/<>&|=!?%^]/.test(program.code[start - 1] ?? "") ? " " : "";
  const behind = /[-+*/<>&|=!?%^.]/.test(program.code[end] ?? "") ? " " : "";
  yield [{ start, end, text: before + sign + behind }];
}

/** `+=` becomes `-=` or `=`. */
export const assignmentOperator: Operator = {
  id: "assignment",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (
        node.type !== "AssignmentExpression" ||
        !ASSIGNMENT.includes(node.operator) ||
        node.left.type.endsWith("Pattern")
      )
        continue;
      for (const sign of ASSIGNMENT)
        if (sign !== node.operator)
          yield* signed(program, { sign: node.operator, from: node.left.end, to: node.right.start }, sign);
    }
  },
};

/** `i++` becomes `i--`, and `++i` becomes `i++`. */
export const updateOperator: Operator = {
  id: "update",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "UpdateExpression") continue;
      const name = textOf(program, node.argument);
      const other = node.operator === "++" ? "--" : "++";
      yield replaced(node, node.prefix ? other + name : name + other);
      yield replaced(node, node.prefix ? name + node.operator : node.operator + name);
      yield replaced(node, name);
    }
  },
};

/** A number becomes its neighbour, its double, its half, its negative, 0, 1, 2, or another number that stands near. */
export const numberLiteral: Operator = {
  id: "number",
  *changes({ program }) {
    const numbers = new Near(program.sites.filter(({ node }) => isNumber(node)));
    for (const site of program.sites) {
      const { node } = site;
      if (!isNumber(node) || !isValue(site)) continue;
      const { value } = node;
      const known = numbers.around(site, LITERALS_MAX).map(({ node: other }) => (isNumber(other) ? other.value : 0));
      const others = new Set([value + 1, value - 1, 0, 1, 2, value * 2, value / 2, value * 10, 0 - value, ...known]);
      others.delete(value);
      for (const other of others)
        if (Number.isFinite(other)) yield put(program, site, String(other), other < 0 ? "operation" : "atom");
    }
  },
};

function isNumber(node: AnyNode): node is AnyNode & { readonly type: "Literal"; readonly value: number } {
  return node.type === "Literal" && typeof node.value === "number";
}

/** A text becomes empty, a blank, or another text that stands near. */
export const stringLiteral: Operator = {
  id: "string",
  *changes({ program }) {
    const literals = program.sites.filter((site) => isText(site.node) && isValue(site));
    const near = new Near(literals.filter(({ node }) => node.end - node.start <= TEXT_LENGTH_MAX));
    for (const site of literals) {
      const known = near.around(site, LITERALS_MAX).map(({ node }) => quoted(node));
      for (const text of new Set(['""', '" "', ...known]))
        if (text !== quoted(site.node)) yield put(program, site, text, "atom");
    }
  },
};

function quoted(node: AnyNode): string {
  return JSON.stringify(isText(node) ? node.value : "");
}

function isText(node: AnyNode): node is AnyNode & { readonly type: "Literal"; readonly value: string } {
  return node.type === "Literal" && typeof node.value === "string";
}

/** `true` becomes `false`. */
export const booleanLiteral: Operator = {
  id: "boolean",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type === "Literal" && typeof node.value === "boolean") yield replaced(node, String(!node.value));
    }
  },
};

/** A name becomes another one in sight. */
export const identifierSwap: Operator = {
  id: "identifier",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "Identifier" || !(isValue(site) || isTarget(site))) continue;
      for (const name of namesAt(site, declarations)) if (name !== node.name) yield put(program, site, name, "atom");
    }
  },
};

/** What is assigned to or counted up may be another variable, too. */
function isTarget({ parent, key }: Site): boolean {
  return (parent?.node.type === "AssignmentExpression" && key === "left") || parent?.node.type === "UpdateExpression";
}

const METHODS: readonly (readonly string[])[] = [
  ["min", "max"],
  ["floor", "ceil", "round", "trunc"],
  ["push", "unshift"],
  ["pop", "shift"],
  ["some", "every"],
  ["map", "filter", "flatMap", "forEach"],
  ["indexOf", "lastIndexOf"],
  ["find", "findLast"],
  ["findIndex", "findLastIndex"],
  ["startsWith", "endsWith", "includes"],
  ["toLowerCase", "toUpperCase"],
  ["trim", "trimStart", "trimEnd"],
  ["slice", "splice"],
  ["slice", "substring", "substr"],
  ["keys", "values", "entries"],
  ["padStart", "padEnd"],
  ["replace", "replaceAll"],
  ["charAt", "charCodeAt", "at"],
  ["reduce", "reduceRight"],
  ["sqrt", "cbrt"],
  ["length", "size"],
];

/** `min` becomes `max`, `some` becomes `every`. */
export const methodName: Operator = {
  id: "method",
  *changes({ program }) {
    for (const { node, parent, key } of program.sites) {
      if (node.type !== "Identifier" || key !== "property" || parent?.node.type !== "MemberExpression") continue;
      if (parent.node.computed) continue;
      const others = new Set(METHODS.filter((group) => group.includes(node.name)).flat());
      for (const other of others) if (other !== node.name) yield replaced(node, other);
    }
  },
};
