/**
 * Runs a case of kind `tree`: starts the root, does one action after the other, and writes down what happened until all
 * was quiet again. The root's parent, the callers and the strangers are all outside.
 */
import type { ChildName, Reply, Request } from "../contract.ts";
import { checkChildSpec, isAutoShutdown } from "../child-spec.ts";
import { dynamicViews } from "../dynamics.ts";
import { childrenOf } from "../roster.ts";
import type { Action, Case, Script, Step, TreeLine } from "./case.ts";
import { isRecord } from "./case.ts";
import { checkScripts, definitionOf, errorText, inputOf } from "./definition.ts";
import type { Asked, Nursery } from "./supervisor.ts";
import { startScript, SupervisorProcess } from "./supervisor.ts";
import type { Process } from "./world.ts";
import { OUTSIDE, World } from "./world.ts";

/** The result of an action: known at once, or read from the answer to a call when all is quiet. */
type Pending =
  | { readonly type: "result"; readonly result: unknown }
  | { readonly type: "call"; readonly call: number; readonly sup: Process }
  | { readonly type: "batch"; readonly pending: readonly Pending[] };

/** All steps of a case of kind `tree`. */
export function simulateTree({ given, when }: Case): readonly Step[] {
  const run = new TreeRun(given?.supervisor ?? {});
  return [run.start(), ...when.map((action) => run.act(action))];
}

class TreeRun {
  readonly #world = new World();
  readonly #nursery: Nursery = { world: this.#world, upgrades: new Map(), answers: new Map(), asked: new Map() };
  readonly #script: Script;
  readonly #rootPath: string;
  readonly #numbers = new Map<string, number>();
  #callNext = 1;

  constructor(script: Script) {
    this.#script = { ...script, type: "supervisor" };
    this.#rootPath = String(script.id);
  }

  start(): Step {
    const place = { pid: this.#world.nextPid(), path: this.#rootPath, parent: OUTSIDE };
    const start = startScript(this.#nursery, place, this.#script);
    this.#world.settle();
    return this.#step("start", startResult(start));
  }

  act(action: Action): Step {
    const pending = this.#begin(action);
    this.#world.settle();
    return this.#step(action.op, this.#finish(pending));
  }

  #step(op: string, result: unknown): Step {
    const root = this.#world.living(this.#rootPath);
    const tree: readonly TreeLine[] = root === undefined ? [[this.#rootPath, "down"]] : linesOf(root);
    return { op, result, events: this.#world.takeEvents(), tree };
  }

  #begin(action: Action): Pending {
    switch (action.op) {
      case "batch":
        return this.#batch(action.ops ?? []);
      case "advance":
        this.#world.nowMs += Number(action.ms);
        return done("ok");
      case "stop":
        return this.#signal(OUTSIDE, this.#rootPath, "shutdown");
      case "kill":
        return this.#signal(STRANGER, String(action.target), "kill");
      case "signal":
        return this.#signal(STRANGER, String(action.target), String(action.reason));
      case "crash":
        return this.#crash(String(action.target), String(action.reason));
      case "check_childspecs":
        return done(checkResult(action));
      default:
        return this.#call(action);
    }
  }

  /** All is in the supervisor's mailbox before it runs; whoever else is touched goes on meanwhile. */
  #batch(ops: readonly Action[]): Pending {
    const called = ops.find(({ sup }) => typeof sup === "string")?.sup;
    const target = ops.find(({ target }) => typeof target === "string")?.target;
    const path = called ?? (target === undefined ? this.#rootPath : parentOf(target));
    const sup = this.#world.living(textOf(path));
    if (sup !== undefined) this.#world.suspend(sup);
    const pending = ops.map((op) => {
      const one = this.#begin(op);
      this.#world.settle();
      return one;
    });
    if (sup !== undefined) this.#world.resume(sup);
    return { type: "batch", pending };
  }

  #signal(from: number, path: string, reason: string): Pending {
    const target = this.#world.living(path);
    if (target === undefined) return done("noproc");
    this.#world.exitSignal(from, target, reason);
    return done("ok");
  }

  #crash(path: string, reason: string): Pending {
    const target = this.#world.living(path);
    if (target === undefined) return done("noproc");
    this.#world.send(target, { type: "crash", reason });
    return done("ok");
  }

  #call(action: Action): Pending {
    const sup = this.#world.living(String(action.sup));
    if (!(sup instanceof SupervisorProcess) || sup.state === undefined) return done("noproc");
    const { strategy } = sup.state.flags;
    if (strategy === "dynamic" && unknownToElixir.has(action.op)) return this.#confuse(sup);
    switch (action.op) {
      case "start_child":
        // OTP appends the spec to the template's list of arguments; a map makes that no list, and the start fails.
        if (strategy === "simple_one_for_one") return done("error:start_failed");
        if (strategy === "dynamic") return this.#startDynamic(sup, scriptOf(action));
        return this.#ask(sup, { type: "start_child", spec: inputOf(action.spec) });
      case "start_dynamic":
        return this.#startDynamic(sup, scriptOf(action));
      case "terminate_dynamic":
        return this.#terminateDynamic(sup, Number(action.n));
      case "upgrade":
        // The door has found an object; whatever a script holds is looked at when it is used.
        return this.#upgrade(sup, action.supervisor as Script);
      default:
        return this.#ask(sup, requestOf(action));
    }
  }

  #ask(sup: SupervisorProcess, request: Request, upgrade?: Script): Pending {
    const call = this.#callNext++;
    if (upgrade !== undefined) this.#nursery.asked.set(call, upgrade);
    sup.tell({ type: "called", from: call, request, atMs: this.#world.windowMs });
    return { type: "call", call, sup };
  }

  /** A message it has no clause for: it stops its children and ends, and the caller gets no answer. */
  #confuse(sup: SupervisorProcess): Pending {
    sup.tell({ type: "told", reason: "function_clause" });
    return { type: "call", call: this.#callNext++, sup };
  }

  #startDynamic(sup: SupervisorProcess, script: Script): Pending {
    const number = (this.#numbers.get(sup.path) ?? 0) + 1;
    this.#numbers.set(sup.path, number);
    const strategy = sup.state?.flags.strategy;
    if (strategy === "simple_one_for_one") {
      const asked: Asked = { number, script };
      return this.#ask(sup, { type: "start_child", spec: asked });
    }
    if (strategy === "dynamic") {
      // Elixir's caller looks at the spec before it asks.
      const spec = inputOf({ ...script, id: String(number) });
      const checked = checkChildSpec(spec, { strategy, autoShutdown: "never" });
      return checked.type === "good" ? this.#ask(sup, { type: "start_child", spec }) : done(errorText(checked));
    }
    // Elsewhere OTP is handed a list of arguments where it wants a spec.
    return this.#ask(sup, { type: "start_child", spec: [number, script] });
  }

  /** OTP is handed the process that last ran under this number. */
  #terminateDynamic(sup: SupervisorProcess, number: number): Pending {
    const child = this.#world.last(`${sup.path}/${number}`);
    if (child === undefined) return done("error:not_found");
    const name: ChildName = { ref: sup.refOf(child.pid) };
    return this.#ask(sup, { type: "terminate_child", child: name });
  }

  #upgrade(sup: SupervisorProcess, script: Script): Pending {
    const definition = definitionOf(script);
    if (definition.type === "good") return this.#ask(sup, { type: "upgrade", definition: definition.value }, script);
    // Elixir says which part was wrong, OTP does not.
    const text = errorText(definition.refused);
    const isDynamic = sup.state?.flags.strategy === "dynamic";
    return done(isDynamic ? text.replace("error:", `error:${definition.part}:`) : text);
  }

  #finish(pending: Pending): unknown {
    if (pending.type === "result") return pending.result;
    if (pending.type === "batch") return pending.pending.map((one) => this.#finish(one));
    const reply = this.#nursery.answers.get(pending.call);
    if (reply === undefined) return pending.sup.isAlive ? "error:timeout" : "noproc";
    return replyResult(reply, pending.sup);
  }
}

const STRANGER = -1;

/** What a DynamicSupervisor cannot be asked. */
const unknownToElixir = new Set(["restart_child", "delete_child", "get_childspec"]);

function done(result: unknown): Pending {
  return { type: "result", result };
}

/** A field that the door has found to be a string; nothing where it is missing. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** How a child is to be; as its template says, and by default, where an action does not say it. */
function scriptOf({ spec }: Action): Script {
  return isRecord(spec) ? spec : {};
}

function parentOf(target: unknown): string {
  const path = textOf(target);
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function startResult(start: ReturnType<typeof startScript>): string {
  if (start === "ignored") return "ignored";
  if (start === "failed") return "error:start_failed";
  return start instanceof SupervisorProcess && !start.isUp ? start.failure : "ok";
}

function requestOf({ op, id }: Action): Request {
  const child = { id: String(id) };
  switch (op) {
    case "terminate_child":
    case "get_childspec":
      return { type: op, child };
    case "restart_child":
    case "delete_child":
      return { type: op, id: child.id };
    case "count_children":
    case "which_children":
      return { type: op };
    default:
      throw new Error(`no request is made of ${op}`);
  }
}

function checkResult({ specs, auto_shutdown }: Action): string {
  if (!Array.isArray(specs) || (auto_shutdown !== undefined && !isAutoShutdown(auto_shutdown))) return "error:badarg";
  const checked = checkScripts(specs, { strategy: "one_for_one", autoShutdown: auto_shutdown });
  return checked.type === "good" ? "ok" : errorText(checked);
}

/** An answer as the trace shows it. */
function replyResult(reply: Reply, sup: Process): unknown {
  switch (reply.type) {
    case "ok":
    case "started":
      return "ok";
    case "ignored":
      return "ignored";
    case "refused":
      return errorText(reply);
    case "counts":
      return [reply.specs, reply.active, reply.supervisors, reply.workers];
    case "childspec": {
      const { id, restart, significant, shutdown, type } = reply.spec;
      return { id, restart, significant, shutdown, type };
    }
    case "children":
      return whichResult(reply.children, sup);
  }
}

function whichResult(
  children: Extract<Reply, { readonly type: "children" }>["children"],
  sup: Process,
): readonly (readonly [string, string, string])[] {
  const lines = children.map(({ id, ref, status, spec }) => [id ?? numberOf(sup, ref), status, spec.type] as const);
  const isDynamic = children.some(({ id }) => id === undefined);
  return isDynamic ? lines.toSorted(([a], [b]) => Number(b) - Number(a)) : lines;
}

/** The number under which a dynamic child was asked for; "undefined", OTP's word, for one without a process. */
function numberOf(sup: Process, ref: number | undefined): string {
  const path = sup instanceof SupervisorProcess && ref !== undefined ? sup.pathOf(ref) : undefined;
  return path?.slice(path.lastIndexOf("/") + 1) ?? "undefined";
}

/** The tree below a process, depth first in start order; dynamic children by number. */
function linesOf(process: Process): readonly TreeLine[] {
  const line: TreeLine = [process.path, "up", process.n];
  if (!(process instanceof SupervisorProcess) || process.state === undefined) return [line];
  const { state } = process;
  if (state.template === undefined && state.flags.strategy !== "dynamic") {
    const below = childrenOf(state.children).map(({ spec, status }) => {
      const ref = status.type === "up" ? status.ref : undefined;
      return branch(process, { path: `${process.path}/${spec.id}`, ref, status: status.type });
    });
    return [line, ...below.flat()];
  }
  const dynamics = dynamicViews(state).flatMap(({ ref, status }) => {
    const number = numberOf(process, ref);
    return ref === undefined ? [] : [{ number: Number(number), ref, status, path: `${process.path}/${number}` }];
  });
  const sorted = dynamics.toSorted((a, b) => a.number - b.number);
  return [line, ...sorted.flatMap((child) => branch(process, child))];
}

function branch(
  sup: SupervisorProcess,
  { path, ref, status }: { readonly path: string; readonly ref: number | undefined; readonly status: string },
): readonly TreeLine[] {
  const child = status === "up" && ref !== undefined ? sup.processOf(ref) : undefined;
  if (child !== undefined) return linesOf(child);
  return [[path, status]];
}
