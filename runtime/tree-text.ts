/**
 * The supervision tree as people read it: one line for each supervisor and each agent, with lines that say who is whose.
 *
 *   root  one_for_one
 *   ├─ counter  up, heap 1.2 of 32 MiB, cell c1 (pid 4711)
 *   └─ shop  rest_for_one, up
 *      ├─ stock  up, 1 restart, heap 1.1 of 32 MiB, cell c1 (pid 4711)
 *      ├─ tills  dynamic, up
 *      └─ van  down: stopped by its supervisor
 */
import type { AgentNode, SupervisorNode, TreeNode } from "./tree.ts";

const WHY_LENGTH_MAX = 80;

/** The lines of a node and all below it. */
export function treeText(root: TreeNode): string {
  return [lineOf(root, ""), ...linesBelow(root, "")].join("\n");
}

function linesBelow(node: TreeNode, indent: string): readonly string[] {
  const children = node.children ?? [];
  return children.flatMap((child, index) => {
    const isLast = index === children.length - 1;
    const head = `${indent}${isLast ? "└─" : "├─"} ${lineOf(child, `${node.id}/`)}`;
    return [head, ...linesBelow(child, `${indent}${isLast ? "   " : "│  "}`)];
  });
}

/** A child is called by its own name: whose it is can be seen. */
function lineOf(node: TreeNode, parent: string): string {
  const name = node.id.startsWith(parent) ? node.id.slice(parent.length) : node.id;
  if ("type" in node) return `${name}  ${supervisorWords(node).join(", ")}`;
  return `${name}  ${agentWords(node).join(", ")}${why(node)}`;
}

/** Why an agent is down or parked, as far as a line has room for what may be an error's own words. */
function why(node: AgentNode): string {
  const [line = ""] = ("reason" in node ? node.reason?.message : undefined)?.split("\n") ?? [];
  if (line === "") return "";
  return `: ${line.length > WHY_LENGTH_MAX ? `${line.slice(0, WHY_LENGTH_MAX)}…` : line}`;
}

function supervisorWords({ id, strategy, status }: SupervisorNode): readonly string[] {
  return id === "root" ? [strategy] : [strategy, status];
}

function agentWords(node: AgentNode): readonly string[] {
  if (!("mailbox" in node)) return [node.status];
  const { status, mailbox, restarts, heapBytes, heapLimitBytes, cell, cellPid } = node;
  return [
    status,
    ...(restarts === 0 ? [] : [`${restarts} ${restarts === 1 ? "restart" : "restarts"}`]),
    ...(mailbox === 0 ? [] : [`${mailbox} waiting`]),
    ...(cell === undefined
      ? []
      : [`heap ${mib(heapBytes)} of ${mib(heapLimitBytes)} MiB`, `cell ${cell} (pid ${cellPid})`]),
  ];
}

function mib(bytes: number): string {
  const amount = bytes / 2 ** 20;
  return Number.isInteger(amount) ? String(amount) : amount.toFixed(1);
}
