/**
 * What a supervisor does about a child that ended by itself, or whose restart failed: OTP's `do_restart`, `restart` and
 * `do_auto_shutdown`.
 *
 *   exited --+-- permanent, or transient and abnormal --+-- within intensity --> restart as the strategy says
 *            |                                          `-- beyond -----------> stop (breach)
 *            `-- otherwise: stays down, temporary is forgotten --> significant? stop (automatic shutdown)
 */
import { isOrderly } from "./contract.ts";
import type { ChildName, ChildSpec, Outcome, Ref } from "./contract.ts";
import { dynamicCount, restartDynamic, specOf } from "./dynamics.ts";
import { getIn, removeIn } from "./int-map.ts";
import type { Exited } from "./mailbox.ts";
import { chargeRestart } from "./restart-window.ts";
import { restartGroup } from "./rounds.ts";
import { childByRef, childOf, childrenOf } from "./roster.ts";
import type { Child } from "./roster.ts";
import { beginStart, isDynamic, report, settle } from "./state.ts";
import type { Draft, DynamicChild, Next } from "./state.ts";

/** Who ended: with an id, or one of the dynamic children. */
type Fallen =
  | { readonly type: "child"; readonly child: Child }
  | { readonly type: "dynamic"; readonly ref: Ref; readonly child: DynamicChild };

/** Decides about a child that ended by itself. An exit of somebody unknown changes nothing. */
export function afterExit(draft: Draft, exited: Exited): Next | undefined {
  const fallen = fallenBy(draft, exited.ref);
  if (fallen === undefined) return undefined;
  const spec = fallen.type === "child" ? fallen.child.spec : specOf(draft, fallen.child);
  if (spec.restart === "permanent" || (spec.restart === "transient" && !isOrderly(exited.reason))) {
    const isCharged = exited.isCharged ?? true;
    return restart(draft, fallen, { spec, isCharged, exited });
  }
  tell(draft, spec, exited, spec.restart === "temporary" || fallen.type === "dynamic" ? "forgotten" : "stopped");
  remove(draft, fallen, spec);
  return afterEndForGood(draft, spec);
}

/** Tries a failed restart again, unless it was cancelled in the meantime. */
export function tryAgain(draft: Draft, key: ChildName): Next | undefined {
  if ("ref" in key) {
    const child = getIn(draft.dynamics, key.ref);
    if (child?.isRestarting !== true) return undefined;
    const spec = specOf(draft, child);
    return restart(draft, { type: "dynamic", ref: key.ref, child }, { spec, isCharged: true });
  }
  const child = childOf(draft.children, key.id);
  if (child?.status.type !== "restarting") return undefined;
  return restart(draft, { type: "child", child }, { spec: child.spec, isCharged: true });
}

function fallenBy(draft: Draft, ref: Ref): Fallen | undefined {
  if (isDynamic(draft)) {
    const child = getIn(draft.dynamics, ref);
    return child === undefined || child.isRestarting ? undefined : { type: "dynamic", ref, child };
  }
  const child = childByRef(draft.children, ref);
  return child?.status.type === "up" ? { type: "child", child } : undefined;
}

interface Cause {
  readonly spec: ChildSpec;
  readonly isCharged: boolean;
  /** Absent when a failed restart is tried again. */
  readonly exited?: Exited;
}

function restart(draft: Draft, fallen: Fallen, { spec, isCharged, exited }: Cause): Next | undefined {
  if (isCharged) {
    const verdict = chargeRestart(draft.restarts, draft.nowMs, draft.flags);
    draft.restarts = verdict.window;
    if (!verdict.isAllowed) {
      if (exited !== undefined) tell(draft, spec, exited, "breach");
      report(draft, { type: "breach", spec, restarts: verdict.count });
      remove(draft, fallen, spec);
      return { type: "stop", reason: "shutdown" };
    }
  }
  if (exited !== undefined) tell(draft, spec, exited, "restart");
  if (fallen.type === "dynamic") return restartDynamic(draft, fallen.ref, fallen.child);
  if (draft.flags.strategy !== "one_for_one") return restartGroup(draft, fallen.child);
  return beginStart(draft, { spec, after: { type: "restart", id: spec.id } });
}

function tell(draft: Draft, spec: ChildSpec, { ref, reason, cause }: Exited, outcome: Outcome): void {
  const more = cause === undefined ? {} : { cause };
  report(draft, { type: "child_exited", spec, ref, reason, outcome, ...more });
}

function remove(draft: Draft, fallen: Fallen, spec: ChildSpec): void {
  if (fallen.type === "dynamic") draft.dynamics = removeIn(draft.dynamics, fallen.ref);
  else settle(draft, spec);
}

function afterEndForGood(draft: Draft, spec: ChildSpec): Next | undefined {
  if (!spec.significant || draft.flags.autoShutdown === "never") return undefined;
  if (draft.flags.autoShutdown === "all_significant" && hasSignificantLeft(draft)) return undefined;
  report(draft, { type: "auto_shutdown", spec });
  return { type: "stop", reason: "shutdown" };
}

/** A child whose restart is being tried is not gone; one that somebody stopped by hand is. */
function hasSignificantLeft(draft: Draft): boolean {
  if (isDynamic(draft)) return dynamicCount(draft) > 0;
  return childrenOf(draft.children).some(({ spec, status }) => spec.significant && status.type !== "stopped");
}
