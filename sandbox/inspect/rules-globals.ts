/** Rules about what all code of the agent shares: the globals, and the built-in objects. Each looks at one node. */
import { BUILTINS, pathOf, propertyOf, textOf } from "./meaning.ts";
import type { AnyNode } from "./parse.ts";
import type { Report } from "./report.ts";
import type { Spot, Tree } from "./tree.ts";

/** Parts of the engine that agents do not have, because they go round the limits. */
const ENGINE: ReadonlySet<string> = new Set(["WebAssembly", "SharedArrayBuffer", "Atomics", "ShadowRealm"]);

/** Functions that change their first argument. */
const WRITERS: ReadonlySet<string> = new Set(
  ["defineProperty", "defineProperties", "assign", "setPrototypeOf", "freeze", "seal", "preventExtensions"]
    .map((name) => `Object.${name}`)
    .concat(
      ["set", "defineProperty", "deleteProperty", "setPrototypeOf", "preventExtensions"].map(
        (name) => `Reflect.${name}`,
      ),
    ),
);

/** Methods of every object that change it. */
const OWN_WRITERS = /^__define(?:Getter|Setter)__$/;

/** What libraries set, and what means nothing to anybody else. */
const HARMLESS = "Error.stackTraceLimit";

/** Whether an agent has a global of that name. */
export type Missing = (name: string) => boolean;

/** What changes or reaches for what all code shares. */
export function globalRules(spot: Spot, tree: Tree, report: Report, isMissing: Missing): void {
  const { node, role } = spot;
  if (node.type === "Identifier" && !tree.bindings.has(node)) {
    if (role === "write" && BUILTINS.has(node.name)) report("global-write", node, node.name);
    if (role === "read") missingRule(node.name, spot, tree, report, isMissing);
  } else if (node.type === "MemberExpression") memberRule(spot, tree, report);
  else if (node.type === "CallExpression") callRule(node, tree, report);
}

function missingRule(name: string, spot: Spot, { asked }: Tree, report: Report, isMissing: Missing): void {
  if (asked.has(name)) return;
  if (ENGINE.has(name)) report("engine-part", spot.node, name);
  else if (isMissing(name)) report("missing-global", spot.node, name);
}

function memberRule({ node, role }: Spot, { bindings, ours }: Tree, report: Report): void {
  if (node.type !== "MemberExpression" || ours.has(node)) return;
  const property = propertyOf(node, bindings);
  const owner = pathOf(node.object, bindings);
  if (role !== "write" && role !== "delete") {
    if (owner === "globalThis" && property === undefined) report("computed-global", node);
    return;
  }
  if (property === "__proto__" && role === "write") return report("proto-write", node);
  if (owner === "globalThis") globalRule(property, node, report);
  else if (isBuiltin(owner) && `${owner}.${property}` !== HARMLESS) report("builtin-write", node, owner);
}

/** A name that is only known when the code runs may be any. */
function globalRule(name: string | undefined, node: AnyNode, report: Report): void {
  if (name === undefined || BUILTINS.has(name)) report("global-write", node, name);
  else report("global-state", node, `globalThis.${name}`);
}

function callRule(node: AnyNode, { bindings }: Tree, report: Report): void {
  if (node.type !== "CallExpression") return;
  const { callee } = node;
  const [first, second] = node.arguments;
  const path = pathOf(callee, bindings);
  if (path !== undefined && WRITERS.has(path) && first !== undefined)
    return writtenRule(pathOf(first, bindings), node, report);
  if (path === "Reflect.get" && first !== undefined && pathOf(first, bindings) === "globalThis") {
    if (second === undefined || textOf(second, bindings) === undefined) report("computed-global", node);
  }
  if (callee.type !== "MemberExpression" || !OWN_WRITERS.test(propertyOf(callee, bindings) ?? "")) return;
  writtenRule(pathOf(callee.object, bindings), node, report);
}

function writtenRule(path: string | undefined, node: AnyNode, report: Report): void {
  if (path === "globalThis") report("global-write", node, path);
  else if (isBuiltin(path)) report("builtin-write", node, path);
}

/** A path that leads to something of the language's own: `Math`, `Array.prototype`. */
function isBuiltin(path: string | undefined): path is string {
  return path !== undefined && BUILTINS.has(path.split(".", 1)[0] ?? "");
}
