/**
 * The door of the parser: text in, syntax tree out, or where and why not.
 *
 * Invariants
 * 1. No text brings it down. What is nested deeper than the parser's stack is a refusal.
 * 2. Its time and memory go with the length of the text. So acorn does not look whether a name is declared twice, whether an exported name
 *    exists, or whether a regular expression is one: it does that in the square of their number (256 KiB of `let a;let b;…` took 3.5 s,
 *    one pattern 23 s, `var`s within blocks 750 MiB). esbuild and V8 look, too.
 */
import { Parser, type AnyNode, type Options, type Program } from "acorn";
import type { RuleId } from "./rules.ts";

/** Nodes as they are written in the standard for syntax trees (ESTree). */
export type { AnyNode, MemberExpression, Program } from "acorn";

/** A tree, or the rule that the text breaks, at an offset in UTF-16 units. */
export type Parsed = { readonly program: Program } | { readonly rule: RuleId; readonly at: number };

/** Parses a script. */
export function parseScript(code: string): Parsed {
  try {
    // Imports and exports everywhere: the rules shall see what only a module may have.
    return { program: parserOf(code, { ecmaVersion: "latest", allowImportExportEverywhere: true }).parse() };
  } catch (error) {
    // Of the stack, where acorn has no eye on it; nothing else in there throws one.
    if (error instanceof RangeError) return { rule: "too-deep", at: 0 };
    if (!(error instanceof SyntaxError)) throw error;
    const { pos } = error as SyntaxError & { readonly pos?: number }; // acorn's own have it
    return { rule: ruleOf(error.message), at: pos ?? 0 };
  }
}

/** What acorn does in the square of something: methods that its plugins may replace, of which its types know nothing. */
const LEFT_OUT = {
  declareName: (): void => {},
  checkLocalExport: (): void => {},
  validateRegExpFlags: (): void => {},
  validateRegExpPattern: (): void => {},
};

function parserOf(code: string, options: Options): Parser {
  // Its constructor is for its own static methods by its types alone.
  const Open = Parser as unknown as new (options: Options, code: string) => Parser;
  return Object.assign(new Open(options, code), LEFT_OUT);
}

/** acorn's words, of version 8. */
function ruleOf(message: string): RuleId {
  if (message.startsWith("Not enough stack space")) return "too-deep";
  return message.startsWith("'with' in strict mode") ? "with" : "syntax";
}

/** Every node directly below, in the order of the text but for some that begin with what stands behind. */
export function childrenOf(node: AnyNode): readonly (readonly [key: string, child: AnyNode])[] {
  const children: (readonly [key: string, child: AnyNode])[] = [];
  for (const key in node) {
    // A node's own properties are data; which of them are nodes is looked at.
    const value = (node as unknown as Readonly<Record<string, unknown>>)[key];
    if (typeof value !== "object" || value === null) continue;
    // `{ a }` has the name once as a key and once as a value.
    if (key === "key" && node.type === "Property" && node.shorthand) continue;
    if (isNode(value)) children.push([key, value]);
    else if (Array.isArray(value)) for (const child of value) if (isNode(child)) children.push([key, child]);
  }
  return children;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
