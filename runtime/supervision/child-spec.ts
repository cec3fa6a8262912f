/**
 * What a child and a supervisor may be: the checks of `supervisor:check_childspecs/2` and `supervisor:check_flags/1`, and
 * those of Elixir's DynamicSupervisor, in their order and with their names. Pure: the first thing that is wrong is
 * returned with the offending value, nothing is thrown.
 */
import type {
  AutoShutdown,
  ChildSpec,
  ChildType,
  Flags,
  Refusal,
  Refused,
  RestartType,
  Shutdown,
  Strategy,
} from "./contract.ts";

/** A value that passed, or what is wrong with it. */
export type Checked<T> = { readonly type: "good"; readonly value: T } | Refused;

/** Under which rules a spec is checked. `autoShutdown` is undefined where no supervisor is known, as in check_childspecs/1. */
export interface CheckRules {
  readonly strategy: Strategy;
  readonly autoShutdown: AutoShutdown | undefined;
}

// 5 s: OTP's default shutdown of a worker.
const WORKER_SHUTDOWN_MS = 5_000;

const restartTypes: readonly RestartType[] = ["permanent", "transient", "temporary"];
const childTypes: readonly ChildType[] = ["worker", "supervisor"];
const autoShutdowns: readonly AutoShutdown[] = ["never", "any_significant", "all_significant"];
const strategies: readonly Strategy[] = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one", "dynamic"];

/** Checks one child and fills in OTP's defaults: permanent, worker, 5 s for a worker, infinity for a supervisor. */
export function checkChildSpec(input: unknown, rules: CheckRules): Checked<ChildSpec> {
  if (!isRecord(input)) return refused("invalid_child_spec", input);
  const { id, start, restart = "permanent", significant = false, type = "worker" } = input;
  const { shutdown = type === "supervisor" ? "infinity" : WORKER_SHUTDOWN_MS } = input;
  const isDynamic = rules.strategy === "dynamic";
  // Elixir matches on both keys at once, has no significant children and does not take 0 for a time.
  if (isDynamic && (typeof id !== "string" || start === undefined)) return refused("invalid_child_spec", input);
  if (typeof id !== "string") return refused("missing_id", input);
  if (start === undefined) return refused("missing_start", input);
  if (!isOneOf(restart, restartTypes)) return refused("invalid_restart_type", restart);
  const wrong = isDynamic ? undefined : checkSignificant(significant, restart, rules.autoShutdown);
  if (wrong !== undefined) return wrong;
  if (isDynamic && !isShutdown(shutdown, 1)) return refused("invalid_shutdown", shutdown);
  if (!isOneOf(type, childTypes)) return refused("invalid_child_type", type);
  if (!isShutdown(shutdown, 0)) return refused("invalid_shutdown", shutdown);
  return good({ id, start, restart, shutdown, type, significant: !isDynamic && significant === true });
}

/** Checks a list of children for one supervisor: each of them, and that no id is there twice. */
export function checkChildSpecs(input: unknown, rules: CheckRules): Checked<readonly ChildSpec[]> {
  if (!Array.isArray(input)) return refused("badarg", input);
  const specs = new Map<string, ChildSpec>();
  for (const item of input) {
    const checked = checkChildSpec(item, rules);
    if (checked.type === "refused") return checked;
    if (specs.has(checked.value.id)) return refused("duplicate_child_name", checked.value.id);
    specs.set(checked.value.id, checked.value);
  }
  return good([...specs.values()]);
}

/** A supervisor's rules before they are checked. `period` is in the caller's unit: a whole number above 0. */
export interface FlagsInput {
  readonly strategy?: unknown;
  readonly intensity?: unknown;
  readonly period?: unknown;
  readonly autoShutdown?: unknown;
  readonly maxChildren?: unknown;
}

/**
 * Checks a supervisor's rules and fills in OTP's defaults: one_for_one, 1 restart, no automatic shutdown (dynamic: 3
 * restarts, no limit of children). `period` becomes `periodMs` by `unitMs`; `periodDefault` is in the same unit.
 */
export function checkFlags(
  input: FlagsInput,
  unit: { readonly unitMs: number; readonly periodDefault: number },
): Checked<Flags> {
  const { strategy = "one_for_one", autoShutdown = "never", maxChildren = "infinity" } = input;
  const isDynamic = strategy === "dynamic";
  const { intensity = isDynamic ? 3 : 1, period = unit.periodDefault } = input;
  if (!isOneOf(strategy, strategies)) return refused("invalid_strategy", strategy);
  if (!isWhole(intensity, 0)) return refused("invalid_intensity", intensity);
  if (!isWhole(period, 1)) return refused("invalid_period", period);
  const periodMs = period * unit.unitMs;
  if (!isDynamic) {
    if (!isOneOf(autoShutdown, autoShutdowns)) return refused("invalid_auto_shutdown", autoShutdown);
    return good({ strategy, intensity, periodMs, autoShutdown, maxChildren: "infinity" });
  }
  if (maxChildren !== "infinity" && !isWhole(maxChildren, 0)) return refused("invalid_max_children", maxChildren);
  return good({ strategy, intensity, periodMs, autoShutdown: "never", maxChildren });
}

/** True for a value of `auto_shutdown`. */
export function isAutoShutdown(value: unknown): value is AutoShutdown {
  return isOneOf(value, autoShutdowns);
}

function checkSignificant(
  significant: unknown,
  restart: RestartType,
  autoShutdown: AutoShutdown | undefined,
): Refused | undefined {
  if (significant === true && autoShutdown === "never")
    return refused("bad_combination", { auto_shutdown: autoShutdown, significant });
  if (significant === true && restart === "permanent") return refused("bad_combination", { restart, significant });
  return typeof significant === "boolean" ? undefined : refused("invalid_significant", significant);
}

function isShutdown(value: unknown, least: number): value is Shutdown {
  return value === "brutal_kill" || value === "infinity" || isWhole(value, least);
}

function isWhole(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}

function isOneOf<T>(value: unknown, known: readonly T[]): value is T {
  return known.some((one) => one === value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function good<T>(value: T): Checked<T> {
  return { type: "good", value };
}

function refused(error: Refusal, value: unknown): Refused {
  return { type: "refused", error, value };
}
