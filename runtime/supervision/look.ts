/**
 * Looking at a supervisor from outside, without asking it: for shells that must know whether anything is still to come.
 */
import type { Ref } from "./contract.ts";
import { getIn } from "./int-map.ts";
import { childByRef } from "./roster.ts";
import type { State } from "./state.ts";

/**
 * True while it waits for no child and has nothing left to serve. A failed restart that is to be tried again counts as idle:
 * the try is an event to come.
 */
export function isIdle({ operation, mailbox }: Pick<State, "operation" | "mailbox">): boolean {
  return operation === undefined && mailbox.events.size === 0;
}

/**
 * How the child is whose process is `ref`, or was its last one: `starting` while this very process is awaited,
 * `restarting` while a next one is awaited or to be tried again. `stopped` is for good when the supervisor is idle; before
 * that its group may be about to start again. Undefined for a process that nobody here has, or that is forgotten. O(log n).
 */
export function statusOf(state: State, ref: Ref): "up" | "restarting" | "starting" | "stopped" | undefined {
  const { operation } = state;
  const starting = operation?.type === "starting" ? operation : undefined;
  if (starting?.ref === ref) return "starting";
  const dynamic = getIn(state.dynamics, ref);
  if (dynamic !== undefined) {
    const isAwaited = starting?.after.type === "restart_dynamic" && starting.after.ref === ref;
    return isAwaited || dynamic.isRestarting ? "restarting" : "up";
  }
  const child = childByRef(state.children, ref);
  const isAwaited = child !== undefined && starting?.spec.id === child.spec.id;
  return isAwaited ? "restarting" : child?.status.type;
}
