/**
 * The door for the specs of supervisors: what the embedding program says is checked as a whole before anything is started,
 * and becomes plans and the definition that the core works with. What makes no sense is refused with the offending value.
 *
 * The core's own checks (`supervision/child-spec.ts`, OTP's) decide about strategies, intensities, restart types,
 * shutdown times and significant children; `parseSpawnOptions` about agents. Here: names, nesting, unknown keys.
 */
import { RuntimeError } from "./errors.ts";
import type { ParsedSpawnOptions, SpawnDefaults, SpawnOptions } from "./options.ts";
import { isAgentId } from "./name-options.ts";
import { parseSpawnOptions } from "./options.ts";
import type { Checked } from "./supervision/child-spec.ts";
import { checkChildSpec, checkFlags } from "./supervision/child-spec.ts";
import type { AutoShutdown, ChildSpec as CoreSpec, Definition, Flags, RestartType } from "./supervision/contract.ts";
import { refusalText } from "./supervise-refusals.ts";

/** An agent under a supervisor: `spawn`'s options; how often it may fail is its supervisor's to say. */
export interface AgentChildSpec extends Omit<SpawnOptions, "intensity" | "periodMs"> {
  /** Its end may end the supervisor, see `autoShutdown`. Default false; needs `restart` transient or temporary. */
  readonly significant?: boolean | undefined;
}

/** A supervisor, at the top or under another one. Every default is OTP's. */
export interface SupervisorSpec {
  /** Its name, one segment; its children are called `<its path>/<their id>`. */
  readonly id: string;
  /** Who restarts with a child that fell: it alone (default), all, or it and those started after it. `dynamic`: children come by `startChild`. */
  readonly strategy?: "one_for_one" | "one_for_all" | "rest_for_one" | "dynamic" | undefined;
  /** Restarts tolerated within `periodMs`, all children together; one more and it gives up. Default 1 in 5 s, dynamic 3 in 5 s. */
  readonly intensity?: number | undefined;
  readonly periodMs?: number | undefined;
  /** It ends by itself when a significant child, or the last of them, has ended. Default `never`. */
  readonly autoShutdown?: AutoShutdown | undefined;
  /** How many children a dynamic supervisor takes, restarting ones included. Default: no limit. */
  readonly maxChildren?: number | undefined;
  /** Started in this order, stopped in reverse. */
  readonly children?: readonly ChildSpec[] | undefined;
  /** What the children of a dynamic supervisor have in common; `startChild` adds the rest, at least an id. */
  readonly template?: Partial<AgentChildSpec> | undefined;
  /** Under another supervisor: when that restarts it. Default `permanent`. */
  readonly restart?: RestartType | undefined;
  /** Under another supervisor: time for it and all below to stop. Default `infinity`. */
  readonly shutdownMs?: number | "brutal_kill" | "infinity" | undefined;
  readonly significant?: boolean | undefined;
}

/** A child: an agent (`module` or `source`) or a supervisor (`children` or `strategy`). */
export type ChildSpec = AgentChildSpec | SupervisorSpec;

/** An agent to be started under its path. */
export interface AgentPlan {
  readonly type: "agent";
  readonly path: string;
  readonly options: ParsedSpawnOptions;
}

/** A supervisor to be started under its path. */
export interface SupervisorPlan {
  readonly type: "supervisor";
  readonly path: string;
  /** Its children carry their plans as `start`. */
  readonly definition: Definition;
  readonly template: Partial<AgentChildSpec> | undefined;
}

/** What a child's `start` is. */
export type ChildPlan = AgentPlan | SupervisorPlan;

/** Where a spec is read: defaults, and the supervisors above, outermost first. */
interface Place {
  readonly defaults: SpawnDefaults;
  readonly parent: string | undefined;
  readonly above: readonly unknown[];
}

const SUPERVISOR_KEYS: ReadonlySet<string> = new Set([
  "id",
  "strategy",
  "intensity",
  "periodMs",
  "autoShutdown",
  "maxChildren",
  "children",
  "template",
  "restart",
  "shutdownMs",
  "significant",
]);
/** OTP's, in ms. */
const PERIOD_MS = 5_000;
/** More can be neither counted nor waited for: 24.8 days, what fits a timer of Node's. */
const MS_MAX = 2 ** 31 - 1;

/** The plan of a supervisor at the top. Throws RUNTIME_OPTIONS_INVALID. */
export function parseSupervisorSpec(input: unknown, defaults: Place["defaults"]): SupervisorPlan {
  const path = pathOf(undefined, input);
  const given = recordOf(path, input);
  for (const key of ["restart", "significant", "shutdownMs"]) {
    if (given[key] !== undefined) throw invalid(path, `${key} is for the children of a supervisor`, given[key]);
  }
  return supervisorPlan(given, path, { defaults, parent: undefined, above: [] });
}

/** The new definition of the supervisor of that path; its place in the tree stays. Throws RUNTIME_OPTIONS_INVALID. */
export function parseUpgrade(input: unknown, path: string, defaults: Place["defaults"]): SupervisorPlan {
  const given = recordOf(path, input);
  if (given["id"] !== undefined && given["id"] !== path.slice(path.lastIndexOf("/") + 1))
    throw invalid(path, "an upgrade cannot change the id", given["id"]);
  return supervisorPlan(given, path, { defaults, parent: undefined, above: [] });
}

/** A child to be added to the supervisor of `plan`. Throws RUNTIME_OPTIONS_INVALID. */
export function parseChildSpec(input: unknown, plan: SupervisorPlan, defaults: Place["defaults"]): CoreSpec {
  const { flags } = plan.definition;
  const path = pathOf(plan.path, input);
  const given = { ...plan.template, ...recordOf(path, input) };
  return childSpec(given, { flags, path, place: { defaults, parent: plan.path, above: [] } });
}

function supervisorPlan(given: Readonly<Record<string, unknown>>, path: string, place: Place): SupervisorPlan {
  for (const key of Object.keys(given)) {
    if (!SUPERVISOR_KEYS.has(key)) throw invalid(path, `unknown key ${key}`, given[key]);
  }
  const { strategy, intensity, periodMs: period, autoShutdown, maxChildren, children = [], template } = given;
  if (strategy === "simple_one_for_one") throw invalid(path, 'here it is strategy "dynamic" with a template', strategy);
  const rules = { strategy, intensity, period, autoShutdown, maxChildren };
  const flags = good(path, checkFlags(rules, { unitMs: 1, periodDefault: PERIOD_MS }));
  if (flags.periodMs > MS_MAX) throw invalid(path, `periodMs is at most ${MS_MAX}`, period);
  const isDynamic = flags.strategy === "dynamic";
  if (!isDynamic && maxChildren !== undefined) throw invalid(path, "maxChildren is for dynamic ones", maxChildren);
  if (!isDynamic && template !== undefined) throw invalid(path, "template is for dynamic ones", template);
  if (isDynamic && autoShutdown !== undefined && autoShutdown !== "never")
    throw invalid(path, "a dynamic one has no significant children", autoShutdown);
  if (!Array.isArray(children)) throw invalid(path, "children must be a list", children);
  if (isDynamic && children.length > 0) throw invalid(path, "a dynamic one begins without children", children.length);
  const checked = template === undefined ? undefined : templateOf(template, { flags, path, place });
  const above = [...place.above, given];
  const specs = childrenOf(children, { flags, path, place: { ...place, above } });
  return { type: "supervisor", path, definition: { flags, children: specs }, template: checked };
}

/** What children have in common must be right before there are any: it is checked as if they added an id, and code where it has none. */
function templateOf(
  input: unknown,
  { flags, path, place }: { readonly flags: Flags; readonly path: string; readonly place: Place },
): Readonly<Record<string, unknown>> {
  const where = `${path}/<template>`;
  const given = recordOf(where, input);
  const code = given["module"] === undefined && given["source"] === undefined ? { source: "" } : {};
  childSpec({ ...given, ...code, id: "template" }, { flags, path: where, place });
  return given;
}

function childrenOf(
  children: readonly unknown[],
  { flags, path, place }: { readonly flags: Flags; readonly path: string; readonly place: Place },
): readonly CoreSpec[] {
  const specs = new Map<string, CoreSpec>();
  for (const child of children) {
    const childPath = pathOf(path, child);
    if (place.above.includes(child))
      throw invalid(childPath, "a supervisor cannot contain itself", childPath.slice(path.length + 1));
    const spec = childSpec(recordOf(childPath, child), { flags, path: childPath, place: { ...place, parent: path } });
    if (specs.has(spec.id)) throw invalid(path, "two children have one id", spec.id);
    specs.set(spec.id, spec);
  }
  return [...specs.values()];
}

function childSpec(
  given: Readonly<Record<string, unknown>>,
  { flags, path, place }: { readonly flags: Flags; readonly path: string; readonly place: Place },
): CoreSpec {
  const isAgent = given["module"] !== undefined || given["source"] !== undefined;
  const isSupervisor = ["children", "strategy", "template"].some((key) => given[key] !== undefined);
  if (isAgent === isSupervisor)
    throw invalid(path, "a child is an agent (module or source) or a supervisor (children or strategy)", given["id"]);
  const { id, restart, significant, shutdownMs: shutdown } = given;
  const type = isAgent ? "worker" : "supervisor";
  const rules = { strategy: flags.strategy, autoShutdown: flags.autoShutdown };
  const input = { id, start: path, type, ...set({ restart, significant, shutdown }) };
  const checked = good(path, checkChildSpec(input, rules));
  if (typeof checked.shutdown === "number" && checked.shutdown > MS_MAX)
    throw invalid(path, `shutdownMs is at most ${MS_MAX}`, shutdown);
  const start: ChildPlan = isAgent ? agentPlan(given, { flags, path, place }) : supervisorPlan(given, path, place);
  return { ...checked, start };
}

function agentPlan(
  given: Readonly<Record<string, unknown>>,
  { flags, path, place }: { readonly flags: Flags; readonly path: string; readonly place: Place },
): AgentPlan {
  const { significant: _significant, ...rest } = given;
  for (const key of ["intensity", "periodMs"]) {
    if (rest[key] !== undefined) throw invalid(path, `${key} is its supervisor's to say`, rest[key]);
  }
  // A shutdown time of 0 is the core's to judge: here it would be none.
  const { shutdownMs } = rest;
  const parsed = parseSpawnOptions(
    shutdownMs === 0 ? { ...rest, shutdownMs: "brutal_kill" } : rest,
    place.defaults,
    path,
  );
  const { intensity, periodMs } = flags;
  const supervisor = place.parent ?? "";
  return { type: "agent", path, options: { ...parsed, id: path, supervisor, intensity, periodMs } };
}

/** The path of a child under `parent`. Throws RUNTIME_OPTIONS_INVALID where the spec has no id, or one that cannot be. */
function pathOf(parent: string | undefined, input: unknown): string {
  const where = parent ?? "supervise";
  const { id } = recordOf(where, input);
  const rule = "an id is one name: letters, digits and . _ : - only, at most 128 characters";
  if (typeof id !== "string" || id.includes("/") || !isAgentId(id)) throw invalid(where, rule, id);
  const path = parent === undefined ? id : `${parent}/${id}`;
  if (!isAgentId(path)) throw invalid(where, "a path is at most 200 characters", path);
  return path;
}

function recordOf(path: string, input: unknown): Readonly<Record<string, unknown>> {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw invalid(path, "a spec must be an object", input);
  return input as Readonly<Record<string, unknown>>; // an object that is no list has properties
}

/** Without what was not said: the core takes an explicit undefined for a value. */
function set(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function good<T>(path: string, checked: Checked<T>): T {
  if (checked.type === "good") return checked.value;
  throw invalid(path, refusalText(checked.error), checked.value);
}

function invalid(path: string, message: string, value: unknown): RuntimeError {
  const shown = typeof value === "string" ? JSON.stringify(value) : textOf(value);
  const issues = [{ path, message, value }];
  return new RuntimeError("RUNTIME_OPTIONS_INVALID", `${path}: ${message} (given: ${shown})`, { details: { issues } });
}

function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return "an object that contains itself"; // what it holds cannot be shown, and does not matter
  }
}
