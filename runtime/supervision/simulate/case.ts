/**
 * What a simulation is given and what it gives: the JSON forms of cases and traces, and the check of a case at the door.
 */
import { RuntimeError } from "../../errors.ts";

/** A supervisor or child as a case describes it. What OTP would refuse is let through: refusing it is the test. */
export interface Script {
  readonly id?: unknown;
  readonly type?: unknown;
  readonly restart?: unknown;
  /** Milliseconds, `brutal_kill` or `infinity`. */
  readonly shutdown?: unknown;
  readonly significant?: unknown;
  /** Outcomes of the start attempts of this path, the last one repeating: ok, error, crash, raise, ignore. */
  readonly start?: unknown;
  /** True (the default) for a child that traps exits and so has a hook. */
  readonly trap_exit?: unknown;
  /** What its hook does when it is told to shut down: ok, normal, error, shutdown_term, hang. */
  readonly on_shutdown?: unknown;
  readonly strategy?: unknown;
  readonly intensity?: unknown;
  /** Seconds. */
  readonly period?: unknown;
  readonly auto_shutdown?: unknown;
  readonly max_children?: unknown;
  readonly children?: unknown;
  readonly template?: unknown;
}

/** One thing that is done; its fields depend on `op`. */
export interface Action {
  readonly op: string;
  readonly ops?: readonly Action[];
  readonly [field: string]: unknown;
}

/** What a case is called; its trace is called the same. */
export type CaseId = string | number;

/** A case: a tree of supervisors, or plain processes with links and monitors, and what happens to them in order. */
export interface Case {
  readonly id: CaseId;
  readonly kind: "tree" | "procs";
  readonly given?: { readonly supervisor?: Script };
  readonly when: readonly Action[];
}

/** What a process did: start, start_failed, start_ignored, terminate (its hook was entered) or down. */
export type TraceEvent = readonly [name: string, path: string, n: number, reason?: string];

/** One line of the tree after a step. */
export type TreeLine = readonly [path: string, status: string, n?: number];

/** What one action did, when all is quiet again. */
export interface Step {
  readonly op: string;
  readonly result: unknown;
  readonly events: readonly TraceEvent[];
  readonly tree: readonly TreeLine[];
}

/** What a case did: step 0 is the start, then one step for each action; or that it asks for something not built. */
export type Trace =
  | { readonly id: CaseId; readonly steps: readonly Step[] }
  | { readonly id: CaseId; readonly unsupported: true };

/** `object?` may be left out. */
type Shape = Readonly<Record<string, "string" | "number" | "boolean" | "object" | "object?" | "any">>;

/** What a root is called that has no name of its own. */
const ROOT = "root";
/** Lists and objects within one another that a case may have: its checks and its tree are walked by recursion. */
const DEPTH_MAX = 1_000;

const treeOps: Readonly<Record<string, Shape>> = {
  crash: { target: "string", reason: "string" },
  kill: { target: "string" },
  signal: { target: "string", reason: "string" },
  advance: { ms: "number" },
  stop: {},
  start_child: { sup: "string", spec: "any" },
  terminate_child: { sup: "string", id: "string" },
  restart_child: { sup: "string", id: "string" },
  delete_child: { sup: "string", id: "string" },
  get_childspec: { sup: "string", id: "string" },
  count_children: { sup: "string" },
  which_children: { sup: "string" },
  check_childspecs: { specs: "any" },
  start_dynamic: { sup: "string", spec: "object?" },
  terminate_dynamic: { sup: "string", n: "number" },
  upgrade: { sup: "string", supervisor: "object" },
};

const procsOps: Readonly<Record<string, Shape>> = {
  spawn: { id: "string" },
  trap: { id: "string", value: "boolean" },
  link: { from: "string", to: "string" },
  unlink: { from: "string", to: "string" },
  monitor: { from: "string", to: "string", ref: "any" },
  demonitor: { from: "string", ref: "any" },
  signal: { from: "string", to: "string", reason: "string" },
  exit: { id: "string", reason: "string" },
  messages: { id: "string" },
  register: { name: "string", id: "string" },
  unregister: { name: "string" },
  whereis: { name: "string" },
};

/**
 * The case, or undefined where it asks for something that is not built (a kind or op nobody knows). Throws
 * RUNTIME_CASE_INVALID for what is no case at all; the message names the place.
 */
export function parseCase(input: unknown): Case | undefined {
  if (!isRecord(input)) throw invalid("a case is a JSON object");
  if (typeof input.id !== "string" && typeof input.id !== "number") throw invalid("id: a string or a number is needed");
  if (isDeeper(input, DEPTH_MAX)) throw invalid(`it is nested deeper than ${DEPTH_MAX} lists and objects`);
  const { kind = "tree", given } = input;
  if (!Array.isArray(input.when)) throw invalid("when: a list of actions is needed");
  if (kind !== "tree" && kind !== "procs") return undefined;
  const isTree = kind === "tree";
  const actions: readonly unknown[] = input.when;
  const isKnown = actions.map((action, index) => checkAction(action, `when[${index}]`, isTree)).every(Boolean);
  const root = isRecord(given) && isRecord(given.supervisor) ? given.supervisor : undefined;
  if (isTree && root === undefined) throw invalid("given.supervisor: a supervisor is needed");
  const supervisor = { ...root, id: root?.id ?? ROOT };
  if (isTree && typeof supervisor.id !== "string") throw invalid("given.supervisor.id: a string is needed");
  // Every field that the simulation reads was looked at above; what a script holds is checked as OTP checks specs.
  return isKnown ? ({ ...input, kind, given: { supervisor } } as unknown as Case) : undefined;
}

/** Level by level, so that what is too deep for a recursion is found without one. */
function isDeeper(input: unknown, depthMax: number): boolean {
  let level: readonly unknown[] = [input];
  for (let depth = 0; depth <= depthMax; depth++) {
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** True for an op that is built; throws where one of its fields is missing or of the wrong type. */
function checkAction(action: unknown, place: string, isTree: boolean): boolean {
  if (!isRecord(action) || typeof action.op !== "string") throw invalid(`${place}.op: a string is needed`);
  if (isTree && action.op === "batch") {
    if (!Array.isArray(action.ops)) throw invalid(`${place}.ops: a list of actions is needed`);
    return action.ops.map((op, index) => checkAction(op, `${place}.ops[${index}]`, true)).every(Boolean);
  }
  const ops = isTree ? treeOps : procsOps;
  const shape = Object.hasOwn(ops, action.op) ? ops[action.op] : undefined;
  if (shape === undefined) return false;
  for (const [field, type] of Object.entries(shape)) {
    if (!hasType(action[field], type))
      throw invalid(`${place}.${field}: ${type === "any" ? "a value" : type.replace("?", "")} is needed`);
  }
  return true;
}

function hasType(value: unknown, type: Shape[string]): boolean {
  if (type === "any") return value !== undefined;
  if (type === "object?") return value === undefined || value === null || isRecord(value);
  return type === "object" ? isRecord(value) : typeof value === type;
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RUNTIME_CASE_INVALID. */
export function invalid(problem: string): RuntimeError {
  return new RuntimeError("RUNTIME_CASE_INVALID", `this is no case for simulate: ${problem}`, { details: { problem } });
}
