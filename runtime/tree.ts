/**
 * The supervision tree as plain data, for programs (`JSON.stringify`), and as text, for people (`String(tree)`).
 */
import { inspect } from "node:util";
import type { AgentInfo } from "./ref.ts";
import { treeText } from "./tree-text.ts";

/** An agent; one that was not touched since the runtime opened has no figures. Its subagents are below it. */
export type AgentNode = (AgentInfo | { readonly id: string; readonly status: "asleep" | "down" }) & {
  readonly children?: readonly AgentNode[];
};

/** A supervisor with its children in start order; `id` is its path. */
export interface SupervisorNode {
  readonly type: "supervisor";
  readonly id: string;
  readonly strategy: "one_for_one" | "one_for_all" | "rest_for_one" | "simple_one_for_one" | "dynamic";
  readonly status: "starting" | "up" | "restarting" | "down";
  readonly children: readonly TreeNode[];
}

/** An agent or a supervisor. */
export type TreeNode = SupervisorNode | AgentNode;

/** The whole tree. The root's children are in the order of their names. */
export class Tree implements SupervisorNode {
  readonly type = "supervisor";
  readonly id = "root";
  readonly strategy = "one_for_one";
  readonly status = "up";
  readonly children: readonly TreeNode[];

  constructor(children: readonly TreeNode[]) {
    this.children = children;
  }

  /** The tree as lines of text. */
  toString(): string {
    return treeText(this);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** What a tree is made of. */
export interface TreeParts {
  /** Names of all agents, also of those that sleep in the vault. */
  readonly ids: readonly string[];
  readonly supervisors: readonly SupervisorNode[];
  /** How an agent stands. */
  readonly agent: (id: string) => AgentNode;
}

/** Puts every agent below its supervisor or the agent it belongs to, and all others below the root. */
export function describeTree({ ids, supervisors, agent }: TreeParts): Tree {
  const placed = new Set(supervisors.flatMap(idsIn));
  const below = new Map<string, string[]>();
  const top: string[] = [];
  const known = new Set([...ids, ...placed]);
  for (const id of ids.toSorted()) {
    if (placed.has(id)) continue;
    const parent = id.includes("/") ? id.slice(0, id.lastIndexOf("/")) : undefined;
    if (parent === undefined || !known.has(parent)) top.push(id);
    else below.set(parent, [...(below.get(parent) ?? []), id]);
  }
  const agentNode = (id: string): AgentNode => withChildren(agent(id), (below.get(id) ?? []).map(agentNode));
  const filled = (node: TreeNode): TreeNode => {
    const added = (below.get(node.id) ?? []).map(agentNode);
    if (!isSupervisor(node)) return withChildren(node, added);
    return { ...node, children: [...node.children.map(filled), ...added] };
  };
  const children = [...supervisors.map(filled), ...top.map(agentNode)];
  return new Tree(children.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}

/** True for a supervisor's node. */
export function isSupervisor(node: TreeNode): node is SupervisorNode {
  return "type" in node;
}

function withChildren(node: AgentNode, children: readonly AgentNode[]): AgentNode {
  return children.length === 0 ? node : { ...node, children };
}

function idsIn(node: TreeNode): readonly string[] {
  return [node.id, ...(node.children ?? []).flatMap(idsIn)];
}
