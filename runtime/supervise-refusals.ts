/**
 * What the core refuses, in the words and codes of this runtime. Pure functions.
 */
import { RuntimeError } from "./errors.ts";
import type { RuntimeErrorCode } from "./errors.ts";
import type { Refusal, Refused, Reply } from "./supervision/contract.ts";

const TEXTS: Readonly<Record<Refusal, string>> = {
  already_present: "a child of this id is there, stopped; restartChild starts it",
  already_started: "a child of this id is running",
  bad_combination: "a significant child needs restart transient or temporary, and a supervisor with autoShutdown",
  badarg: "children must be a list",
  duplicate_child_name: "two children have one id",
  invalid_auto_shutdown: "autoShutdown is never, any_significant or all_significant",
  invalid_child_spec: "this is no child spec",
  invalid_child_type: "a child is an agent or a supervisor",
  invalid_intensity: "intensity is a whole number, 0 or more",
  invalid_max_children: "maxChildren is a whole number, 0 or more",
  invalid_period: "periodMs is a whole number of milliseconds above 0",
  invalid_restart_type: "restart is permanent, transient or temporary",
  invalid_shutdown: "shutdownMs is a whole number of milliseconds, brutal_kill or infinity",
  invalid_significant: "significant is true or false",
  invalid_strategy: "strategy is one_for_one, one_for_all, rest_for_one or dynamic, and a dynamic one stays dynamic",
  max_children: "it has as many children as it may",
  missing_id: "a child needs an id",
  missing_start: "a child needs module, source or children",
  noproc: "the supervisor is down",
  not_found: "there is no such child",
  restarting: "the child is being restarted",
  running: "the child is running; terminateChild stops it",
  simple_one_for_one: "children of a dynamic supervisor are forgotten when they end",
  start_failed: "the child did not start",
};

const CODES: ReadonlyMap<Refusal, RuntimeErrorCode> = new Map([
  ["already_present", "RUNTIME_CHILD_EXISTS"],
  ["already_started", "RUNTIME_CHILD_EXISTS"],
  ["duplicate_child_name", "RUNTIME_CHILD_EXISTS"],
  ["max_children", "RUNTIME_CHILDREN_EXCEEDED"],
  ["noproc", "RUNTIME_SUPERVISOR_DOWN"],
  ["not_found", "RUNTIME_CHILD_UNKNOWN"],
  ["restarting", "RUNTIME_CHILD_RESTARTING"],
  ["running", "RUNTIME_CHILD_RUNNING"],
  ["start_failed", "RUNTIME_CHILD_START_FAILED"],
]);

/** One sentence for people. */
export function refusalText(refusal: Refusal): string {
  return TEXTS[refusal];
}

/** What whoever asked a supervisor is told. `cause`: the error behind a start that failed. */
export function refusalError(
  supervisor: string,
  child: string | undefined,
  refused: Refused,
  cause?: unknown,
): RuntimeError {
  const { error, value } = refused;
  const code = CODES.get(error) ?? "RUNTIME_OPTIONS_INVALID";
  const where = child === undefined ? supervisor : `${supervisor}/${child}`;
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  const details = { supervisor, ...(child === undefined ? {} : { child }), ...(value === undefined ? {} : { value }) };
  return new RuntimeError(code, `${where}: ${TEXTS[error]}${why}`, {
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What the core answered; `error` is behind a start that failed. */
export interface Answer {
  readonly reply: Reply;
  readonly error?: unknown;
}

/** The reply, unless it is a refusal, which is thrown. */
export function accepted(
  supervisor: string,
  child: string | undefined,
  { reply, error }: Answer,
): Exclude<Reply, Refused> {
  if (reply.type === "refused") throw refusalError(supervisor, child, reply, error);
  return reply;
}
