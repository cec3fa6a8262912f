/** Templates on values: converted, exchanged, a part of, one more or less. */
import { replaced, type Operator } from "../../../mutation/operator.ts";
import { isValue, textOf } from "../../../mutation/program.ts";
import { namesAt } from "../../../mutation/scope.ts";
import { NAMES_MAX, donorsOf } from "./donors.ts";

/** Elements of a list change places. */
export const swapElements: Operator = {
  id: "swap-elements",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "ArrayExpression") continue;
      for (const [index, left] of node.elements.entries()) {
        const right = node.elements[index + 1];
        if (left && right) yield [...replaced(left, textOf(program, right)), ...replaced(right, textOf(program, left))];
      }
    }
  },
};

/** A list without its doubles; a list as arguments; a value that is turned into another kind. */
export const convert: Operator = {
  id: "convert",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node, key, parent } = site;
      if (!isValue(site) || !/^(Identifier|MemberExpression|CallExpression|ArrayExpression)$/.test(node.type)) continue;
      const text = textOf(program, node);
      yield replaced(node, `[...new Set(${text})]`);
      if (key === "arguments" || parent?.node.type === "ArrayExpression") yield replaced(node, `...${text}`);
      for (const tail of [".trim()", ".toUpperCase()", ".split('')", ".join('')", ".slice()", ".at(-1)", ".toFixed(0)"])
        yield replaced(node, text + tail);
    }
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "Identifier" || !isValue(site)) continue;
      for (const name of namesAt(site, declarations).slice(0, NAMES_MAX)) {
        if (name === node.name) continue;
        yield replaced(node, `${node.name}.slice(${name})`);
        yield replaced(node, `${node.name}.slice(0, ${name})`);
        yield replaced(node, `${node.name}[${name}]`);
      }
    }
  },
};

/** A term or an index is one too small or too large. */
export const termOffByOne: Operator = {
  id: "term-off-by-one",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node, parent } = site;
      if (!isValue(site) || !/^(Identifier|MemberExpression|CallExpression|UnaryExpression)$/.test(node.type)) continue;
      if (
        !/^(BinaryExpression|AssignmentExpression|VariableDeclarator|CallExpression|UnaryExpression)$/.test(
          parent?.node.type ?? "",
        )
      )
        continue;
      for (const step of ["+ 1", "- 1"]) yield replaced(node, `(${textOf(program, node)} ${step})`);
    }
  },
};

/** `x > e` that should have been `x => e`. */
export const arrow: Operator = {
  id: "arrow",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (node.type !== "BinaryExpression" || node.operator !== ">" || node.left.type !== "Identifier") continue;
      const at = node.left.end + program.code.slice(node.left.end, node.right.start).indexOf(">");
      yield [{ start: at, end: at + 1, text: "=>" }];
    }
    for (const { node } of program.sites) {
      // (x > a) < b reads as x => a < b.
      if (node.type !== "BinaryExpression" || node.left.type !== "BinaryExpression" || node.left.operator !== ">")
        continue;
      if (node.left.left.type !== "Identifier") continue;
      const rest = textOf(program, node.left.right);
      for (const sign of ["<", "<=", ">", ">=", "===", "!=="])
        yield replaced(node, `${node.left.left.name} => ${rest} ${sign} ${textOf(program, node.right)}`);
    }
  },
};

/** A value gets another factor or term that the program has elsewhere. */
export const extend: Operator = {
  id: "extend",
  *changes({ program }) {
    const donors = donorsOf(program);
    for (const site of program.sites) {
      const { node, parent } = site;
      if (
        node.type !== "BinaryExpression" ||
        parent?.node.type === "BinaryExpression" ||
        !/^[-+*/%]$/.test(node.operator)
      )
        continue;
      const text = textOf(program, node);
      for (const donor of donors)
        for (const sign of ["+", "-", "*"]) yield replaced(node, `(${text}) ${sign} ${donor}`);
    }
  },
};

/** A literal or a name becomes a part of a name in sight. */
export const partOfName: Operator = {
  id: "part-of-name",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node } = site;
      if (!isValue(site) || (node.type !== "Literal" && node.type !== "Identifier")) continue;
      for (const name of namesAt(site, declarations).slice(0, NAMES_MAX))
        for (const part of ["[0]", ".length", ".length - 1", "[0].length"]) yield replaced(node, name + part);
    }
  },
};
