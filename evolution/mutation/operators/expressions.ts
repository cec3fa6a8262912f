/** Operators on whole expressions: something too much, something missing, something in the wrong place. */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import type { ParsedProgram, Site } from "../program.ts";
import { isValue, textOf } from "../program.ts";
import { childrenOf } from "../../../sandbox/index.ts";
import { namesAt } from "../scope.ts";

/** Longest piece of a program that is put elsewhere, in characters. */
const DONOR_LENGTH_MAX = 60;
/** Donors tried for one place: the ones that stand nearest. */
const DONORS_MAX = 12;

/** An expression becomes one of its own parts: `a + b` becomes `a`, `f(x)` becomes `x`. */
export const hoist: Operator = {
  id: "hoist",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isValue(site) || isFunction(site.node)) continue;
      for (const [key, child] of childrenOf(site.node)) {
        if (isValue({ node: child, ancestors: [...site.ancestors, site.node], key }))
          yield replaced(site.node, textOf(program, child));
      }
    }
  },
};

/** `a - b` becomes `b - a`; `f(a, b)` becomes `f(b, a)`. */
export const swapOperands: Operator = {
  id: "swap",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type === "BinaryExpression") yield swapped(program, node.left, node.right);
      if (node.type !== "CallExpression") continue;
      for (const [index, left] of node.arguments.entries()) {
        const right = node.arguments[index + 1];
        if (right !== undefined) yield swapped(program, left, right);
      }
    }
  },
};

function swapped(program: ParsedProgram, left: AnyNode, right: AnyNode): ReturnType<typeof replaced> {
  return [...replaced(left, textOf(program, right)), ...replaced(right, textOf(program, left))];
}

/** A condition becomes its opposite, or none. */
export const negate: Operator = {
  id: "negate",
  *changes({ program }) {
    for (const { node, key, ancestors } of program.sites) {
      const parent = ancestors.at(-1);
      if (key !== "test" || parent === undefined || parent.type === "SwitchCase") continue;
      yield replaced(node, `!(${textOf(program, node)})`);
      yield replaced(node, "true");
      if (parent.type !== "ForStatement") yield replaced(node, "false");
    }
    for (const { node } of program.sites) {
      if (node.type === "UnaryExpression" && (node.operator === "!" || node.operator === "-"))
        yield replaced(node, textOf(program, node.argument));
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
      yield replaced(site.node, `(${text} + 1)`);
      yield replaced(site.node, `(${text} - 1)`);
    }
  },
};

function isCountable(site: Site): boolean {
  const parent = site.ancestors.at(-1);
  if (!isValue(site)) return false;
  const isIndex = parent?.type === "MemberExpression" && parent.computed && site.key === "property";
  const isBound = parent?.type === "BinaryExpression" && /^[<>]=?$/.test(parent.operator);
  const isReturned =
    parent?.type === "ReturnStatement" || (parent?.type === "ArrowFunctionExpression" && site.key === "body");
  const isArgument = parent?.type === "CallExpression" && site.key === "arguments";
  const isNumeric = /^(Identifier|MemberExpression|BinaryExpression|CallExpression)$/.test(site.node.type);
  return isNumeric && (isIndex || isBound || isReturned || isArgument);
}

/** A value is wrapped in what is often forgotten: `Math.abs`, a rounding, a conversion. */
export const wrap: Operator = {
  id: "wrap",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isValue(site) || isFunction(site.node) || site.node.type === "Literal") continue;
      const text = textOf(program, site.node);
      for (const call of ["Math.abs", "Math.floor", "Math.ceil", "Math.round", "Math.sqrt", "Number", "String"])
        yield replaced(site.node, `${call}(${text})`);
    }
  },
};

/** Something is called on a value: what a line of code often lacks at its end. */
export const postfix: Operator = {
  id: "postfix",
  *changes({ program }) {
    for (const site of program.sites) {
      if (!isValue(site) || !/^(Identifier|MemberExpression|CallExpression)$/.test(site.node.type)) continue;
      const text = textOf(program, site.node);
      for (const tail of [
        ".length",
        ".sort()",
        ".sort((a, b) => a - b)",
        ".reverse()",
        ".toLowerCase()",
        ".slice(1)",
        ".slice(0, -1)",
        ".toString()",
        "[0]",
      ])
        yield replaced(site.node, text + tail);
    }
  },
};

/** A value becomes another expression of the program that stands near. */
export const donor: Operator = {
  id: "donor",
  *changes({ program, declarations }) {
    const donors = program.sites.filter(
      (site) => isValue(site) && site.node.type !== "Identifier" && site.node.end - site.node.start <= DONOR_LENGTH_MAX,
    );
    for (const site of program.sites) {
      if (!isValue(site) || isFunction(site.node)) continue;
      const own = textOf(program, site.node);
      const near = donors.toSorted((a, b) => distance(a, site) - distance(b, site)).slice(0, DONORS_MAX);
      const texts = new Set([
        ...near.map(({ node }) => textOf(program, node)),
        ...namesAt(site, declarations).slice(0, DONORS_MAX),
      ]);
      for (const text of texts) if (text !== own) yield replaced(site.node, text);
    }
  },
};

function distance(a: Site, b: Site): number {
  return Math.abs(a.node.start - b.node.start);
}

/** A name in sight takes part in a value: `x` becomes `x + y`, `x * y`, `Math.max(x, y)`. */
export const combine: Operator = {
  id: "combine",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node } = site;
      if (!isValue(site) || !/^(Identifier|MemberExpression|CallExpression|BinaryExpression)$/.test(node.type))
        continue;
      const text = textOf(program, node);
      for (const name of namesAt(site, declarations).slice(0, DONORS_MAX)) {
        if (name === text) continue;
        for (const sign of ["+", "-", "*", "%"]) yield replaced(node, `(${text} ${sign} ${name})`);
        yield replaced(node, `Math.max(${text}, ${name})`);
        yield replaced(node, `Math.min(${text}, ${name})`);
      }
    }
  },
};

/** A condition gets another term. */
export const guard: Operator = {
  id: "guard",
  *changes({ program, declarations }) {
    const tests = program.sites.filter(({ node, key }) => key === "test" && node.type !== "Literal");
    const known = new Set(tests.flatMap(({ node }) => termsOf(program, node)));
    for (const site of tests) {
      const own = textOf(program, site.node);
      const names = namesAt(site, declarations).slice(0, DONORS_MAX);
      const terms = new Set([
        ...known,
        ...names.flatMap((name) => [`${name} > 0`, `${name} === 0`, `${name} == null`, `${name}.length > 0`]),
      ]);
      for (const term of terms) {
        if (own.includes(term)) continue;
        yield replaced(site.node, `(${own}) && (${term})`);
        yield replaced(site.node, `(${own}) || (${term})`);
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
      if (!isValue(site) || site.node.type !== "Literal") continue;
      for (const name of namesAt(site, declarations).slice(0, DONORS_MAX)) yield replaced(site.node, name);
    }
  },
};

function isFunction({ type }: AnyNode): boolean {
  return type === "ArrowFunctionExpression" || type === "FunctionExpression";
}
