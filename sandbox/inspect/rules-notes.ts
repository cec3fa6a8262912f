/** What is legal and seldom meant: memory that a restart loses, and loops that only a limit ends. */
import type { AnyNode } from "./parse.ts";
import type { Report } from "./report.ts";
import type { Binding } from "./scope.ts";
import { kindOf, pathOf, propertyOf, type Bindings } from "./meaning.ts";
import type { Frame, Spot, Tree } from "./tree.ts";

/** Methods that change a collection. */
const CHANGES = /^(?:set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin)$/;
const COLLECTIONS = /^(?:Map|Set|WeakMap|WeakSet|Array)$/;

/** Variables of the module that are changed while the agent runs: each is told once, where it is declared. */
export function moduleStateRule(spot: Spot, { bindings }: Tree, report: Report): void {
  const binding = spot.isLate ? changedBy(spot, bindings) : undefined;
  if (binding?.scope.isModule === true) report("module-state", { start: binding.at }, binding.name);
}

/** The variable that is changed here: it, something of it, or what is collected in it. */
function changedBy({ node, role }: Spot, bindings: Bindings): Binding | undefined {
  if (node.type === "Identifier") return role === "write" ? bindings.get(node) : undefined;
  if (node.type === "MemberExpression") {
    return role === "write" || role === "delete" ? bindings.get(rootOf(node)) : undefined;
  }
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return undefined;
  const { object } = node.callee;
  if (object.type !== "Identifier" || !CHANGES.test(propertyOf(node.callee, bindings) ?? "")) return undefined;
  return isCollection(object, bindings) ? bindings.get(object) : undefined;
}

/** `a` of `a.b[c].d`; of long chains whatever is there. */
function rootOf(node: AnyNode): AnyNode {
  let root = node;
  for (let steps = 0; steps < ROOT_STEPS_MAX && root.type === "MemberExpression"; steps += 1) root = root.object;
  return root;
}

const ROOT_STEPS_MAX = 16;

function isCollection(node: AnyNode, bindings: Bindings): boolean {
  const value = bindings.get(node)?.value;
  if (value?.type === "NewExpression") return COLLECTIONS.test(pathOf(value.callee, bindings) ?? "");
  return value !== undefined && kindOf(value, bindings) === "Array";
}

/** Marks the loops that are left at this node. To be called for all nodes before `endlessRule`. */
export function markExits({ node, frame }: Spot): void {
  switch (node.type) {
    case "ReturnStatement":
    case "ThrowStatement":
    case "AwaitExpression":
    case "YieldExpression":
      return leave(frame, (frame) => frame.kind === "function");
    case "ForOfStatement":
      if (node.await) leave(frame, (frame) => frame.kind === "function");
      return;
    case "BreakStatement": {
      const label = node.label?.name;
      if (label === undefined) return leaveNearest(frame);
      return leave(frame, (frame) => frame.label === label);
    }
    case "ContinueStatement": {
      const label = node.label?.name;
      // The loop that bears the label goes on; what is within is left.
      if (label !== undefined) leave(frame, (frame) => bears(frame, label));
      return;
    }
    default:
  }
}

function leave(from: Frame | undefined, isEnd: (frame: Frame) => boolean): void {
  for (let frame = from; frame !== undefined && !isEnd(frame); frame = frame.outer) frame.isLeft = true;
}

function leaveNearest(from: Frame | undefined): void {
  let frame = from;
  while (frame?.kind === "label") frame = frame.outer;
  if (frame !== undefined) frame.isLeft = true;
}

function bears(frame: Frame, label: string): boolean {
  if (frame.kind !== "loop") return false;
  for (let outer = frame.outer; outer?.kind === "label"; outer = outer.outer) if (outer.label === label) return true;
  return false;
}

/** A loop without a condition and without a way out. `inside` is the frame that it makes. */
export function endlessRule(inside: Frame, report: Report): void {
  const { node, isLeft } = inside;
  if (isLeft || inside.kind !== "loop") return;
  const test =
    node.type === "ForStatement" || node.type === "WhileStatement" || node.type === "DoWhileStatement"
      ? node.test
      : node;
  if (test === null || test === undefined || isTrue(test)) report("endless-loop", node);
}

function isTrue(node: AnyNode): boolean {
  if (node.type === "UnaryExpression") return node.operator === "!" && isFalse(node.argument);
  return node.type === "Literal" && Boolean(node.value);
}

function isFalse(node: AnyNode): boolean {
  return node.type === "Literal" && node.value === 0;
}
