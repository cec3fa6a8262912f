/** Operators on how texts are built: templates, separators, the letters of a literal. */
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";
import { put } from "../place.ts";
import type { Site } from "../program.ts";
import { textOf, isValue } from "../program.ts";
import { NAMES_MAX, namesAt } from "../scope.ts";

const SEPARATORS = ["", " ", ",", ", ", "\n", "-"];
/** Longest literal whose letters are changed. */
const LETTERS_MAX = 40;

/** A piece of a template goes, changes places with the next one, or another name is put in. */
export const template: Operator = {
  id: "template",
  *changes({ program, declarations }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "TemplateLiteral" || site.parent?.node.type === "TaggedTemplateExpression") continue;
      for (const quasi of node.quasis) if (quasi.end > quasi.start) yield replaced(quasi, "");
      for (const [index, { start, end }] of node.expressions.entries()) {
        const [before, behind, next] = [node.quasis[index], node.quasis[index + 1], node.expressions[index + 1]];
        if (before !== undefined && behind !== undefined) yield [{ start: before.end, end: behind.start, text: "" }];
        if (next !== undefined)
          yield [
            { start, end, text: textOf(program, next) },
            { start: next.start, end: next.end, text: program.text.slice(start, end) },
          ];
      }
      for (const name of namesAt(site, declarations).slice(0, NAMES_MAX / 2))
        for (const quasi of node.quasis) yield [{ start: quasi.end, end: quasi.end, text: `\${${name}}` }];
    }
  },
};

/** The text between the parts: `join("")` becomes `join(" ")`. */
export const separator: Operator = {
  id: "separator",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node } = site;
      if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") continue;
      const { property } = node.callee;
      if (property.type !== "Identifier" || !/^(?:join|split|padStart|padEnd|concat)$/.test(property.name)) continue;
      const last = node.arguments.at(-1);
      for (const text of SEPARATORS) {
        const quoted = JSON.stringify(text);
        if (last === undefined) yield [{ start: node.end - 1, end: node.end - 1, text: quoted }];
        else if (last.type === "Literal" && last.value !== text) yield replaced(last, quoted);
      }
    }
  },
};

/** The letters of a literal: fewer, in another case, with a blank. */
export const letters: Operator = {
  id: "letters",
  *changes({ program }) {
    for (const site of program.sites) {
      const value = textIn(site);
      if (value === undefined || value.length > LETTERS_MAX) continue;
      const others = new Set([
        value.slice(1),
        value.slice(0, -1),
        value.toUpperCase(),
        value.toLowerCase(),
        value.slice(0, 1).toUpperCase() + value.slice(1),
        value.trim(),
        `${value} `,
        ` ${value}`,
        Array.from(value).toReversed().join(""),
      ]);
      others.delete(value);
      for (const text of others) yield put(program, site, JSON.stringify(text), "atom");
    }
  },
};

function textIn(site: Site): string | undefined {
  const { node } = site;
  return node.type === "Literal" && typeof node.value === "string" && isValue(site) ? node.value : undefined;
}

const WRAPS: readonly (readonly [before: string, behind: string])[] = [
  ["[...", '].reverse().join("")'],
  ["[...new Set(", ")]"],
  ["[...", '].sort().join("")'],
  ["String(", ').split("")'],
  ["String(", ").trim()"],
  ["String(", ").toUpperCase()"],
];

/** What is returned or joined is a text turned round, cleaned, or taken apart. */
export const textWrap: Operator = {
  id: "text-wrap",
  *changes({ program }) {
    for (const site of program.sites) {
      const { node, parent, key } = site;
      if (!isValue(site) || !/^(?:Identifier|MemberExpression|CallExpression|BinaryExpression)$/.test(node.type))
        continue;
      const isSource = parent?.node.type === "ReturnStatement" || parent?.node.type === "VariableDeclarator";
      const isPart = key === "arguments" || (key === "right" && parent?.node.type !== "BinaryExpression");
      if (!isSource && !isPart) continue;
      const text = textOf(program, node);
      for (const [before, behind] of WRAPS) yield put(program, site, before + text + behind, "atom");
    }
  },
};
