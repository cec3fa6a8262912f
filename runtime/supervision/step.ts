/**
 * The supervision core: `step(state, event) -> { state, effects }`, OTP's supervisor and Elixir's DynamicSupervisor as one
 * pure function. What runs in production runs in the simulator. The words are in `contract.ts`.
 *
 *   events --> awaited by the operation? --yes--> rounds / dynamics --.
 *                 | no                                                +--> Next --> carried out until something is awaited
 *                 v                                                   |
 *              mailbox --(while there is no operation)--> restart / requests
 *
 * Invariants
 * 1. `step` changes nothing it was handed, and the same state and events give the same answer.
 * 2. While an operation waits, all else stays in the mailbox, in order of arrival; only the exit of the child that is
 *    being ended is taken out of it (OTP's selective receive).
 * 3. Every call is answered once: by its turn, or with `noproc` when the supervisor ends before.
 */
import assert from "node:assert/strict";
import type { Effect, Event, From, Reason, Ref } from "./contract.ts";
import { addDynamic, dynamicEnded, dynamicsOverdue, endAllDynamics, restartedDynamic } from "./dynamics.ts";
import { getIn } from "./int-map.ts";
import { emptyMailbox, push, shift } from "./mailbox.ts";
import { serve } from "./requests.ts";
import { afterExit, tryAgain } from "./restart.ts";
import { endNext, ended, groupOf, idsOf, overdue, roundFailed, startNext } from "./rounds.ts";
import { addChild, childOf } from "./roster.ts";
import { isDynamic, report, setStatus, settle } from "./state.ts";
import type { AfterStart, Draft, Next, Operation, State } from "./state.ts";

type Starting = Extract<Operation, { readonly type: "starting" }>;
type Outcome = Extract<Event, { readonly type: "started" | "ignored" | "start_failed" }>;

/**
 * What the supervisor becomes and wants done. Several events are all in its mailbox before it looks at the first of them.
 * Throws (a broken contract) at a second `init` and at the outcome of a start that was not asked for.
 */
export function step(
  state: State,
  events: Event | readonly Event[],
): { readonly state: State; readonly effects: readonly Effect[] } {
  const { effects, ...rest } = stepped(state, "type" in events ? [events] : events);
  return { state: rest, effects };
}

function stepped(state: State, events: readonly Event[]): Draft {
  const draft: Draft = { ...state, effects: [] };
  const awaited: Event[] = [];
  for (const event of events) {
    if ("atMs" in event && event.atMs !== undefined) draft.nowMs = Math.max(draft.nowMs, event.atMs);
    if (draft.phase === "ended") answerGone(draft, event);
    else if (isAwaited(draft, event)) awaited.push(event);
    else draft.mailbox = push(draft.mailbox, event);
  }
  // An end that has arrived comes before the time that was up: OTP looks for the message first.
  for (const event of awaited.toSorted((a, b) => rank(a) - rank(b))) {
    carryOut(draft, proceed(draft, event));
    drain(draft);
  }
  drain(draft);
  return draft;
}

function rank({ type }: Event): number {
  return type === "timer" ? 1 : 0;
}

/** True for what does not wait its turn in the mailbox. */
function isAwaited({ operation }: Draft, event: Event): boolean {
  switch (event.type) {
    case "init":
    case "started":
    case "ignored":
    case "start_failed":
    case "timer":
      return true;
    case "exited":
      if (operation?.type === "ending") return operation.ref === event.ref;
      return operation?.type === "ending_dynamics" && getIn(operation.waiting, event.ref) !== undefined;
    default:
      return false;
  }
}

/** Serves the mailbox until something has to be awaited. */
function drain(draft: Draft): void {
  while (draft.phase === "up" && draft.operation === undefined) {
    const { event, mailbox } = shift(draft.mailbox);
    draft.mailbox = mailbox;
    if (event === undefined) return;
    carryOut(draft, serveEvent(draft, event));
  }
}

function serveEvent(draft: Draft, event: Event): Next | undefined {
  switch (event.type) {
    case "exited":
      return afterExit(draft, event);
    case "called":
      return serve(draft, event.from, event.request);
    case "told":
      return { type: "stop", reason: event.reason };
    case "try_again":
      return tryAgain(draft, event.key);
    default:
      throw new assert.AssertionError({ message: `${event.type} does not belong into the mailbox` });
  }
}

/** Goes on with the operation that waited for this event. */
function proceed(draft: Draft, event: Event): Next | undefined {
  const { operation } = draft;
  switch (event.type) {
    case "init":
      assert.equal(draft.phase, "new", "a supervisor is started once");
      draft.phase = "starting";
      return { type: "start", ids: idsOf(draft.children), round: { type: "init" } };
    case "timer":
      if (operation?.type === "ending" && operation.timer === event.id) overdue(draft, operation);
      if (operation?.type === "ending_dynamics") dynamicsOverdue(draft, operation, event.id);
      return undefined;
    case "exited":
      if (operation?.type === "ending") return ended(draft, operation, event.reason);
      assert(operation?.type === "ending_dynamics", "an exit was awaited by nobody");
      return dynamicEnded(draft, operation, event);
    case "started":
    case "ignored":
    case "start_failed":
      assert(operation?.type === "starting" && operation.ref === event.ref, `nobody waits for the start ${event.ref}`);
      draft.operation = undefined;
      return afterStart(draft, operation, event);
    default:
      throw new assert.AssertionError({ message: `${event.type} is awaited by no operation` });
  }
}

/** Does one thing after the other until there is nothing to do or something to wait for. */
function carryOut(draft: Draft, first: Next | undefined): void {
  let next = first;
  while (next !== undefined) next = carryOutOne(draft, next);
}

function carryOutOne(draft: Draft, next: Next): Next | undefined {
  switch (next.type) {
    case "start":
      return startNext(draft, { ...next, at: 0 });
    case "end":
      return endNext(draft, { ...next, at: 0 });
    case "start_group":
      return startNext(draft, { ids: groupOf(draft, next.round.fallenId), at: 0, round: next.round });
    case "stop":
      if (isDynamic(draft)) return endAllDynamics(draft, next.reason);
      return endNext(draft, {
        ids: idsOf(draft.children).toReversed(),
        at: 0,
        next: { type: "exit", reason: next.reason },
      });
    case "exit":
      return exit(draft, next.reason);
  }
}

function exit(draft: Draft, reason: Reason): undefined {
  draft.phase = "ended";
  for (let rest = shift(draft.mailbox); rest.event !== undefined; rest = shift(rest.mailbox))
    answerGone(draft, rest.event);
  draft.mailbox = emptyMailbox;
  draft.effects.push({ type: "exit", reason });
}

/** Nobody is left to serve it. */
function answerGone(draft: Draft, event: Event): void {
  if (event.type !== "called") return;
  draft.effects.push({ type: "reply", from: event.from, reply: { type: "refused", error: "noproc" } });
}

function afterStart(draft: Draft, { spec, extra, after }: Starting, outcome: Outcome): Next | undefined {
  if (outcome.type === "start_failed") return afterFailure(draft, spec, after, outcome);
  const ref = outcome.type === "started" ? outcome.ref : undefined;
  switch (after.type) {
    case "round":
      keepStarted(draft, spec.id, ref);
      return startNext(draft, { ...after, at: after.at + 1 });
    case "restart":
      setUp(draft, after.id, ref);
      return undefined;
    case "restart_child":
      setUp(draft, after.id, ref);
      return replyStarted(draft, after.from, ref);
    case "start_child":
      draft.children = addChild(draft.children, { spec, status: { type: "stopped" } });
      keepStarted(draft, spec.id, ref);
      return replyStarted(draft, after.from, ref);
    case "start_dynamic":
      if (ref !== undefined) addDynamic(draft, ref, { spec, extra });
      return replyStarted(draft, after.from, ref);
    case "restart_dynamic":
      restartedDynamic(draft, after.ref, ref ?? "ignored");
      return undefined;
  }
}

function afterFailure(
  draft: Draft,
  spec: Starting["spec"],
  after: AfterStart,
  { reason, cause }: Extract<Outcome, { readonly type: "start_failed" }>,
): Next | undefined {
  const isAsked = "from" in after;
  if (isAsked) {
    const reply = { type: "refused", error: "start_failed", value: reason } as const;
    draft.effects.push({ type: "reply", from: after.from, reply });
    return undefined;
  }
  report(draft, { type: "start_error", spec, reason, ...(cause === undefined ? {} : { cause }) });
  switch (after.type) {
    case "round":
      return roundFailed(draft, spec.id, after.round);
    case "restart":
      return markRestarting(draft, after.id);
    case "restart_dynamic":
      return restartedDynamic(draft, after.ref, "failed");
  }
}

function markRestarting(draft: Draft, id: string): undefined {
  const status = childOf(draft.children, id)?.status;
  if (status === undefined || status.type === "stopped") return;
  const attempt = status.type === "restarting" ? status.attempt + 1 : 1;
  setStatus(draft, id, { type: "restarting", ref: status.ref, attempt });
  draft.effects.push({ type: "try_again", key: { id }, attempt });
}

/** A child without a process is stopped; a temporary one that answered `ignore` is forgotten. */
function keepStarted(draft: Draft, id: string, ref: Ref | undefined): void {
  const child = childOf(draft.children, id);
  if (ref === undefined && child !== undefined) settle(draft, child.spec);
  else setUp(draft, id, ref);
}

function setUp(draft: Draft, id: string, ref: Ref | undefined): void {
  setStatus(draft, id, ref === undefined ? { type: "stopped" } : { type: "up", ref });
}

function replyStarted(draft: Draft, from: From, ref: Ref | undefined): undefined {
  draft.effects.push({
    type: "reply",
    from,
    reply: ref === undefined ? { type: "ignored" } : { type: "started", ref },
  });
}
