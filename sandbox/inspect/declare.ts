/**
 * The variables of a program: declared while it is walked, and joined with the names that mean them when all are declared, because
 * functions and `var` are there before they are written.
 */
import type { AnyNode } from "./parse.ts";
import { isFunction } from "./role.ts";
import type { Binding, Scope } from "./scope.ts";
import type { Spot } from "./tree.ts";

/** Declares what the node itself names. */
export function declare(spot: Spot): void {
  const { node, scope, parent } = spot;
  if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") {
    if (node.id) give(scope.declare(node.id.name, node.start), node);
  } else if (node.type === "Identifier" && spot.role === "declare") {
    const place = isVar(spot) ? scope.hoist : scope;
    const binding = place.declare(node.name, node.start);
    // What is declared by a parameter or a pattern gets a value that is not known here.
    if (parent?.node.type !== "VariableDeclarator" && !isOfPattern(spot)) binding.writes += 1;
  } else if (node.type === "VariableDeclarator" && node.init) giveAll(node.id, node.init, spot);
  else if (node.type === "VariableDeclarator" && parent !== undefined && isLoopHead(parent)) {
    for (const name of namesIn(node.id)) placeOf(spot).declare(name.name, name.start).writes += 2; // a value each time round
  }
}

function isLoopHead({ key }: Spot): boolean {
  return key === "left";
}

function isVar(spot: Spot): boolean {
  for (let above = spot.parent; above !== undefined; above = above.parent) {
    if (above.node.type === "VariableDeclaration") return above.node.kind === "var";
    if (isFunction(above.node) || above.node.type === "CatchClause") return false;
  }
  return false;
}

/** Whether the declaration is one of variables: then its declarator gives the values. */
function isOfPattern(spot: Spot): boolean {
  for (let above = spot.parent; above !== undefined && above.role === "declare"; above = above.parent)
    if (above.parent?.node.type === "VariableDeclarator") return true;
  return false;
}

/** Where the variables of a declarator are. */
function placeOf({ parent, scope }: Spot): Scope {
  return parent?.node.type === "VariableDeclaration" && parent.node.kind === "var" ? scope.hoist : scope;
}

function giveAll(id: AnyNode, init: AnyNode, spot: Spot): void {
  const place = placeOf(spot);
  if (id.type === "Identifier") return give(place.declare(id.name, id.start), init);
  for (const name of namesIn(id)) place.declare(name.name, name.start).writes += 1;
  if (id.type !== "ObjectPattern") return;
  for (const property of id.properties) {
    if (property.type !== "Property" || property.value.type !== "Identifier") continue;
    const key = keyOf(property);
    if (key === undefined) continue;
    const binding = place.declare(property.value.name, property.value.start);
    binding.value = init;
    binding.property = key;
  }
}

/** The name of a property, where it is written down. */
export function keyOf({ key, computed }: { readonly key: AnyNode; readonly computed: boolean }): string | undefined {
  if (key.type === "Identifier" && !computed) return key.name;
  return key.type === "Literal" && typeof key.value === "string" ? key.value : undefined;
}

function give(binding: Binding, value: AnyNode): void {
  binding.writes += 1;
  binding.value = value;
  binding.property = undefined;
}

/** The names that a pattern declares. */
function namesIn(pattern: AnyNode): readonly { readonly name: string; readonly start: number }[] {
  const names: { readonly name: string; readonly start: number }[] = [];
  const waiting: AnyNode[] = [pattern];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.type === "Identifier") names.push(node);
    else if (node.type === "AssignmentPattern") waiting.push(node.left);
    else if (node.type === "RestElement") waiting.push(node.argument);
    else if (node.type === "ArrayPattern") {
      for (const element of node.elements) if (element !== null) waiting.push(element);
    } else if (node.type === "ObjectPattern") {
      for (const property of node.properties) waiting.push(property.type === "Property" ? property.value : property);
    }
  }
  return names;
}

/** Which variable each name means, and how often each gets a value beside its declaration. */
export function bind(spots: readonly Spot[]): ReadonlyMap<AnyNode, Binding> {
  const bindings = new Map<AnyNode, Binding>();
  for (const { node, role, scope, parent } of spots) {
    if (node.type !== "Identifier" || role === "name" || role === "declare") continue;
    const binding = scope.find(node.name);
    if (binding === undefined) continue;
    bindings.set(node, binding);
    if (role !== "write") continue;
    const above = parent?.node;
    if (above?.type === "AssignmentExpression" && above.operator === "=") give(binding, above.right);
    else binding.writes += 2; // It is never known which value it has.
  }
  return bindings;
}
