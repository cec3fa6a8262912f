/**
 * The supervision tree as plain data, for people and for programs.
 */
import type { Agent } from "./agent.ts";
import { infoOf } from "./make-ref.ts";
import type { AgentInfo } from "./ref.ts";

/** A supervisor with its children, in the order of their names. */
export interface TreeNode {
  readonly id: string;
  readonly strategy: "one_for_one";
  readonly children: readonly (AgentInfo | { readonly id: string; readonly status: "asleep" })[];
}

/** The root with every agent, also those that sleep in the vault and were not touched yet. */
export function describeTree(ids: readonly string[], find: (id: string) => Agent | undefined): TreeNode {
  const children = ids.map((id) => {
    const agent = find(id);
    return agent === undefined ? ({ id, status: "asleep" } as const) : infoOf(agent);
  });
  return { id: "root", strategy: "one_for_one", children };
}
