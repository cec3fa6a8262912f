/**
 * What a supervisor knows: its children, and the one operation it is busy with. OTP's supervisor is a process that
 * blocks while a child starts or ends; here the blocked place is data (`Operation`: what is awaited, and what comes after),
 * and what would sit in the process's mailbox meanwhile sits in `mailbox`.
 *
 * Invariants
 * 1. At most one operation; while there is one, nothing is served.
 * 2. `children` is in start order. It is empty for dynamic supervisors; simple_one_for_one has its template in `template`.
 * 3. A ref is in at most one place: a child that is up, a dynamic child, or the operation.
 */
import type { ChildSpec, Definition, Effect, Flags, From, Reason, Ref, Report } from "./contract.ts";
import type { IntMap } from "./int-map.ts";
import { emptyIntMap } from "./int-map.ts";
import { emptyMailbox } from "./mailbox.ts";
import type { Mailbox } from "./mailbox.ts";
import { noRestarts } from "./restart-window.ts";
import type { RestartWindow } from "./restart-window.ts";
import { removeChild, rosterOf, withStatus } from "./roster.ts";
import type { ChildStatus, Roster } from "./roster.ts";

/** A child of simple_one_for_one or of a dynamic supervisor, found by the ref of its (last) process. */
export interface DynamicChild {
  /** As it was when the child was first started; for simple_one_for_one all but `start` is the template's. */
  readonly spec: ChildSpec;
  readonly extra?: unknown;
  readonly isRestarting: boolean;
  readonly attempt: number;
}

/** Why several children are started one after another. */
export type Round =
  | { readonly type: "init" }
  /** `fallenId` and `fallenRef`: whose end it was; `attempt`: failed rounds so far. */
  | {
      readonly type: "restart";
      readonly fallenId: string;
      readonly fallenRef: Ref | undefined;
      readonly attempt: number;
    };

/** What comes after the start of one child. */
export type AfterStart =
  /** `at`: its place among `ids`. */
  | { readonly type: "round"; readonly ids: readonly string[]; readonly at: number; readonly round: Round }
  | { readonly type: "restart"; readonly id: string }
  | { readonly type: "start_child"; readonly from: From }
  | { readonly type: "restart_child"; readonly from: From; readonly id: string }
  | { readonly type: "start_dynamic"; readonly from: From }
  | { readonly type: "restart_dynamic"; readonly ref: Ref };

/** What is to be done next by itself. */
export type Next =
  /** Start these one after another. */
  | { readonly type: "start"; readonly ids: readonly string[]; readonly round: Round }
  /** End these one after another, then do the next thing. */
  | { readonly type: "end"; readonly ids: readonly string[]; readonly next: Next }
  /** Start what is left of a group after it was ended: all, or the fallen child and those behind it. */
  | { readonly type: "start_group"; readonly round: Extract<Round, { readonly type: "restart" }> }
  /** End all children, then exit. */
  | { readonly type: "stop"; readonly reason: Reason }
  | { readonly type: "exit"; readonly reason: Reason };

/** What the supervisor waits for. */
export type Operation =
  | {
      readonly type: "starting";
      readonly ref: Ref;
      readonly spec: ChildSpec;
      readonly extra?: unknown;
      readonly after: AfterStart;
    }
  | {
      readonly type: "ending";
      readonly ref: Ref;
      readonly id: string;
      readonly timer: number | undefined;
      /** Those among `ids` behind `at` are still to be ended; or who asked for this one alone. */
      readonly after:
        | { readonly type: "siblings"; readonly ids: readonly string[]; readonly at: number; readonly next: Next }
        | { readonly type: "reply"; readonly from: From };
    }
  /** Dynamic children end all at once: one timer for each shutdown time, whatever their number. */
  | {
      readonly type: "ending_dynamics";
      readonly waiting: IntMap<ChildSpec>;
      readonly timers: readonly { readonly id: number; readonly refs: readonly Ref[] }[];
      readonly after:
        | { readonly type: "exit"; readonly reason: Reason }
        | { readonly type: "reply"; readonly from: From; readonly ref: Ref };
    };

/** The whole of it. Plain data; only `step` makes a new one. */
export interface State {
  readonly flags: Flags;
  readonly phase: "new" | "starting" | "up" | "ended";
  readonly children: Roster;
  readonly template: ChildSpec | undefined;
  readonly dynamics: IntMap<DynamicChild>;
  /** simple_one_for_one's own count of restarting children, with OTP's fault (see dynamics.ts). */
  readonly dynamicRestarts: number;
  /** A restart of a simple_one_for_one child that answered `ignore` leaves one child without a process (see dynamics.ts). */
  readonly hasHollow: boolean;
  readonly restarts: RestartWindow;
  /** The latest time that any event brought, in monotonic milliseconds. */
  readonly nowMs: number;
  readonly operation: Operation | undefined;
  readonly mailbox: Mailbox;
  readonly refNext: Ref;
  readonly timerNext: number;
}

/** A state while `step` works on it: its fields are replaced, never the data in them. */
export type Draft = { -readonly [Field in keyof State]: State[Field] } & { readonly effects: Effect[] };

/** A supervisor that was not started yet. The definition is already checked. */
export function newSupervisor({ flags, children }: Definition): State {
  const isSimple = flags.strategy === "simple_one_for_one";
  const isDynamic = isSimple || flags.strategy === "dynamic";
  return {
    flags,
    phase: "new",
    children: rosterOf(isDynamic ? [] : children.map((spec) => ({ spec, status: { type: "stopped" } }))),
    template: isSimple ? children[0] : undefined,
    dynamics: emptyIntMap(),
    dynamicRestarts: 0,
    hasHollow: false,
    restarts: noRestarts,
    nowMs: 0,
    operation: undefined,
    mailbox: emptyMailbox,
    refNext: 1,
    timerNext: 1,
  };
}

/** True where children have no ids of their own. */
export function isDynamic({ flags }: Pick<State, "flags">): boolean {
  return flags.strategy === "simple_one_for_one" || flags.strategy === "dynamic";
}

/** Sets how a child is. */
export function setStatus(draft: Draft, id: string, status: ChildStatus): void {
  draft.children = withStatus(draft.children, id, status);
}

/** OTP's del_child: a temporary child is forgotten, any other stays, stopped. */
export function settle(draft: Draft, { id, restart }: ChildSpec): void {
  if (restart === "temporary") draft.children = removeChild(draft.children, id);
  else setStatus(draft, id, { type: "stopped" });
}

/** Wants a child started, and waits for it. */
export function beginStart(draft: Draft, start: { spec: ChildSpec; extra?: unknown; after: AfterStart }): undefined {
  const ref = draft.refNext++;
  const { spec, extra, after } = start;
  const more = extra === undefined ? {} : { extra };
  draft.effects.push({ type: "start", ref, spec, ...more });
  draft.operation = { type: "starting", ref, spec, ...more, after };
}

/** Tells the operators. */
export function report(draft: Draft, told: Report): void {
  draft.effects.push({ type: "report", report: told });
}
