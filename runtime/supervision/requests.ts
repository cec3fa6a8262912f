/**
 * What a supervisor can be asked: OTP's `handle_call`, clause by clause. A request that must wait for a child leaves an
 * operation behind and is answered when it is over.
 */
import type { ChildName, From, Reply, Refusal, Request } from "./contract.ts";
import { checkChildSpec } from "./child-spec.ts";
import { dynamicCount, dynamicViews, endDynamic, specOf } from "./dynamics.ts";
import { getIn } from "./int-map.ts";
import { hasExit } from "./mailbox.ts";
import { endOne } from "./rounds.ts";
import { childOf, childrenOf, removeChild } from "./roster.ts";
import type { Child } from "./roster.ts";
import { beginStart } from "./state.ts";
import type { Draft, Next } from "./state.ts";
import { upgrade } from "./upgrade.ts";

/** Serves one request: answers it, or begins what it asks for. */
export function serve(draft: Draft, from: From, request: Request): Next | undefined {
  switch (request.type) {
    case "start_child":
      return startChild(draft, from, request.spec);
    case "terminate_child":
      return terminateChild(draft, from, request.child);
    case "restart_child":
      return restartChild(draft, from, request.id);
    case "delete_child":
      return answer(draft, from, deleteChild(draft, request.id));
    case "get_childspec":
      return answer(draft, from, childSpec(draft, request.child));
    case "which_children":
      return answer(draft, from, whichChildren(draft));
    case "count_children":
      return answer(draft, from, countChildren(draft));
    case "upgrade":
      return answer(draft, from, upgrade(draft, request.definition));
  }
}

function answer(draft: Draft, from: From, reply: Reply): undefined {
  draft.effects.push({ type: "reply", from, reply });
}

function refused(error: Refusal, value?: unknown): Reply {
  return value === undefined ? { type: "refused", error } : { type: "refused", error, value };
}

function startChild(draft: Draft, from: From, input: unknown): undefined {
  const { flags, template } = draft;
  if (template !== undefined)
    return beginStart(draft, { spec: template, extra: input, after: { type: "start_dynamic", from } });
  const checked = checkChildSpec(input, flags);
  if (checked.type === "refused") return answer(draft, from, checked);
  const spec = checked.value;
  if (flags.strategy === "dynamic") {
    const hasRoom = flags.maxChildren === "infinity" || dynamicCount(draft) < flags.maxChildren;
    if (!hasRoom) return answer(draft, from, refused("max_children", flags.maxChildren));
    return beginStart(draft, { spec, after: { type: "start_dynamic", from } });
  }
  const known = childOf(draft.children, spec.id);
  if (known === undefined) return beginStart(draft, { spec, after: { type: "start_child", from } });
  return answer(draft, from, refused(known.status.type === "up" ? "already_started" : "already_present", spec.id));
}

function terminateChild(draft: Draft, from: From, name: ChildName): Next | undefined {
  if ("ref" in name) return terminateByRef(draft, from, name.ref);
  if (draft.template !== undefined) return answer(draft, from, refused("simple_one_for_one"));
  const child = childOf(draft.children, name.id);
  if (child === undefined) return answer(draft, from, refused("not_found", name.id));
  endOne(draft, child, from);
  return undefined;
}

function terminateByRef(draft: Draft, from: From, ref: number): Next | undefined {
  if (getIn(draft.dynamics, ref) !== undefined) return endDynamic(draft, ref, from);
  if (draft.template === undefined || ref >= draft.refNext) return answer(draft, from, refused("not_found", ref));
  // simple_one_for_one says ok about a process that is dead, and drops the entry without a process on this way.
  draft.hasHollow = false;
  return answer(draft, from, { type: "ok" });
}

function restartChild(draft: Draft, from: From, id: string): undefined {
  if (draft.template !== undefined) return answer(draft, from, refused("simple_one_for_one"));
  const child = childOf(draft.children, id);
  if (child?.status.type !== "stopped") return answer(draft, from, notStopped(child, id));
  return beginStart(draft, { spec: child.spec, after: { type: "restart_child", from, id } });
}

function deleteChild(draft: Draft, id: string): Reply {
  if (draft.template !== undefined) return refused("simple_one_for_one");
  const child = childOf(draft.children, id);
  if (child?.status.type !== "stopped") return notStopped(child, id);
  draft.children = removeChild(draft.children, id);
  return { type: "ok" };
}

function notStopped(child: Child | undefined, id: string): Reply {
  if (child === undefined) return refused("not_found", id);
  return refused(child.status.type === "restarting" ? "restarting" : "running", id);
}

function childSpec(draft: Draft, name: ChildName): Reply {
  if ("id" in name) {
    const spec = draft.template?.id === name.id ? draft.template : childOf(draft.children, name.id)?.spec;
    return spec === undefined ? refused("not_found", name.id) : { type: "childspec", spec };
  }
  const child = getIn(draft.dynamics, name.ref);
  if (child !== undefined) return { type: "childspec", spec: specOf(draft, child) };
  if (draft.template === undefined || name.ref >= draft.refNext) return refused("not_found", name.ref);
  return { type: "childspec", spec: draft.template };
}

function whichChildren(draft: Draft): Reply {
  if (draft.template !== undefined || draft.flags.strategy === "dynamic")
    return { type: "children", children: dynamicViews(draft) };
  const children = childrenOf(draft.children).map(({ spec, status }) => ({
    id: spec.id,
    status: status.type,
    ref: status.type === "stopped" ? undefined : status.ref,
    spec,
  }));
  return { type: "children", children: children.toReversed() };
}

function countChildren(draft: Draft): Reply {
  if (draft.template !== undefined) {
    const count = dynamicCount(draft);
    const isWorker = draft.template.type === "worker";
    const active = count - draft.dynamicRestarts;
    return { type: "counts", specs: 1, active, supervisors: isWorker ? 0 : count, workers: isWorker ? count : 0 };
  }
  if (draft.flags.strategy === "dynamic") {
    const views = dynamicViews(draft);
    const active = views.filter(({ status }) => status === "up").length;
    return counts(views, active);
  }
  // OTP asks whether the process lives: a child that is dead counts as such before its exit is served.
  const children = childrenOf(draft.children);
  const active = children.filter(({ status }) => status.type === "up" && !hasExit(draft.mailbox, status.ref));
  return counts(children, active.length);
}

function counts(children: readonly Pick<Child, "spec">[], active: number): Reply {
  const supervisors = children.filter(({ spec }) => spec.type === "supervisor").length;
  return { type: "counts", specs: children.length, active, supervisors, workers: children.length - supervisors };
}
