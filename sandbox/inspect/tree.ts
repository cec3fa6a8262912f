/**
 * A syntax tree laid out as a list, parents before children, each node with what the rules ask of it: where it stands, whether it is
 * read or written, which variable a name means, and what it leaves when it is left.
 *
 * Invariants
 * 1. Nothing here recurses: a tree may be as deep as its text is long, and the walk ends at the first level too many.
 * 2. The time is that of the nodes, times the levels at worst, and both are bounded.
 *
 * Two functions are ours and run once, like the module: the one that is left at DEFINITION_GLOBAL, and esbuild's around the modules.
 */
import { DEFINITION_GLOBAL } from "../protocol.ts";
import type { InspectLimits, RuleId } from "./rules.ts";
import { childrenOf, type AnyNode, type Program } from "./parse.ts";
import { bind, declare } from "./declare.ts";
import { isFunction, roleOf, type Role } from "./role.ts";
import { Scope, type Binding } from "./scope.ts";

/** What code may leave, by jumping or by ending. */
export interface Frame {
  readonly kind: "function" | "loop" | "switch" | "label";
  readonly node: AnyNode;
  readonly label: string;
  readonly outer: Frame | undefined;
  /** Something in it leaves it. */
  isLeft: boolean;
}

/** A node in its place. */
export interface Spot {
  readonly node: AnyNode;
  readonly parent: Spot | undefined;
  /** The property of the parent that it is in. */
  readonly key: string;
  readonly role: Role;
  readonly scope: Scope;
  readonly frame: Frame | undefined;
  /** Levels above it; links of one chain stand on one level. */
  readonly depth: number;
  /** It runs when a function is called, not when the module is evaluated. */
  readonly isLate: boolean;
}

/** A program, laid out. */
export interface Tree {
  readonly spots: readonly Spot[];
  /** The variable of each name that means one. */
  readonly bindings: ReadonlyMap<AnyNode, Binding>;
  /** Globals that the code asks for with `typeof` before it uses them. */
  readonly asked: ReadonlySet<string>;
  /** The expression that is left as the agent's definition; undefined where the code is no bundle of ours. */
  readonly definition: AnyNode | undefined;
  /** Assignments to `globalThis` that are ours. */
  readonly ours: ReadonlySet<AnyNode>;
}

/** Lays a program out, or says which limit it exceeds, and at which offset. */
export function treeOf(program: Program, limits: InspectLimits): Tree | { readonly rule: RuleId; readonly at: number } {
  const { wrappers, ours, definition } = oursIn(program);
  const module = new Scope(undefined, { isFunction: true, isModule: true });
  const top = {
    parent: undefined,
    key: "",
    role: "read",
    scope: module,
    frame: undefined,
    depth: 0,
    isLate: false,
  } as const;
  const waiting: Spot[] = [{ node: program, ...top }];
  const spots: Spot[] = [];
  for (let spot = waiting.pop(); spot !== undefined; spot = waiting.pop()) {
    const { node, depth } = spot;
    if (depth > limits.depthMax) return { rule: "too-deep", at: node.start };
    if (spots.length === limits.nodesMax) return { rule: "too-many-nodes", at: node.start };
    spots.push(spot);
    declare(spot);
    const inside = insideOf(spot, wrappers);
    for (const [key, child] of childrenOf(node).toReversed()) {
      const level = depth + (isSpine(node, key) ? 0 : 1);
      waiting.push({ node: child, parent: spot, key, role: roleOf(node, spot.role, key), depth: level, ...inside });
    }
  }
  return { spots, bindings: bind(spots), asked: askedIn(spots), definition, ours };
}

/** A bundle begins with HEAD; its last statement, behind the modules, leaves the definition. */
function oursIn({ body }: Program): {
  readonly wrappers: ReadonlySet<AnyNode>;
  readonly ours: ReadonlySet<AnyNode>;
  readonly definition: AnyNode | undefined;
} {
  const none = { wrappers: new Set<AnyNode>(), ours: new Set<AnyNode>(), definition: undefined };
  const [, head] = body;
  if (head === undefined || !isLeaving(head) || head.expression.right.type !== "ArrowFunctionExpression") return none;
  const outer = head.expression.right;
  // Behind what the code needs of ours.
  const call = outer.body.type === "BlockStatement" ? outer.body.body.at(-1) : undefined;
  if (call?.type !== "ExpressionStatement" || call.expression.type !== "CallExpression") return none;
  const inner = call.expression.callee;
  if (inner.type !== "ArrowFunctionExpression" || inner.body.type !== "BlockStatement") return none;
  const last = inner.body.body.at(-1);
  if (last === undefined || !isLeaving(last)) return none;
  return {
    wrappers: new Set<AnyNode>([outer, inner]),
    ours: new Set<AnyNode>([head.expression.left, last.expression.left]),
    definition: last.expression.right,
  };
}

interface Leaving {
  readonly expression: { readonly left: AnyNode; readonly right: AnyNode };
}

/** `globalThis.__planariaDefinition = …;` */
function isLeaving(node: AnyNode): node is AnyNode & Leaving {
  if (node.type !== "ExpressionStatement" || node.expression.type !== "AssignmentExpression") return false;
  const { left } = node.expression;
  if (left.type !== "MemberExpression" || left.computed) return false;
  const { object, property } = left;
  const isGlobal = object.type === "Identifier" && object.name === "globalThis";
  return isGlobal && property.type === "Identifier" && property.name === DEFINITION_GLOBAL;
}

/** What goes on and on to the left, or to the right, is one level: nobody reads it as nested. */
function isSpine({ type }: AnyNode, key: string): boolean {
  switch (type) {
    case "MemberExpression":
      return key === "object";
    case "CallExpression":
      return key === "callee";
    case "BinaryExpression":
    case "LogicalExpression":
      return key === "left";
    case "ConditionalExpression":
    case "IfStatement":
      return key === "alternate";
    default:
      return type === "ChainExpression";
  }
}

function isLoop({ type }: AnyNode): boolean {
  return /^(?:For|While|DoWhile|ForIn|ForOf)Statement$/.test(type);
}

/** The scope, the frame and the time of what is directly below. */
function insideOf(spot: Spot, wrappers: ReadonlySet<AnyNode>): Pick<Spot, "scope" | "frame" | "isLate"> {
  const { node, scope, frame, isLate } = spot;
  const isOurs = wrappers.has(node);
  if (isFunction(node) || node.type === "StaticBlock") {
    const inner = new Scope(scope, { isFunction: true, isModule: isOurs });
    if (node.type === "FunctionExpression" && node.id) inner.declare(node.id.name, node.start).writes += 1;
    const runsLate = isLate || (!isOurs && node.type !== "StaticBlock");
    return { scope: inner, frame: frameOf("function", spot), isLate: runsLate };
  }
  const label = node.type === "LabeledStatement" ? node.label.name : "";
  return { scope: hasNames(spot) ? blockIn(spot) : scope, frame: kindOf(node, label) ?? frame, isLate };

  function kindOf(inner: AnyNode, name: string): Frame | undefined {
    if (isLoop(inner)) return frameOf("loop", spot);
    if (inner.type === "SwitchStatement") return frameOf("switch", spot);
    return inner.type === "LabeledStatement" ? frameOf("label", spot, name) : undefined;
  }
}

function frameOf(kind: Frame["kind"], { node, frame }: Spot, label = ""): Frame {
  return { kind, node, label, outer: frame, isLeft: false };
}

function hasNames({ node, parent }: Spot): boolean {
  if (node.type === "BlockStatement") return parent === undefined || !isFunction(parent.node);
  const { type } = node;
  return isLoop(node) || type === "SwitchStatement" || type === "CatchClause" || type === "ClassExpression";
}

function blockIn({ node, scope }: Spot): Scope {
  const block = new Scope(scope, { isFunction: false, isModule: false });
  if (node.type === "ClassExpression" && node.id) block.declare(node.id.name, node.start).writes += 1;
  return block;
}

function askedIn(spots: readonly Spot[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const { node } of spots) {
    if (node.type !== "UnaryExpression" || node.operator !== "typeof") continue;
    if (node.argument.type === "Identifier") asked.add(node.argument.name);
  }
  return asked;
}
