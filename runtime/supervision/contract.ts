/**
 * The words between a supervisor's core and the shell that runs it: what a supervisor is made of, what happens to it
 * (events), what it wants done (effects), what it can be asked (requests) and what it answers (replies).
 *
 *   shell                                     core (pure, `step.ts`)
 *     init ------------------------------------>
 *     <----- start(ref, child) -----------------    then exactly one of started, ignored, start_failed for this ref
 *     started(ref) ---------------------------->
 *     exited(ref, reason, atMs) --------------->    exactly one for each ref that was started, whatever ended it
 *     <----- signal(ref, "shutdown" | "kill") --    the answer is the child's `exited`
 *     <----- set_timer(id, ms), cancel_timer ---    timer(id); one that fires after its cancel is ignored
 *     called(from, request, atMs) ------------->    exactly one reply(from) each, in the end `noproc`
 *     <----- try_again(key, attempt) -----------    hand it back as an event: behind what is queued (as OTP's cast to
 *                                                   itself), or later (production: with back-off and jitter)
 *     told(reason) ---------------------------->    the parent's exit signal
 *     <----- ready | exit(reason) --------------    init is over | the last effect of this supervisor
 *
 * All of it is plain data. Times are monotonic milliseconds handed in by the shell; the core only compares them. A restart
 * is charged at the time at which it is decided, as in OTP: the latest `atMs` that any event brought.
 */

/** Names one start of one child: never used twice by one supervisor. */
export type Ref = number;

/**
 * Why something ended, in OTP's words: `normal`, `shutdown` and `shutdown:why` are orderly, all others are abnormal.
 */
export type Reason = string;

/** Which siblings are restarted with the one that fell. `dynamic` is Elixir's DynamicSupervisor. */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one" | "simple_one_for_one" | "dynamic";

/** When a child is started again: always, only after an abnormal exit, never. */
export type RestartType = "permanent" | "transient" | "temporary";

/** Milliseconds between the request to shut down and the kill; killed at once; waited for without end. */
export type Shutdown = number | "brutal_kill" | "infinity";

/** Whether a supervisor ends by itself when a significant child, or the last of them, has ended. */
export type AutoShutdown = "never" | "any_significant" | "all_significant";

/** What a child is. */
export type ChildType = "worker" | "supervisor";

/** How a supervisor starts, restarts and stops one child. Made by `checkChildSpec`, which fills in OTP's defaults. */
export interface ChildSpec {
  readonly id: string;
  /** What the shell needs in order to start it; the core never looks inside. */
  readonly start: unknown;
  readonly restart: RestartType;
  readonly shutdown: Shutdown;
  readonly type: ChildType;
  readonly significant: boolean;
}

/** The rules of one supervisor. */
export interface Flags {
  readonly strategy: Strategy;
  /** Restarts tolerated within `periodMs`; one more and the supervisor gives up. */
  readonly intensity: number;
  /** A restart exactly this long ago still counts. */
  readonly periodMs: number;
  readonly autoShutdown: AutoShutdown;
  /** How many children a dynamic supervisor takes; restarting ones count. */
  readonly maxChildren: number | "infinity";
}

/** A supervisor's definition: its rules, and its children in start order (the template alone for simple_one_for_one). */
export interface Definition {
  readonly flags: Flags;
  readonly children: readonly ChildSpec[];
}

/** Names whoever asked; opaque to the core. */
export type From = number | string;

/** What a child is called in a request: by id, or by ref where children have no ids of their own. */
export type ChildName = { readonly id: string } | { readonly ref: Ref };

/** What a supervisor can be asked. A spec is checked when the request is served, as in OTP. */
export type Request =
  /** For simple_one_for_one, `spec` is handed to the shell as `extra` beside the template. */
  | { readonly type: "start_child"; readonly spec: unknown }
  | { readonly type: "restart_child"; readonly id: string }
  | { readonly type: "terminate_child"; readonly child: ChildName }
  | { readonly type: "delete_child"; readonly id: string }
  | { readonly type: "get_childspec"; readonly child: ChildName }
  | { readonly type: "which_children" }
  | { readonly type: "count_children" }
  /** Change of definition while it runs: starts nothing, stops nothing. Both parts are already checked. */
  | { readonly type: "upgrade"; readonly definition: Definition };

/** OTP's names for what can be wrong with a request, a spec or a definition. */
export type Refusal =
  | "already_present"
  | "already_started"
  | "bad_combination"
  | "badarg"
  | "duplicate_child_name"
  | "invalid_auto_shutdown"
  | "invalid_child_spec"
  | "invalid_child_type"
  | "invalid_intensity"
  | "invalid_max_children"
  | "invalid_period"
  | "invalid_restart_type"
  | "invalid_shutdown"
  | "invalid_significant"
  | "invalid_strategy"
  | "max_children"
  | "missing_id"
  | "missing_start"
  | "noproc"
  | "not_found"
  | "restarting"
  | "running"
  | "simple_one_for_one"
  /** A child was to be started and did not come up; `value` is its reason. */
  | "start_failed";

/** What was refused and why; `value` is the offending value. */
export interface Refused {
  readonly type: "refused";
  readonly error: Refusal;
  readonly value?: unknown;
}

/** One line of `which_children`. `ref` names the running process; for a restarting child, the one that ended. */
export interface ChildView {
  /** Undefined for children of simple_one_for_one and dynamic supervisors, which have no ids there. */
  readonly id: string | undefined;
  readonly status: "up" | "stopped" | "restarting";
  readonly ref: Ref | undefined;
  readonly spec: ChildSpec;
}

/** The answer to a request. */
export type Reply =
  | { readonly type: "ok" }
  | { readonly type: "started"; readonly ref: Ref }
  /** The child's start answered `ignore`. */
  | { readonly type: "ignored" }
  | { readonly type: "childspec"; readonly spec: ChildSpec }
  /** Newest first. */
  | { readonly type: "children"; readonly children: readonly ChildView[] }
  | {
      readonly type: "counts";
      readonly specs: number;
      /** Children whose process is alive. */
      readonly active: number;
      readonly supervisors: number;
      readonly workers: number;
    }
  | Refused;

/** What happens to a supervisor. `cause` is carried into reports untouched. */
export type Event =
  | { readonly type: "init" }
  | { readonly type: "started"; readonly ref: Ref; readonly atMs?: number }
  | { readonly type: "ignored"; readonly ref: Ref; readonly atMs?: number }
  | {
      readonly type: "start_failed";
      readonly ref: Ref;
      readonly reason: Reason;
      readonly atMs?: number;
      readonly cause?: unknown;
    }
  | {
      readonly type: "exited";
      readonly ref: Ref;
      readonly reason: Reason;
      readonly atMs: number;
      /** False: restart it, if it is restarted at all, without spending intensity. Absent means true, as in OTP. */
      readonly isCharged?: boolean;
      readonly cause?: unknown;
    }
  | { readonly type: "called"; readonly from: From; readonly request: Request; readonly atMs: number }
  | { readonly type: "told"; readonly reason: Reason }
  | { readonly type: "timer"; readonly id: number; readonly atMs?: number }
  | { readonly type: "try_again"; readonly key: ChildName; readonly atMs: number };

/** What became of a child that ended by itself. */
export type Outcome = "restart" | "stopped" | "forgotten" | "breach";

/** What operators are told; nothing is decided by it. */
export type Report =
  /** A child ended by itself. `stopped` and `forgotten` are for good, unless somebody asks for it again. */
  | {
      readonly type: "child_exited";
      readonly spec: ChildSpec;
      readonly ref: Ref;
      readonly reason: Reason;
      readonly outcome: Outcome;
      readonly cause?: unknown;
    }
  | { readonly type: "start_error"; readonly spec: ChildSpec; readonly reason: Reason; readonly cause?: unknown }
  /** A child that was told to shut down ended with another reason. */
  | { readonly type: "shutdown_error"; readonly spec: ChildSpec; readonly ref: Ref; readonly reason: Reason }
  /** Too many restarts within the period, `restarts` of them: the supervisor gives up. */
  | { readonly type: "breach"; readonly spec: ChildSpec; readonly restarts: number }
  /** The end of this significant child ends the supervisor. */
  | { readonly type: "auto_shutdown"; readonly spec: ChildSpec }
  /** A temporary child was stopped with its group, or on request, and is no longer known. */
  | { readonly type: "child_forgotten"; readonly spec: ChildSpec };

/** What the shell does for the core, in order. */
export type Effect =
  /** `extra` is what was asked for beside a simple_one_for_one template, now or when this child was first started. */
  | { readonly type: "start"; readonly ref: Ref; readonly spec: ChildSpec; readonly extra?: unknown }
  | { readonly type: "signal"; readonly ref: Ref; readonly reason: "shutdown" | "kill" }
  | { readonly type: "set_timer"; readonly id: number; readonly ms: number }
  | { readonly type: "cancel_timer"; readonly id: number }
  | { readonly type: "reply"; readonly from: From; readonly reply: Reply }
  /** `attempt`: failed tries in a row so far, from 1. */
  | { readonly type: "try_again"; readonly key: ChildName; readonly attempt: number }
  | { readonly type: "report"; readonly report: Report }
  /** All children of the definition were started: the supervisor is up. */
  | { readonly type: "ready" }
  /** The supervisor has ended; its children have too. Nothing follows. */
  | { readonly type: "exit"; readonly reason: Reason };

/** True for the reasons after which a transient child stays down. */
export function isOrderly(reason: Reason): boolean {
  return reason === "normal" || reason === "shutdown" || reason.startsWith("shutdown:");
}
