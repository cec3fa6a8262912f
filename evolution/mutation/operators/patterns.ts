/** Operators on regular expressions. The text of one is walked from left to right; what comes out is a pattern V8 can read. */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { Operator } from "../operator.ts";
import { replaced } from "../operator.ts";

/** Longest pattern that is changed, in characters. */
const PATTERN_LENGTH_MAX = 200;

/** A piece of a pattern: a sign, a class of characters, an escape. */
interface Piece {
  readonly start: number;
  readonly text: string;
  readonly isQuantifier: boolean;
}

const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "+": ["*", "?", "+?"],
  "*": ["+", "?", "*?"],
  "?": ["*", "+"],
  ".": ["[^]", "\\."],
  "\\d": ["\\D", "\\w", "\\d+"],
  "\\D": ["\\d"],
  "\\w": ["\\W", "\\d", "\\S", "\\w+"],
  "\\W": ["\\w"],
  "\\s": ["\\S", "\\s+", " "],
  "\\S": ["\\s", "\\w"],
  "\\b": ["\\B"],
  "\\B": ["\\b"],
};

/** `+` becomes `*`, `\d` becomes `\w`, a class its opposite; anchors and flags come and go; a piece goes or is repeated. */
export const pattern: Operator = {
  id: "pattern",
  *changes({ program }) {
    for (const { node } of program.sites) {
      if (!isPattern(node) || node.regex.pattern.length > PATTERN_LENGTH_MAX) continue;
      const { pattern: source, flags } = node.regex;
      const seen = new Set([`/${source}/${flags}`]);
      for (const [text, other] of neighbours(source, flags)) {
        const literal = `/${text}/${other}`;
        if (seen.has(literal) || !isReadable(text, other)) continue;
        seen.add(literal);
        yield replaced(node, literal);
      }
    }
  },
};

function* neighbours(source: string, flags: string): Iterable<readonly [pattern: string, flags: string]> {
  for (const flag of "gimsy") yield [source, flags.includes(flag) ? flags.replace(flag, "") : flags + flag];
  yield [source.startsWith("^") ? source.slice(1) : `^${source}`, flags];
  yield [source.endsWith("$") && !source.endsWith("\\$") ? source.slice(0, -1) : `${source}$`, flags];
  for (const { start, text, isQuantifier } of piecesOf(source)) {
    const with_ = (other: string): readonly [string, string] => [
      source.slice(0, start) + other + source.slice(start + text.length),
      flags,
    ];
    for (const other of OTHERS[text] ?? []) yield with_(other);
    if (text.startsWith("[^")) yield with_(`[${text.slice(2)}`);
    else if (text.startsWith("[")) yield with_(`[^${text.slice(1)}`);
    yield with_("");
    if (!isQuantifier && !/^[()|^$]$|^\(\?/.test(text)) yield with_(`${text}+`);
  }
}

/** A class with everything in it, an escape, the begin of a group, a count in braces, or one character. */
const PIECE = /\[(?:\\[^]|[^\]\\])*\]|\\[^]|\(\?(?:[:=!]|<[=!])|\{\d+,?\d*\}\??|[+*?]\??|[^]/g;

function piecesOf(source: string): readonly Piece[] {
  return [...source.matchAll(PIECE)].map(({ 0: text, index }) => ({
    start: index,
    text,
    isQuantifier: /^[+*?{]/.test(text),
  }));
}

function isReadable(source: string, flags: string): boolean {
  // Two slashes are a comment, and a slash of its own would end the literal.
  if (source === "" || source.startsWith("*") || source.startsWith("/")) return false;
  try {
    return new RegExp(source, flags).source === source;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function isPattern(
  node: AnyNode,
): node is AnyNode & { readonly regex: { readonly pattern: string; readonly flags: string } } {
  return node.type === "Literal" && "regex" in node && node.regex !== undefined && node.regex !== null;
}
