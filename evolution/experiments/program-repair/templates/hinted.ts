/** Templates that take constants from the description of a task. */
import { replaced, type Operator } from "../../../mutation/operator.ts";
import { isValue } from "../../../mutation/program.ts";
import type { Hints } from "../hints.ts";
import { NAMES_MAX } from "./donors.ts";

/** Longest text of which each sign is left out in turn. */
const RESPELT_MAX = 40;
/** Edges of the ranges of letters and digits in ASCII, closed and open. */
const LETTER_CODES = ["48", "57", "58", "65", "90", "91", "96", "97", "122", "123"];

/** Something between two texts that are put together. */
export function hintedSeparator(hints: Hints): Operator {
  return {
    id: "hinted-separator",
    *changes({ program }) {
      for (const { node } of program.sites) {
        if (node.type !== "BinaryExpression" || node.operator !== "+") continue;
        for (const text of new Set(['" "', ...hints.texts.slice(0, NAMES_MAX)])) {
          yield [{ start: node.right.start, end: node.right.start, text: `${text} + ` }];
          yield [{ start: node.right.end, end: node.right.end, text: ` + ${text}` }];
        }
      }
    },
  };
}

/** A constant of the description in the place of one of the program, or of what is returned. */
export function hintedLiteral(hints: Hints): Operator {
  return {
    id: "hinted-literal",
    *changes({ program }) {
      const usesCodes = /char(?:Code|Point)|codePoint|CharCode/.test(program.code);
      for (const site of program.sites) {
        const { node } = site;
        if (!isValue(site)) continue;
        const isReturned = site.key === "argument" && site.parent?.node.type === "ReturnStatement";
        const isNumber = node.type === "Literal" && typeof node.value === "number";
        const isText = node.type === "Literal" && typeof node.value === "string";
        if (isNumber && usesCodes) for (const code of LETTER_CODES) yield replaced(node, code);
        if (isNumber || isReturned)
          for (const number of hints.numbers) yield replaced(node, number.startsWith("-") ? `(${number})` : number);
        if (isText || isReturned) for (const text of hints.texts) yield replaced(node, text);
      }
    },
  };
}

/** One sign more, less or other in a text: a typing mistake, or one that an example shows. */
export function respell(hints: Hints): Operator {
  return {
    id: "respell",
    *changes({ program }) {
      const words = hints.texts.map((text) => String(JSON.parse(text))).filter((word) => word !== "");
      for (const site of program.sites) {
        const { node } = site;
        if (node.type !== "Literal" || typeof node.value !== "string" || !isValue(site)) continue;
        const { value } = node;
        if (value === "") continue;
        const texts = new Set([
          value.slice(1),
          value.slice(0, -1),
          value + value.slice(-1),
          ` ${value}`,
          `${value} `,
          value.trim(),
        ]);
        for (const word of words) if (isMisspelt(value, word)) texts.add(word);
        for (let at = 1; at < value.length - 1 && value.length <= RESPELT_MAX; at++)
          texts.add(value.slice(0, at) + value.slice(at + 1));
        texts.delete(value);
        for (const text of texts) yield replaced(node, JSON.stringify(text));
      }
    },
  };
}

/** True for words of some length that differ in one letter, or two that changed places. */
function isMisspelt(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1 || b.length < 3) return false;
  let front = 0;
  while (front < a.length && a[front] === b[front]) front++;
  let back = 0;
  while (back < Math.min(a.length, b.length) - front && a.at(-1 - back) === b.at(-1 - back)) back++;
  return Math.max(a.length, b.length) - front - back <= 2;
}
