/**
 * A program as mutators see it: its text, and the syntax tree of that text without its types. Types are blanked, not cut, so
 * places in the tree are places in the text, and an edit keeps the types around it.
 *
 * Invariants
 * 1. No text brings it down: what is too long, too deep or has too many nodes is no program.
 * 2. Time and memory go with the length of the text: a site knows its parent, not all that is above it.
 */
import type { AnyNode } from "../../sandbox/index.ts";
import { childrenOf, parseScript } from "../../sandbox/index.ts";
import { strippedOf } from "./type-stripper.ts";

/** A parsed program. */
export interface ParsedProgram {
  readonly text: string;
  /** The text with blanks in the place of types; equal to it where it has none. */
  readonly code: string;
  /** Every node in the order of the text, parents before children. */
  readonly sites: readonly Site[];
}

/** A node and where it stands. */
export interface Site {
  readonly node: AnyNode;
  readonly parent: Site | undefined;
  /** Under which property of its parent it stands. */
  readonly key: string;
  /** How many are above it. */
  readonly depth: number;
}

/** UTF-16 units of a program. */
export const PROGRAM_UNITS_MAX = 262_144;
/** Nobody writes deeper, and whoever walks up from a site walks no further. */
const DEPTH_MAX = 500;
const SITES_MAX = 150_000;

/** Reads a program; `undefined` when it does not parse, or is too large: such a text has no neighbours. */
export function readProgram(text: string): ParsedProgram | undefined {
  const read = readCode(text);
  if (read === undefined) return undefined;
  const sites: Site[] = [];
  // A stack of our own: a program may be nested deeper than calls may be.
  const stack: Site[] = [{ node: read.program, parent: undefined, key: "", depth: 0 }];
  for (let site = stack.pop(); site !== undefined; site = stack.pop()) {
    if (site.depth > DEPTH_MAX || sites.length === SITES_MAX) return undefined;
    sites.push(site);
    const parent = site;
    const below = childrenOf(site.node).map(([key, node]) => ({ node, parent, key, depth: parent.depth + 1 }));
    for (const child of below.toReversed()) stack.push(child);
  }
  return { text, code: read.code, sites };
}

/** The text with blanks in the place of its types; `undefined` where it is no TypeScript that types can be taken from. */
export function withoutTypes(text: string): string | undefined {
  return readCode(text)?.code;
}

/** The same with the tree of what is left, which is parsed for it anyway. */
export function readCode(text: string): { readonly code: string; readonly program: AnyNode } | undefined {
  if (text.length > PROGRAM_UNITS_MAX) return undefined;
  if (!mayHaveTypeArguments(text)) {
    const parsed = parseScript(text);
    if ("program" in parsed) return { code: text, program: parsed.program };
  }
  const code = strippedOf(text);
  if (code === undefined) return undefined;
  const parsed = parseScript(code);
  return "program" in parsed ? { code, program: parsed.program } : undefined;
}

/**
 * `f<T>(x)` is JavaScript as well, and means two comparisons there; what ends such a list is followed by a bracket, a template, a
 * comment or the end of a line. No other text that is JavaScript means anything else in TypeScript.
 */
function mayHaveTypeArguments(text: string): boolean {
  const first = text.indexOf("<");
  return first >= 0 && /[^=]>\s*?[(`/\n\r\u2028\u2029]/.test(text.slice(first));
}

/** The text of a node, without brackets around it. */
export function textOf(program: ParsedProgram, node: AnyNode): string {
  return program.text.slice(node.start, node.end);
}

/** Sites above a site, the nearest first. */
export function* above(site: Site): Iterable<Site> {
  for (let parent = site.parent; parent !== undefined; parent = parent.parent) yield parent;
}

/** Where `token` stands between two places of the code, comments left out; `undefined` where it does not. */
export function tokenAt(program: ParsedProgram, token: string, from: number, to: number): number | undefined {
  const blank = program.code.slice(from, to).replace(COMMENTS, (comment) => " ".repeat(comment.length));
  const at = blank.indexOf(token);
  return at < 0 ? undefined : from + at;
}

const COMMENTS = /\/\*[^]*?\*\/|\/\/.*/g;

/** True for functions of any form. */
export function isFunction({ type }: AnyNode): boolean {
  return type === "FunctionDeclaration" || type === "FunctionExpression" || type === "ArrowFunctionExpression";
}

/** True for loops of any form. */
export function isLoop({ type }: AnyNode): boolean {
  return /^(?:For|While|DoWhile|ForOf|ForIn)Statement$/.test(type);
}

const VALUES: ReadonlySet<string> = new Set([
  "ArrayExpression",
  "ArrowFunctionExpression",
  "AssignmentExpression",
  "AwaitExpression",
  "BinaryExpression",
  "CallExpression",
  "ChainExpression",
  "ConditionalExpression",
  "FunctionExpression",
  "Identifier",
  "Literal",
  "LogicalExpression",
  "MemberExpression",
  "NewExpression",
  "ObjectExpression",
  "TaggedTemplateExpression",
  "TemplateLiteral",
  "ThisExpression",
  "UnaryExpression",
  "UpdateExpression",
]);

/** True where the site is an expression that is evaluated for its value: another expression may stand there. */
export function isValue({ node, parent, key }: Site): boolean {
  if (!VALUES.has(node.type) || parent === undefined) return false;
  const { node: around } = parent;
  switch (around.type) {
    case "MemberExpression":
      return key === "object" || around.computed;
    case "Property":
      // A method is a function without its word.
      return (
        key === "value" && parent.parent?.node.type === "ObjectExpression" && around.kind === "init" && !around.method
      );
    case "PropertyDefinition":
      return key === "value";
    case "ForInStatement":
    case "ForOfStatement":
    case "AssignmentPattern":
    case "AssignmentExpression":
      return key === "right";
    case "VariableDeclarator":
      return key === "init";
    case "ArrowFunctionExpression":
      return key === "body";
    case "UnaryExpression":
      return around.operator !== "delete" && around.operator !== "typeof";
    case "ExpressionStatement":
      return around.directive === undefined;
    case "TaggedTemplateExpression":
      return key !== "quasi";
    default:
      return !NO_VALUE_BELOW.has(around.type);
  }
}

/** What stands directly below these is a word, a pattern, or said by the node itself (`a?.b`). */
const NO_VALUE_BELOW: ReadonlySet<string> = new Set([
  "ArrayPattern",
  "BreakStatement",
  "CatchClause",
  "ChainExpression",
  "ClassDeclaration",
  "ClassExpression",
  "ContinueStatement",
  "ExportAllDeclaration",
  "ExportNamedDeclaration",
  "ExportSpecifier",
  "FunctionDeclaration",
  "FunctionExpression",
  "ImportAttribute",
  "ImportDeclaration",
  "ImportDefaultSpecifier",
  "ImportNamespaceSpecifier",
  "ImportSpecifier",
  "LabeledStatement",
  "MetaProperty",
  "MethodDefinition",
  "RestElement",
  "UpdateExpression",
]);

const STATEMENTS: ReadonlySet<string> = new Set([
  "ExpressionStatement",
  "IfStatement",
  "ForStatement",
  "ForOfStatement",
  "ForInStatement",
  "WhileStatement",
  "DoWhileStatement",
  "ReturnStatement",
  "ThrowStatement",
  "BreakStatement",
  "ContinueStatement",
  "SwitchStatement",
  "TryStatement",
  "VariableDeclaration",
]);

/** True where the site is a statement in a list: it may go, be wrapped, or have a neighbour. */
export function isStatement({ node, parent, key }: Site): boolean {
  const isInList = key === "body" && (parent?.node.type === "BlockStatement" || parent?.node.type === "Program");
  if (node.type === "ExpressionStatement" && node.directive !== undefined) return false;
  return isInList && STATEMENTS.has(node.type);
}
