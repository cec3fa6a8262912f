/**
 * Normal forms, for what is new: two programs of one form do the same, whatever their variables are called, wherever their blanks
 * and brackets stand, and whether a constant was worked out by their author or is by V8.
 */
import { createHash } from "node:crypto";
import type { AnyNode } from "../../sandbox/index.ts";
import type { ParsedProgram, Site } from "./program.ts";
import { readProgram } from "./program.ts";
import type { Declarations, Scope } from "./scope.ts";
import { declarationsOf, isVariable, scopeOfName } from "./scope.ts";

/** SHA-256 of the form in hex; `undefined` where the text is no program. Types and comments are no part of it. */
export function formHash(text: string): string | undefined {
  const program = readProgram(text);
  return program === undefined ? undefined : createHash("sha256").update(formOf(program)).digest("hex");
}

/** One line for each node that is left: how deep, under which key, what. */
function formOf(program: ParsedProgram): string {
  const values = foldedIn(program);
  const names = new Names(declarationsOf(program));
  const lines: string[] = [];
  let foldedDepth = Number.POSITIVE_INFINITY;
  for (const site of program.sites) {
    if (site.depth > foldedDepth) continue;
    foldedDepth = Number.POSITIVE_INFINITY;
    if (isNothing(site)) continue;
    const value = values.get(site.node);
    if (value !== undefined) foldedDepth = site.depth;
    lines.push(`${site.depth} ${site.key} ${value === undefined ? wordsOf(site, names) : constant(value)}`);
    const key = keyOf(site);
    if (key !== undefined) lines.push(`${site.depth + 1} key Identifier ${key}`);
  }
  return lines.join("\n");
}

type Constant = number | string | boolean;

function constant(value: Constant): string {
  return `${typeof value} ${Object.is(value, -0) ? "-0" : JSON.stringify(value)}`;
}

/** What is constant, worked out from the leaves up. */
function foldedIn({ sites }: ParsedProgram): ReadonlyMap<AnyNode, Constant> {
  const values = new Map<AnyNode, Constant>();
  for (const { node, parent, key } of sites.toReversed()) {
    // A key, a directive and a source are words.
    const isWord = key === "key" || key === "source" || parent?.node.type === "ExpressionStatement";
    const value = isWord ? undefined : folded(node, values);
    if (value !== undefined) values.set(node, value);
  }
  return values;
}

function folded(node: AnyNode, values: ReadonlyMap<AnyNode, Constant>): Constant | undefined {
  switch (node.type) {
    case "Literal":
      return ["number", "string", "boolean"].includes(typeof node.value) ? (node.value as Constant) : undefined; // as just seen
    case "UnaryExpression": {
      const value = values.get(node.argument);
      if (node.operator === "-" && typeof value === "number") return -value;
      if (node.operator === "+" && typeof value === "number") return value;
      return node.operator === "!" && typeof value === "boolean" ? !value : undefined;
    }
    case "BinaryExpression": {
      const [left, right] = [values.get(node.left), values.get(node.right)];
      if (typeof left === "number" && typeof right === "number") return worked(node.operator, left, right);
      const isText = typeof left === "string" && typeof right === "string" && left.length + right.length <= TEXT_MAX;
      return isText && node.operator === "+" ? left + right : undefined;
    }
    default:
      return undefined;
  }
}

/** Longest text that is worked out, in characters. */
const TEXT_MAX = 1_000;

function worked(operator: string, left: number, right: number): number | undefined {
  const results: Readonly<Record<string, number>> = {
    "+": left + right,
    "-": left - right,
    "*": left * right,
    "/": left / right,
    "%": left % right,
    "**": left ** right,
  };
  const result = results[operator];
  return result !== undefined && Number.isFinite(result) ? result : undefined;
}

/** Says nothing: what an edit left where a statement went. */
function isNothing({ node, parent, key }: Site): boolean {
  const around = parent?.node.type;
  return node.type === "EmptyStatement" && key === "body" && (around === "Program" || around === "BlockStatement");
}

const WORDS = [
  "operator",
  "kind",
  "computed",
  "static",
  "async",
  "generator",
  "optional",
  "prefix",
  "delegate",
  "await",
  "tail",
];

function wordsOf(site: Site, names: Names): string {
  const { node } = site;
  if (node.type === "Identifier") return `Identifier ${isVariable(site) ? names.of(node.name, site) : node.name}`;
  if (node.type === "PrivateIdentifier") return `#${node.name}`;
  if (node.type === "Literal") return `Literal ${node.raw}`;
  if (node.type === "TemplateElement") return `Template ${JSON.stringify(node.value.raw)}`;
  // A node's own properties are data.
  const data = node as unknown as Readonly<Record<string, unknown>>;
  const words = WORDS.filter((word) => data[word] !== undefined && data[word] !== false).map(
    (word) => `${word}=${String(data[word])}`,
  );
  if (node.type === "ArrayExpression" || node.type === "ArrayPattern")
    words.push(node.elements.map((element: AnyNode | null) => (element === null ? "," : ".")).join(""));
  return [node.type, ...words].join(" ");
}

/** `{ a }` is `{ a: a }`. */
function keyOf({ node }: Site): string | undefined {
  if (node.type !== "Property" || !node.shorthand) return undefined;
  return node.key.type === "Identifier" ? node.key.name : undefined;
}

/** Variables by the order in which they come up. Those at the top keep their names: others call them by it. */
class Names {
  readonly #declarations: Declarations;
  readonly #numbers = new Map<Scope, Map<string, number>>();
  #count = 0;

  constructor(declarations: Declarations) {
    this.#declarations = declarations;
  }

  of(name: string, site: Site): string {
    const scope = scopeOfName(name, site, this.#declarations);
    if (scope?.outer === undefined) return name;
    const numbers = this.#numbers.get(scope) ?? new Map<string, number>();
    this.#numbers.set(scope, numbers);
    const number = numbers.get(name) ?? this.#count++;
    numbers.set(name, number);
    return `${number}`;
  }
}
