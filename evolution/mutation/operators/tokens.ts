/** Operators on single tokens: the sign, the number, the word that was mistyped. */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import { isValue, textOf } from "../program.ts";
import { namesAt } from "../scope.ts";

const BINARY: readonly (readonly string[])[] = [
  ["<", "<=", ">", ">=", "===", "!=="],
  ["+", "-", "*", "/", "%", "**"],
  ["&", "|", "^"],
  ["<<", ">>", ">>>"],
];
const LOOSE: Readonly<Record<string, string>> = { "==": "===", "!=": "!==" };
const LOGICAL = ["&&", "||", "??"];
const ASSIGNMENT = ["=", "+=", "-=", "*=", "/=", "%="];

/** `a < b` becomes `a <= b`, `a + b` becomes `a - b`, `a && b` becomes `a || b`. */
export const binaryOperator: Operator = {
  id: "operator",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "BinaryExpression" && node.type !== "LogicalExpression") continue;
      const all = node.type === "LogicalExpression" ? LOGICAL : groupOf(node.operator);
      const at = node.left.end + program.code.slice(node.left.end, node.right.start).indexOf(node.operator);
      for (const operator of all) {
        if (operator !== node.operator && operator !== LOOSE[node.operator])
          yield [{ start: at, end: at + node.operator.length, text: operator }];
      }
    }
  },
};

function groupOf(operator: string): readonly string[] {
  return BINARY.find((group) => group.includes(LOOSE[operator] ?? operator)) ?? [];
}

/** `+=` becomes `-=` or `=`. */
export const assignmentOperator: Operator = {
  id: "assignment",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "AssignmentExpression" || !ASSIGNMENT.includes(node.operator)) continue;
      const at = node.left.end + program.code.slice(node.left.end, node.right.start).indexOf(node.operator);
      for (const operator of ASSIGNMENT) {
        if (operator !== node.operator) yield [{ start: at, end: at + node.operator.length, text: operator }];
      }
    }
  },
};

/** `i++` becomes `i--`, and `++i` becomes `i++`. */
export const updateOperator: Operator = {
  id: "update",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "UpdateExpression") continue;
      const name = textOf(program, node.argument);
      const other = node.operator === "++" ? "--" : "++";
      yield replaced(node, node.prefix ? other + name : name + other);
      yield replaced(node, node.prefix ? name + node.operator : node.operator + name);
      yield replaced(node, name);
    }
  },
};

/** A number becomes its neighbour, its double, its half, its negative, 0, 1, 2, or another number of the program. */
export const numberLiteral: Operator = {
  id: "number",
  *changes({ program }) {
    const known = new Set<number>();
    for (const { node } of program.sites) if (isNumber(node)) known.add(node.value);
    for (const site of program.sites) {
      const { node } = site;
      if (!isNumber(node) || !isValue(site)) continue;
      const { value } = node;
      const texts = new Set([value + 1, value - 1, 0, 1, 2, value * 2, value / 2, value * 10, ...known].map(String));
      texts.delete(String(value));
      for (const text of texts) yield replaced(node, text.startsWith("-") ? `(${text})` : text);
    }
  },
};

function isNumber(node: AnyNode): node is AnyNode & { readonly type: "Literal"; readonly value: number } {
  return node.type === "Literal" && typeof node.value === "number";
}

/** A text becomes empty, a blank, or another text of the program. */
export const stringLiteral: Operator = {
  id: "string",
  *changes({ program }) {
    const literals = program.sites.filter((site) => isText(site.node) && isValue(site)).map(({ node }) => node);
    const known = new Set(literals.filter(isText).map(({ value }) => JSON.stringify(value)));
    for (const node of literals.filter(isText)) {
      const own = JSON.stringify(node.value);
      for (const text of new Set(['""', '" "', ...known])) if (text !== own) yield replaced(node, text);
    }
  },
};

function isText(node: AnyNode): node is AnyNode & { readonly type: "Literal"; readonly value: string } {
  return node.type === "Literal" && typeof node.value === "string";
}

/** `true` becomes `false`. */
export const booleanLiteral: Operator = {
  id: "boolean",
  *changes({ program }) {
    for (const { node } of program.sites) {
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
      if (node.type !== "Identifier" || !(isValue(site) || isTarget(site.ancestors.at(-1), site.key))) continue;
      for (const name of namesAt(site, declarations)) if (name !== node.name) yield replaced(node, name);
    }
  },
};

/** What is assigned to or counted up may be another variable, too; what is called may be another function. */
function isTarget(parent: AnyNode | undefined, key: string): boolean {
  return (parent?.type === "AssignmentExpression" && key === "left") || parent?.type === "UpdateExpression";
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
    for (const { node, ancestors, key } of program.sites) {
      if (node.type !== "Identifier" || key !== "property" || ancestors.at(-1)?.type !== "MemberExpression") continue;
      const others = new Set(METHODS.filter((group) => group.includes(node.name)).flat());
      for (const other of others) if (other !== node.name) yield replaced(node, other);
    }
  },
};
