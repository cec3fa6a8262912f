/**
 * Children without ids of their own: simple_one_for_one (one template, many children) and Elixir's DynamicSupervisor (a
 * spec each, a limit of children). They are found by the ref of their process. They end all at once, with one deadline
 * for each shutdown time and not one for each child.
 *
 * Two faults of OTP's simple_one_for_one are kept, because whoever compares would find the difference:
 * - Ending a child that is being restarted does not lower its count of restarting ones, so `active` stays too low.
 * - A restart that answers `ignore` leaves one child without a process behind, which counts and is listed.
 */
import type { ChildSpec, ChildView, Effect, From, Reason, Ref } from "./contract.ts";
import { emptyIntMap, entriesOf, getIn, removeIn, setIn } from "./int-map.ts";
import { takeExit } from "./mailbox.ts";
import { reportEnd } from "./rounds.ts";
import { beginStart } from "./state.ts";
import type { Draft, DynamicChild, Next, Operation, State } from "./state.ts";

type EndingDynamics = Extract<Operation, { readonly type: "ending_dynamics" }>;

/** Children, running or restarting; a child without a process counts too. */
export function dynamicCount({ dynamics, hasHollow }: Pick<State, "dynamics" | "hasHollow">): number {
  return dynamics.size + (hasHollow ? 1 : 0);
}

/** The spec a dynamic child is judged by now: after an upgrade of a template, the new one. */
export function specOf({ template }: Pick<State, "template">, child: DynamicChild): ChildSpec {
  return template === undefined ? child.spec : { ...template, start: child.spec.start };
}

/** One line for each child, newest first. */
export function dynamicViews(state: State): readonly ChildView[] {
  const views = entriesOf(state.dynamics).map(([ref, child]): ChildView => {
    const status = child.isRestarting ? "restarting" : "up";
    return { id: undefined, status, ref, spec: specOf(state, child) };
  });
  const hollow: readonly ChildView[] =
    state.hasHollow && state.template !== undefined
      ? [{ id: undefined, status: "stopped", ref: undefined, spec: state.template }]
      : [];
  return [...hollow, ...views].toReversed();
}

/** A new child is up. */
export function addDynamic(draft: Draft, ref: Ref, { spec, extra }: Pick<DynamicChild, "spec" | "extra">): void {
  draft.dynamics = setIn(draft.dynamics, ref, { spec, extra, isRestarting: false, attempt: 0 });
}

/** Starts a child again that has ended. It keeps its place until it is known what became of the start. */
export function restartDynamic(draft: Draft, ref: Ref, child: DynamicChild): undefined {
  beginStart(draft, { spec: specOf(draft, child), extra: child.extra, after: { type: "restart_dynamic", ref } });
}

/** The restart of the child that was `oldRef` has come to an end: with a process, without one, or not at all. */
export function restartedDynamic(draft: Draft, oldRef: Ref, outcome: Ref | "ignored" | "failed"): undefined {
  const child = getIn(draft.dynamics, oldRef);
  if (child === undefined) return;
  if (outcome === "failed") return markRestarting(draft, oldRef, child);
  draft.dynamics = removeIn(draft.dynamics, oldRef);
  if (child.isRestarting) draft.dynamicRestarts--;
  if (outcome !== "ignored") addDynamic(draft, outcome, child);
  else if (draft.template !== undefined) draft.hasHollow = true;
}

function markRestarting(draft: Draft, ref: Ref, child: DynamicChild): undefined {
  if (!child.isRestarting) draft.dynamicRestarts++;
  const attempt = child.attempt + 1;
  draft.dynamics = setIn(draft.dynamics, ref, { ...child, isRestarting: true, attempt });
  draft.effects.push({ type: "try_again", key: { ref }, attempt });
}

/** Ends one child on request; one that is being restarted is only forgotten. */
export function endDynamic(draft: Draft, ref: Ref, from: From): Next | undefined {
  const child = getIn(draft.dynamics, ref);
  const running = child === undefined || child.isRestarting ? [] : [[ref, specOf(draft, child)] as const];
  return endTogether(draft, running, { type: "reply", from, ref });
}

/** Ends all children at once, then exits. */
export function endAllDynamics(draft: Draft, reason: Reason): Next | undefined {
  const running = entriesOf(draft.dynamics)
    .filter(([, { isRestarting }]) => !isRestarting)
    .map(([ref, child]) => [ref, specOf(draft, child)] as const);
  return endTogether(draft, running, { type: "exit", reason });
}

function endTogether(
  draft: Draft,
  running: readonly (readonly [Ref, ChildSpec])[],
  after: EndingDynamics["after"],
): Next | undefined {
  let waiting = emptyIntMap<ChildSpec>();
  const byTime = new Map<number, Ref[]>();
  for (const [ref, spec] of running) {
    if (isDeadAlready(draft, ref, spec)) continue;
    draft.effects.push(endSignal(ref, spec));
    waiting = setIn(waiting, ref, spec);
    // One child alone and no time to wait: the kill follows at once, as OTP's `after 0` does.
    if (spec.shutdown === 0 && after.type === "reply") draft.effects.push({ type: "signal", ref, reason: "kill" });
    else if (typeof spec.shutdown === "number") groupOf(byTime, spec.shutdown).push(ref);
  }
  const timers = [...byTime].map(([ms, refs]) => {
    const id = draft.timerNext++;
    draft.effects.push({ type: "set_timer", id, ms });
    return { id, refs };
  });
  return waitForAll(draft, { type: "ending_dynamics", waiting, timers, after });
}

/** Those who share this shutdown time; to be added to. */
function groupOf(byTime: Map<number, Ref[]>, ms: number): Ref[] {
  const refs = byTime.get(ms) ?? [];
  byTime.set(ms, refs);
  return refs;
}

/** Its exit is swallowed where it has already arrived. */
function isDeadAlready(draft: Draft, ref: Ref, spec: ChildSpec): boolean {
  const taken = takeExit(draft.mailbox, ref);
  if (taken === undefined) return false;
  draft.mailbox = taken.mailbox;
  reportEnd(draft, spec, ref, taken.exited.reason);
  return true;
}

function endSignal(ref: Ref, { shutdown }: ChildSpec): Effect {
  return { type: "signal", ref, reason: shutdown === "brutal_kill" ? "kill" : "shutdown" };
}

function waitForAll(draft: Draft, operation: EndingDynamics): Next | undefined {
  const { waiting, timers, after } = operation;
  draft.operation = waiting.size > 0 ? operation : undefined;
  if (waiting.size > 0) return undefined;
  for (const { id } of timers) draft.effects.push({ type: "cancel_timer", id });
  if (after.type === "exit") return after;
  draft.dynamics = removeIn(draft.dynamics, after.ref);
  draft.effects.push({ type: "reply", from: after.from, reply: { type: "ok" } });
  return undefined;
}

/** One of the awaited children has ended. */
export function dynamicEnded(
  draft: Draft,
  operation: EndingDynamics,
  { ref, reason }: { readonly ref: Ref; readonly reason: Reason },
): Next | undefined {
  const spec = getIn(operation.waiting, ref);
  if (spec !== undefined) reportEnd(draft, spec, ref, reason);
  return waitForAll(draft, { ...operation, waiting: removeIn(operation.waiting, ref) });
}

/** The time of those that share the timer `id` is up. */
export function dynamicsOverdue(draft: Draft, operation: EndingDynamics, id: number): void {
  for (const timer of operation.timers) {
    if (timer.id !== id) continue;
    for (const ref of timer.refs) {
      if (getIn(operation.waiting, ref) !== undefined) draft.effects.push({ type: "signal", ref, reason: "kill" });
    }
  }
  draft.operation = { ...operation, timers: operation.timers.filter((timer) => timer.id !== id) };
}
