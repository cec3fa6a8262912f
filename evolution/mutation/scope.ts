/** Which names a place in a program can see. */
import type { AnyNode } from "../../sandbox/index.ts";
import type { ParsedProgram, Site } from "./program.ts";

/** Names that a node declares for everything below it. */
export type Declarations = ReadonlyMap<AnyNode, readonly string[]>;

const SCOPES: ReadonlySet<string> = new Set([
  "Program",
  "BlockStatement",
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "ForStatement",
  "ForOfStatement",
  "ForInStatement",
  "CatchClause",
]);

/** All declarations of a program, by the node that they hold below. */
export function declarationsOf(program: ParsedProgram): Declarations {
  const declared = new Map<AnyNode, string[]>();
  for (const site of program.sites) {
    const name = declaredBy(site);
    if (name === undefined) continue;
    const owner = ownerOf(site);
    if (owner === undefined) continue;
    const names = declared.get(owner) ?? [];
    if (!names.includes(name)) names.push(name);
    declared.set(owner, names);
  }
  return declared;
}

/** Names in sight of a site, the nearest first. */
export function namesAt(site: Site, declarations: Declarations): readonly string[] {
  const names = new Set<string>();
  for (const ancestor of site.ancestors.toReversed())
    for (const name of declarations.get(ancestor) ?? []) names.add(name);
  return [...names];
}

/** The name that an identifier declares; `undefined` where it is a use. */
function declaredBy({ node, ancestors, key }: Site): string | undefined {
  if (node.type !== "Identifier") return undefined;
  for (let depth = ancestors.length - 1, below = key; depth >= 0; depth--) {
    const parent = ancestors[depth];
    switch (parent?.type) {
      case "ArrayPattern":
      case "ObjectPattern":
      case "RestElement":
        break;
      case "Property":
        if (below !== "value") return undefined;
        break;
      case "AssignmentPattern":
        if (below !== "left") return undefined;
        break;
      case "VariableDeclarator":
        return below === "id" ? node.name : undefined;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return below === "params" || below === "id" ? node.name : undefined;
      case "CatchClause":
        return below === "param" ? node.name : undefined;
      default:
        return undefined;
    }
    below = keyIn(ancestors[depth - 1], parent);
  }
  return undefined;
}

function keyIn(parent: AnyNode | undefined, child: AnyNode): string {
  if (parent === undefined) return "";
  // A node's own properties are data of any type.
  for (const [key, value] of Object.entries(parent) as [string, unknown][]) {
    if (value === child || (Array.isArray(value) && value.includes(child))) return key;
  }
  return "";
}

/** The nearest scope around a declaration; a function's own name belongs to the scope around the function. */
function ownerOf({ ancestors, key }: Site): AnyNode | undefined {
  const scopes = ancestors.filter(({ type }) => SCOPES.has(type));
  const isFunctionsName = key === "id" && ancestors.at(-1)?.type === "FunctionDeclaration";
  return isFunctionsName ? scopes.at(-2) : scopes.at(-1);
}
