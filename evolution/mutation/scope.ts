/** Which names a place in a program can see, and which variable a name means. */
import type { AnyNode } from "../../sandbox/index.ts";
import type { ParsedProgram, Site } from "./program.ts";
import { isFunction } from "./program.ts";

/** A region of names. */
export interface Scope {
  readonly outer: Scope | undefined;
  /** `var` is declared in the nearest one of a function. */
  readonly isOfFunction: boolean;
  readonly names: Set<string>;
}

/** The scope in which each node stands. */
export type Declarations = ReadonlyMap<AnyNode, Scope>;

/** Names that are tried at one place: the nearest. */
export const NAMES_MAX = 12;

const SCOPES: ReadonlySet<string> = new Set([
  "BlockStatement",
  "CatchClause",
  "ClassExpression",
  "ForInStatement",
  "ForOfStatement",
  "ForStatement",
  "StaticBlock",
  "SwitchStatement",
]);

/** All declarations of a program. */
export function declarationsOf(program: ParsedProgram): Declarations {
  const global: Scope = { outer: undefined, isOfFunction: true, names: new Set() };
  const inside = new Map<AnyNode, Scope>();
  const declarations = new Map<AnyNode, Scope>();
  for (const { node, parent } of program.sites) {
    const outer = (parent === undefined ? undefined : inside.get(parent.node)) ?? global;
    declarations.set(node, outer);
    const isOfFunction = isFunction(node) || node.type === "StaticBlock";
    const isScope = isOfFunction || SCOPES.has(node.type);
    inside.set(node, isScope ? { outer, isOfFunction, names: new Set() } : outer);
  }
  for (const site of program.sites) {
    if (site.node.type !== "Identifier") continue;
    ownerOf(site, declarations.get(site.node) ?? global)?.names.add(site.node.name);
  }
  return declarations;
}

/** Names in sight of a site, the nearest first, `NAMES_MAX` at most. */
export function namesAt(site: Site, declarations: Declarations): readonly string[] {
  const names = new Set<string>();
  for (let scope = declarations.get(site.node); scope !== undefined; scope = scope.outer) {
    for (const name of scope.names) {
      if (names.size === NAMES_MAX) return [...names];
      names.add(name);
    }
  }
  return [...names];
}

/** The scope that declares the name as seen from the site; `undefined` for a global. */
export function scopeOfName(name: string, { node }: Site, declarations: Declarations): Scope | undefined {
  let scope = declarations.get(node);
  while (scope !== undefined && !scope.names.has(name)) scope = scope.outer;
  return scope;
}

/** True where an identifier means a variable: it is read, written or declared. */
export function isVariable({ node, parent, key }: Site): boolean {
  if (node.type !== "Identifier" || parent === undefined) return false;
  const { node: around } = parent;
  switch (around.type) {
    case "MemberExpression":
      return key === "object" || around.computed;
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      return key === "value" || around.computed;
    case "ImportSpecifier":
      return key === "local";
    case "ExportSpecifier":
      return key === "local";
    case "BreakStatement":
    case "ContinueStatement":
    case "ExportAllDeclaration":
    case "LabeledStatement":
    case "MetaProperty":
      return false;
    default:
      return true;
  }
}

/** The scope that an identifier declares its name in; `undefined` where it is a use. */
function ownerOf(site: Site, scope: Scope): Scope | undefined {
  let { key } = site;
  for (let parent = site.parent; parent !== undefined; { key, parent } = parent) {
    const { node } = parent;
    switch (node.type) {
      case "ArrayPattern":
      case "ObjectPattern":
      case "RestElement":
        break;
      case "Property":
        if (key !== "value") return undefined;
        break;
      case "AssignmentPattern":
        if (key !== "left") return undefined;
        break;
      case "VariableDeclarator":
        if (key !== "id") return undefined;
        return parent.parent?.node.type === "VariableDeclaration" && parent.parent.node.kind === "var"
          ? functionScopeOf(scope)
          : scope;
      case "FunctionDeclaration":
        if (key === "id") return scope.outer; // its name is for those around it
        return key === "params" ? scope : undefined;
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return key === "params" || key === "id" ? scope : undefined;
      case "ClassDeclaration":
      case "ClassExpression":
        return key === "id" ? scope : undefined;
      case "CatchClause":
        return key === "param" ? scope : undefined;
      case "ImportSpecifier":
      case "ImportDefaultSpecifier":
      case "ImportNamespaceSpecifier":
        return key === "local" ? scope : undefined;
      default:
        return undefined;
    }
  }
  return undefined;
}

function functionScopeOf(scope: Scope): Scope {
  let found = scope;
  while (!found.isOfFunction && found.outer !== undefined) found = found.outer;
  return found;
}
