/** Rules about code that is not in the text: made from texts, loaded, or decided by data. Each looks at one node. */
import { kindOf, pathOf, propertyOf, reach, type Bindings } from "./meaning.ts";
import type { AnyNode, MemberExpression } from "./parse.ts";
import type { Report } from "./report.ts";
import { keyOf } from "./declare.ts";
import type { Spot, Tree } from "./tree.ts";

/** What makes, loads or stops code. */
export function codeRules(spot: Spot, { bindings }: Tree, report: Report): void {
  const { node } = spot;
  switch (node.type) {
    case "Identifier":
      if (spot.role === "read") makerRule(pathOf(node, bindings), spot, report);
      return;
    case "MemberExpression":
      if (spot.role !== "read") return;
      makerRule(pathOf(node, bindings), spot, report);
      return constructorRule(node, spot, bindings, report);
    case "VariableDeclarator":
    case "AssignmentExpression":
      return takenOutRule(node, bindings, report);
    case "ImportExpression":
      return report("dynamic-import", node);
    case "MetaProperty":
      if (node.meta.name === "import") report("import-meta", node);
      return;
    case "WithStatement":
      return report("with", node);
    case "DebuggerStatement":
      return report("debugger", node);
    default:
  }
}

/** `eval` and `Function` by any path that can be read. */
function makerRule(path: string | undefined, spot: Spot, report: Report): void {
  if (path === "eval" && !isAsked(spot)) report("eval", spot.node);
  if (path === "Function" && !isHarmless(spot)) report("function-constructor", spot.node);
}

function isAsked({ parent }: Spot): boolean {
  return parent?.node.type === "UnaryExpression" && parent.node.operator === "typeof";
}

const COMPARES: ReadonlySet<string> = new Set(["===", "!==", "==", "!=", "instanceof", "in"]);

/** A constructor that is compared, or asked for what it is; or gets a name, whose uses are looked at where they are. */
function isHarmless(spot: Spot): boolean {
  const above = spot.parent?.node;
  if (isAsked(spot) || isNamed(spot)) return true;
  if (above?.type === "BinaryExpression") return COMPARES.has(above.operator);
  if (above?.type === "SwitchCase") return spot.key === "test";
  if (above?.type !== "MemberExpression" || spot.key !== "object" || above.property.type !== "Identifier") return false;
  if (/^(?:prototype|name|length)$/.test(above.property.name)) return true;
  // `Function.call.bind(f)` is about f.
  const { parent } = spot;
  const further = parent?.key === "object" ? parent.parent?.node : undefined;
  return further?.type === "MemberExpression" && /^(?:call|apply|bind)$/.test(above.property.name);
}

/** `const F = …`, and nothing else ever. */
function isNamed({ parent, scope, key }: Spot): boolean {
  const above = parent?.node;
  if (above?.type !== "VariableDeclarator" || key !== "init") return false;
  return above.id.type === "Identifier" && scope.find(above.id.name)?.writes === 1;
}

/** `x.constructor("text")` of any x, and `x.constructor.constructor`: only of functions they are what they look like. */
function constructorRule(node: MemberExpression, spot: Spot, bindings: Bindings, report: Report): void {
  if (propertyOf(node, bindings) !== "constructor" || pathOf(node, bindings) === "Function") return;
  const { object } = node;
  const isTwice = object.type === "MemberExpression" && propertyOf(object, bindings) === "constructor";
  if (isTwice && !isHarmless(spot)) return report("function-constructor", node);
  const above = spot.parent?.node;
  if (above?.type !== "CallExpression" || spot.key !== "callee") return;
  const isOwn = object.type === "ThisExpression" || object.type === "Super";
  if (!isOwn && above.arguments.some((argument) => isText(argument, bindings))) report("function-constructor", node);
}

function isText(node: AnyNode, bindings: Bindings): boolean {
  if (node.type !== "BinaryExpression") return kindOf(node, bindings) === "String";
  // One text in it makes it a text; of a long sum the last parts are looked at.
  const { left, operator, right } = node;
  return operator === "+" && [left, right].some((part) => kindOf(part, bindings) === "String");
}

/** `const { eval: run } = globalThis` */
function takenOutRule(node: AnyNode, bindings: Bindings, report: Report): void {
  const [pattern, from] =
    node.type === "VariableDeclarator"
      ? [node.id, node.init]
      : node.type === "AssignmentExpression"
        ? [node.left, node.right]
        : [];
  if (pattern?.type !== "ObjectPattern" || !from) return;
  for (const property of pattern.properties) {
    const key = property.type === "Property" ? keyOf(property) : undefined;
    const path = key === undefined ? undefined : reach(from, key, bindings);
    if (path === "eval") report("eval", property);
    if (path === "Function") report("function-constructor", property);
  }
}
