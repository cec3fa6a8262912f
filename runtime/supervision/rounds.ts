/**
 * Children that are started and ended one after another: at init, at a group restart, when the supervisor stops, and one
 * alone on request. Each function does what needs no waiting and returns what comes next, or leaves an operation behind.
 *
 *   stop ----> end (newest first) ----> exit
 *   group ---> end (newest first) ----> start_group ----> start (oldest first)
 *   init --------------------------------------------------^   |failed: init stops what was started,
 *                                                              |        a group marks the child and tries again later
 */
import assert from "node:assert/strict";
import { isOrderly } from "./contract.ts";
import type { ChildSpec, From, Reason, Ref } from "./contract.ts";
import { takeExit } from "./mailbox.ts";
import { childOf, childrenOf } from "./roster.ts";
import type { Child, Roster } from "./roster.ts";
import { beginStart, report, setStatus, settle } from "./state.ts";
import type { Draft, Next, Operation, Round } from "./state.ts";

type Ending = Extract<Operation, { readonly type: "ending" }>;

/** Children to be started one after another. */
export interface StartList {
  readonly ids: readonly string[];
  readonly at: number;
  readonly round: Round;
}

/** Children to be ended one after another, and what comes then. */
export interface EndList {
  readonly ids: readonly string[];
  readonly at: number;
  readonly next: Next;
}

/** Starts the child at `at` among `ids`; those behind it follow when it is up. */
export function startNext(draft: Draft, { ids, at, round }: StartList): Next | undefined {
  const id = ids[at];
  if (id === undefined) return endOfRound(draft, round);
  const child = childOf(draft.children, id);
  assert(child !== undefined, `${id} is to be started and is not known`);
  return beginStart(draft, { spec: child.spec, after: { type: "round", ids, at, round } });
}

function endOfRound(draft: Draft, round: Round): undefined {
  if (round.type === "restart") return;
  draft.phase = "up";
  draft.effects.push({ type: "ready" });
}

/** A child of a round did not come up: init fails as a whole; a group restart is tried again from this child. */
export function roundFailed(draft: Draft, id: string, round: Round): Next | undefined {
  if (round.type === "init") return { type: "stop", reason: "shutdown:failed_to_start_child" };
  const attempt = round.attempt + 1;
  const ref = id === round.fallenId ? round.fallenRef : undefined;
  setStatus(draft, id, { type: "restarting", ref, attempt });
  draft.effects.push({ type: "try_again", key: { id }, attempt });
  return undefined;
}

/** Ends the group that falls with `child`: all (one_for_all), or it and those started after it; then starts it anew. */
export function restartGroup(draft: Draft, { spec, status }: Child): Next {
  const round: Round = {
    type: "restart",
    fallenId: spec.id,
    fallenRef: status.type === "stopped" ? undefined : status.ref,
    attempt: status.type === "restarting" ? status.attempt : 0,
  };
  setStatus(draft, spec.id, { type: "stopped" });
  return { type: "end", ids: groupOf(draft, spec.id).toReversed(), next: { type: "start_group", round } };
}

/** The ids that restart with `fallenId`, in start order. */
export function groupOf({ flags, children }: Pick<Draft, "flags" | "children">, fallenId: string): readonly string[] {
  const ids = idsOf(children);
  return flags.strategy === "one_for_all" ? ids : ids.slice(ids.indexOf(fallenId));
}

/** All ids in start order. */
export function idsOf(children: Roster): readonly string[] {
  return childrenOf(children).map(({ spec }) => spec.id);
}

/** Ends those of `ids` from `at` on, in this order. Children without a process are passed over; temporary ones are forgotten. */
export function endNext(draft: Draft, { ids, at, next }: EndList): Next | undefined {
  for (let place = at; place < ids.length; place++) {
    const id = ids[place] ?? "";
    const child = childOf(draft.children, id);
    assert(child !== undefined, `${id} is to be ended and is not known`);
    const after = { type: "siblings", ids, at: place, next } as const;
    if (child.status.type === "up" && beginEnd(draft, child.spec, { ref: child.status.ref, after })) return undefined;
    forget(draft, child.spec);
  }
  return next;
}

/** Ends one child on request. */
export function endOne(draft: Draft, { spec, status }: Child, from: From): void {
  if (status.type === "up" && beginEnd(draft, spec, { ref: status.ref, after: { type: "reply", from } })) return;
  forget(draft, spec);
  draft.effects.push({ type: "reply", from, reply: { type: "ok" } });
}

/** False where there is nothing to wait for: it is dead already, and its exit is swallowed here. */
function beginEnd(draft: Draft, spec: ChildSpec, { ref, after }: Pick<Ending, "ref" | "after">): boolean {
  const taken = takeExit(draft.mailbox, ref);
  if (taken !== undefined) {
    draft.mailbox = taken.mailbox;
    reportEnd(draft, spec, ref, taken.exited.reason);
    return false;
  }
  const { shutdown } = spec;
  if (shutdown !== "brutal_kill") draft.effects.push({ type: "signal", ref, reason: "shutdown" });
  // Without any time to wait the kill follows at once, as OTP's `after 0` does.
  if (shutdown === "brutal_kill" || shutdown === 0) draft.effects.push({ type: "signal", ref, reason: "kill" });
  const timer = typeof shutdown === "number" && shutdown > 0 ? draft.timerNext++ : undefined;
  if (timer !== undefined) draft.effects.push({ type: "set_timer", id: timer, ms: Number(shutdown) });
  draft.operation = { type: "ending", ref, id: spec.id, timer, after };
  return true;
}

/** The awaited child has ended. */
export function ended(draft: Draft, operation: Ending, reason: Reason): Next | undefined {
  const { id, ref, timer, after } = operation;
  draft.operation = undefined;
  if (timer !== undefined) draft.effects.push({ type: "cancel_timer", id: timer });
  const child = childOf(draft.children, id);
  assert(child !== undefined, `${id} was ended and is not known`);
  reportEnd(draft, child.spec, ref, reason);
  forget(draft, child.spec);
  if (after.type === "siblings") return endNext(draft, { ...after, at: after.at + 1 });
  draft.effects.push({ type: "reply", from: after.from, reply: { type: "ok" } });
  return undefined;
}

/** Its time is up. */
export function overdue(draft: Draft, operation: Ending): void {
  draft.operation = { ...operation, timer: undefined };
  draft.effects.push({ type: "signal", ref: operation.ref, reason: "kill" });
}

function forget(draft: Draft, spec: ChildSpec): void {
  settle(draft, spec);
  if (spec.restart === "temporary") report(draft, { type: "child_forgotten", spec });
}

/** OTP reports a child that was told to end and ended in another way. */
export function reportEnd(draft: Draft, spec: ChildSpec, ref: Ref, reason: Reason): void {
  const asked = spec.shutdown === "brutal_kill" ? "killed" : "shutdown";
  const isFine = reason === asked || (spec.restart !== "permanent" && isOrderly(reason));
  if (!isFine) report(draft, { type: "shutdown_error", spec, ref, reason });
}
