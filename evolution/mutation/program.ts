/**
 * A program as mutators see it: its text, and the syntax tree of that text without its types. Types are blanked, not cut, so
 * places in the tree are places in the text, and an edit keeps the types around it.
 */
import { stripTypeScriptTypes } from "node:module";
import type { AnyNode } from "../../sandbox/index.ts";
import { childrenOf, parseScript } from "../../sandbox/index.ts";

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
  /** From the program down to the parent. */
  readonly ancestors: readonly AnyNode[];
  /** Under which property of its parent it stands. */
  readonly key: string;
}

/** Reads a program; `undefined` when it does not parse: such a text has no neighbours. */
export function readProgram(text: string): ParsedProgram | undefined {
  const code = withoutTypes(text);
  if (code === undefined) return undefined;
  const parsed = parseScript(code);
  if (!("program" in parsed)) return undefined;
  const sites: Site[] = [];
  // A stack of our own: a program may be nested deeper than calls may be.
  const stack: Site[] = [{ node: parsed.program, ancestors: [], key: "" }];
  for (let site = stack.pop(); site !== undefined; site = stack.pop()) {
    sites.push(site);
    const { node } = site;
    const ancestors = [...site.ancestors, node];
    const below = [...childrenOf(node)].map(([key, child]) => ({ node: child, ancestors, key }));
    stack.push(...below.toReversed());
  }
  return { text, code, sites };
}

/** The text with blanks in the place of its types; `undefined` where it is no TypeScript that types can be taken from. */
export function withoutTypes(text: string): string | undefined {
  try {
    return stripTypeScriptTypes(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The text of a node. */
export function textOf(program: ParsedProgram, node: AnyNode): string {
  return program.text.slice(node.start, node.end);
}

const EXPRESSIONS: ReadonlySet<string> = new Set([
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
  "TemplateLiteral",
  "ThisExpression",
  "UnaryExpression",
  "UpdateExpression",
]);

/** True where the site is an expression that is evaluated for its value: another expression may stand there. */
export function isValue({ node, ancestors, key }: Site): boolean {
  if (!EXPRESSIONS.has(node.type)) return false;
  const parent = ancestors.at(-1);
  if (parent === undefined) return false;
  switch (parent.type) {
    case "MemberExpression":
      return key === "object" ? node.type !== "Super" : parent.computed;
    case "Property":
      return key === "value" && ancestors.at(-2)?.type !== "ObjectPattern";
    case "MethodDefinition":
    case "PropertyDefinition":
    case "ArrayPattern":
    case "RestElement":
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
    case "ImportDeclaration":
    case "ExportSpecifier":
    case "CatchClause":
    case "ClassDeclaration":
    case "ClassExpression":
      return false;
    case "ForInStatement":
    case "ForOfStatement":
    case "AssignmentPattern":
      return key === "right";
    case "AssignmentExpression":
      return key === "right";
    case "UpdateExpression":
      return false;
    case "VariableDeclarator":
      return key === "init";
    case "FunctionDeclaration":
    case "FunctionExpression":
      return false;
    case "ArrowFunctionExpression":
      return key === "body";
    case "UnaryExpression":
      return parent.operator !== "delete" && parent.operator !== "typeof";
    case "ExpressionStatement":
      return parent.directive === undefined;
    default:
      return true;
  }
}

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
export function isStatement({ node, ancestors, key }: Site): boolean {
  const parent = ancestors.at(-1);
  return (
    STATEMENTS.has(node.type) && key === "body" && (parent?.type === "BlockStatement" || parent?.type === "Program")
  );
}
