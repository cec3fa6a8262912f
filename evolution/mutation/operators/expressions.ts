/** Operators on whole expressions: something too much, something missing, something in the wrong place. */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Edit } from "../edit.ts";
import { Near } from "../near.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import { operand, put, putNode, shapeOf } from "../place.ts";
import type { ParsedProgram, Site } from "../program.ts";
import { isFunction, textOf, isValue } from "../program.ts";
import { namesAt } from "../scope.ts";

/** Longest piece of a program that is put elsewhere, in characters. */
const DONOR_LENGTH_MAX = 60;
/** Donors tried for one place: the ones that stand nearest. */
const DONORS_MAX = 12;
/** Longest expression that gets something around it; a longer one is a program, not a slip. */
const WRAPPED_LENGTH_MAX = 200;

/** An expression becomes one of its own parts: `a + b` becomes `a`, `f(x)` becomes `x`. */
export const hoist: Operator = {
  id: "hoist",
  *changes({ program }) {
    for (const part of program.sites) {
      const whole = part.parent?.node.type === "ChainExpression" ? part.parent : part;
      const above = isValue(part) ? whole.parent : undefined;
      const target = above?.parent?.node.type === "ChainExpression" ? above.parent : above;
      if (target === undefined || !isValue(target) || isFunction(target.node)) continue;
      yield putNode(program, target, part.node);
    }
  },
};

/** `a - b` becomes `b - a`; `f(a, b)` becomes `f(b, a)`. */
export const swapOperands: Operator = {
  id: "swap",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type === "BinaryExpression" && node.left.type !== "PrivateIdentifier")
        yield swapped(program, node.left, node.right, operand);
      if (node.type !== "CallExpression") continue;
      for (const [index, left] of node.arguments.entries()) {
        const right = node.arguments[index + 1];
        if (right !== undefined) yield swapped(program, left, right, textOf);
      }
    }
  },
};

function swapped(program: ParsedProgram, left: AnyNode, right: AnyNode, text: typeof operand): readonly Edit[] {
  return [...replaced(left, text(program, right)), ...replaced(right, text(program, left))];
}

/** A condition becomes its opposite, or none. */
export const negate: Operator = {
  id: "negate",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node, key, parent } = site;
      if (key === "test" && parent !== undefined && parent.node.type !== "SwitchCase") {
        yield put(program, site, `!${operand(program, node)}`, "operation");
        yield put(program, site, "true", "atom");
        if (parent.node.type !== "ForStatement") yield put(program, site, "false", "atom");
      }
      if (node.type === "UnaryExpression" && (node.operator === "!" || node.operator === "-") && isValue(site))
        yield putNode(program, site, node.argument);
    }
  },
};

/** A value is one too small or too large. */
export const offByOne: Operator = {
  id: "off-by-one",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isCountable(site)) continue;
      const text = textOf(program, site.node);
      yield put(program, site, `${text} + 1`, "operation");
      yield put(program, site, `${text} - 1`, "operation");
    }
  },
};

function isCountable(site: Site): boolean {
  const parent = site.parent?.node;
  if (parent === undefined || !isValue(site) || !isShort(site.node)) return false;
  const isCall = site.node.type === "CallExpression";
  if (site.node.type === "BinaryExpression") {
    if (!/^[-+*/%]$/.test(site.node.operator)) return false;
  } else if (!isCall && !/^(?:Identifier|MemberExpression)$/.test(site.node.type)) return false;
  const isIndex = parent.type === "MemberExpression" && parent.computed && site.key === "property";
  const isBound = parent.type === "BinaryExpression" && /^[<>]=?$/.test(parent.operator);
  const isReturned = parent.type === "ReturnStatement" || parent.type === "ArrowFunctionExpression";
  // What a call gives is seldom a number where it is kept.
  if (isKept(site)) return !isCall;
  return isIndex || isBound || isReturned || (parent.type === "CallExpression" && site.key === "arguments");
}

/** A variable gets this value. */
function isKept({ key, parent }: Site): boolean {
  const keeper = parent?.node;
  return (
    (keeper?.type === "VariableDeclarator" && key === "init") ||
    (keeper?.type === "AssignmentExpression" && keeper.operator === "=" && key === "right")
  );
}

/** A value is wrapped in what is often forgotten: `Math.abs`, a rounding, a conversion. */
export const wrap: Operator = {
  id: "wrap",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isValue(site) || !isWrappable(site) || isUnused(site) || site.node.type === "Literal") continue;
      const text = textOf(program, site.node);
      for (const call of ["Math.abs", "Math.floor", "Math.ceil", "Math.round", "Math.sqrt", "Number", "String"])
        yield put(program, site, `${call}(${text})`, "atom");
    }
  },
};

/** What is called has its own operators; functions and long texts are left as they are. */
function isWrappable({ node, key }: Site): boolean {
  return key !== "callee" && key !== "tag" && !isFunction(node) && node.end - node.start <= WRAPPED_LENGTH_MAX;
}

const TAILS = [
  ".length",
  ".sort()",
  ".sort((a, b) => a - b)",
  ".reverse()",
  ".toLowerCase()",
  ".slice(1)",
  ".slice(0, -1)",
  ".toString()",
  "[0]",
];

/** Something is called on a value: what a line of code often lacks at its end. */
export const postfix: Operator = {
  id: "postfix",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isValue(site) || !isWrappable(site)) continue;
      if (!/^(?:Identifier|MemberExpression|CallExpression)$/.test(site.node.type)) continue;
      for (const tail of TAILS) yield put(program, site, textOf(program, site.node) + tail, "atom");
    }
  },
};

/** A value becomes another expression of the program that stands near. */
export const donor: Operator = {
  id: "donor",
  *changes({ program, declarations }) {
    const donors = new Near(program.sites.filter(isDonor));
    for (const site of program.sites) {
      if (!isValue(site) || isFunction(site.node) || isUnused(site)) continue;
      const own = textOf(program, site.node);
      const seen = new Set([own]);
      for (const { node } of donors.around(site, DONORS_MAX)) {
        const text = textOf(program, node);
        if (!seen.has(text)) yield put(program, site, text, shapeOf(program, node));
        seen.add(text);
      }
      for (const name of namesAt(site, declarations)) if (!seen.has(name)) yield put(program, site, name, "atom");
    }
  },
};

/** A short value; what changes something is a statement, and has its own operators. */
function isDonor(site: Site): boolean {
  const { type } = site.node;
  return isValue(site) && isShort(site.node) && !isFunction(site.node) && !/^(?:Assignment|Update)/.test(type);
}

/** A name in sight takes part in a value: `x` becomes `x + y`, `x * y`, `Math.max(x, y)`. */
export const combine: Operator = {
  id: "combine",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node } = site;
      if (!isValue(site) || !isWrappable(site) || isUnused(site) || !isShort(node)) continue;
      if (!/^(?:Identifier|MemberExpression|CallExpression|BinaryExpression)$/.test(node.type)) continue;
      const text = textOf(program, node);
      const left = operand(program, node);
      for (const name of namesAt(site, declarations)) {
        if (name === text) continue;
        for (const sign of ["+", "-", "*", "%"]) yield put(program, site, `${left} ${sign} ${name}`, "operation");
        yield put(program, site, `Math.max(${text}, ${name})`, "atom");
        yield put(program, site, `Math.min(${text}, ${name})`, "atom");
      }
    }
  },
};

/** A condition gets another term. */
export const guard: Operator = {
  id: "guard",
  *changes({ program, declarations }) {
    const tests = program.sites.filter(({ node, key }) => key === "test" && node.type !== "Literal" && isShort(node));
    const near = new Near(tests);
    for (const site of tests) {
      const own = textOf(program, site.node);
      const terms = new Set(near.around(site, DONORS_MAX).flatMap(({ node }) => termsOf(program, node)));
      for (const name of namesAt(site, declarations)) {
        for (const term of [`${name} > 0`, `${name} === 0`, `${name} == null`, `${name}.length > 0`]) terms.add(term);
      }
      for (const term of terms) {
        if (own.includes(term)) continue;
        yield put(program, site, `(${own}) && (${term})`, "operation");
        yield put(program, site, `(${own}) || (${term})`, "operation");
      }
    }
  },
};

/** The smallest conditions within a condition. */
function termsOf(program: ParsedProgram, node: AnyNode): readonly string[] {
  if (node.type === "LogicalExpression") return [...termsOf(program, node.left), ...termsOf(program, node.right)];
  return [textOf(program, node)];
}

/** A written-down answer becomes a variable. */
export const literalToName: Operator = {
  id: "literal-to-name",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      if (!isValue(site) || !isWritten(site)) continue;
      for (const name of namesAt(site, declarations)) yield put(program, site, name, "atom");
    }
  },
};

/** A literal, or what a function returns without a look at anything: `[]`, `-1`, `{}`. */
function isWritten({ node, key, parent }: Site): boolean {
  if (node.type === "Literal") return true;
  const isReturned =
    parent?.node.type === "ReturnStatement" || (parent?.node.type === "ArrowFunctionExpression" && key === "body");
  if (!isReturned) return false;
  if (node.type === "ArrayExpression") return node.elements.length === 0;
  if (node.type === "ObjectExpression") return node.properties.length === 0;
  return node.type === "UnaryExpression" && node.argument.type === "Literal";
}

function isShort({ start, end }: AnyNode): boolean {
  return end - start <= DONOR_LENGTH_MAX;
}

/** What it is worth is of no interest to anybody. */
function isUnused({ parent }: Site): boolean {
  return parent?.node.type === "ExpressionStatement";
}
