/** What a statement needs around it because of what jumps out of it: a loop for its `break`, its own function for its `await`. */
import type { AnyNode } from "../../sandbox/index.ts";
import type { ParsedProgram, Site } from "./program.ts";
import { above, isFunction, isLoop } from "./program.ts";

/** `own`: the very function it stands in; `nowhere`: it cannot stand anywhere else. */
export type Need = "loop" | "function" | "own" | "nowhere";

/** What each node of the program needs; nodes that need nothing are not in it. */
export function needsIn(program: ParsedProgram): ReadonlyMap<AnyNode, ReadonlySet<Need>> {
  const needs = new Map<AnyNode, Set<Need>>();
  for (const site of program.sites) {
    const need = needOf(site.node);
    if (need === undefined) continue;
    add(needs, site.node, need);
    for (const { node } of above(site)) {
      if (isFunction(node) || (need === "loop" && isTarget(node, site.node))) break;
      add(needs, node, need);
    }
  }
  return needs;
}

/** True where a statement of `from` may stand at `to`. */
export function mayStand(needs: ReadonlySet<Need> | undefined, from: Site, to: Site): boolean {
  if (needs === undefined) return true;
  if (needs.has("nowhere")) return false;
  if (needs.has("loop") && loopOf(to) === undefined) return false;
  if (needs.has("function") && functionOf(to) === undefined) return false;
  return !needs.has("own") || functionOf(to)?.node === functionOf(from)?.node;
}

/** The nearest loop around, within the same function. */
export function loopOf(site: Site): Site | undefined {
  for (const around of above(site)) {
    if (isLoop(around.node)) return around;
    if (isFunction(around.node)) return undefined;
  }
  return undefined;
}

function functionOf(site: Site): Site | undefined {
  for (const around of above(site)) if (isFunction(around.node)) return around;
  return undefined;
}

function needOf(node: AnyNode): Need | undefined {
  switch (node.type) {
    case "BreakStatement":
    case "ContinueStatement":
      return node.label ? "nowhere" : "loop";
    case "ReturnStatement":
      return "function";
    case "AwaitExpression":
    case "YieldExpression":
    case "ThisExpression":
      return "own";
    case "ForOfStatement":
      return node.await ? "own" : undefined;
    case "Super":
      return "nowhere";
    default:
      return undefined;
  }
}

function isTarget(node: AnyNode, jump: AnyNode): boolean {
  return isLoop(node) || (jump.type === "BreakStatement" && node.type === "SwitchStatement");
}

function add(needs: Map<AnyNode, Set<Need>>, node: AnyNode, need: Need): void {
  const known = needs.get(node);
  if (known === undefined) needs.set(node, new Set([need]));
  else known.add(need);
}
