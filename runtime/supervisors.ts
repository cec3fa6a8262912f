/**
 * The supervisors of a runtime: those at the top, whose end nobody but the embedding program can decide about, and the way
 * from a path to any of them.
 *
 *   supervise --> plan --> start --> up --(stop, breach, auto-shutdown)--> down: subtree.ended, until revive or supervise
 *
 * Whoever wants it to live again while its end is still being told (a listener of those very events) waits until it is: two
 * lives of one supervisor never mix.
 */
import { RuntimeError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { SpawnDefaults } from "./options.ts";
import { parseAgentPath } from "./name-options.ts";
import type { AgentRef } from "./ref.ts";
import { accepted, refusalError } from "./supervise-refusals.ts";
import type { SupervisorPlan } from "./supervise-spec.ts";
import { parseChildSpec, parseSupervisorSpec, parseUpgrade } from "./supervise-spec.ts";
import { Supervisor } from "./supervisor.ts";
import type { SupervisorHost } from "./supervisor.ts";
import type { AnyChildSpec, ChildCounts, ChildLine, ChildSettings, SupervisorRef } from "./supervisor-ref.ts";
import type { ChildName, ChildSpec as CoreSpec, Reply, Request } from "./supervision/contract.ts";
import type { SupervisorNode } from "./tree.ts";

/** What the supervisors of a runtime need. */
export interface SupervisorsOptions extends SupervisorHost {
  readonly defaults: SpawnDefaults;
  /** A reference to an agent. */
  readonly ref: (path: string) => AgentRef;
  /** Throws RUNTIME_CLOSED. */
  readonly requireOpen: () => void;
}

/** A supervisor at the top. */
interface Top {
  readonly supervisor: Supervisor;
  /** From its start until it is down and all that is told: resolves then. */
  down: Promise<void> | undefined;
}

/** All supervisors, by path. */
export class Supervisors {
  readonly #options: SupervisorsOptions;
  readonly #tops = new Map<string, Top>();
  /** Paths of children that are being added: two requests must not both find the name free. */
  readonly #adding = new Set<string>();

  constructor(options: SupervisorsOptions) {
    this.#options = options;
  }

  /** True when a supervisor at the top has, or had, this name. */
  has(id: string): boolean {
    return this.#tops.has(id);
  }

  /** See `Runtime.supervise`. */
  async supervise(input: unknown): Promise<SupervisorRef> {
    this.#options.requireOpen();
    const plan = parseSupervisorSpec(input, this.#options.defaults);
    const { path } = plan;
    for (let end = this.#ending(path); end !== undefined; end = this.#ending(path)) await end;
    this.#options.requireOpen(); // closed meanwhile
    const before = this.#tops.get(path);
    if (before !== undefined && before.supervisor.phase !== "down") throw existsError(path);
    if (before === undefined && this.#options.agents.isNamed(path)) throw agentExistsError(path);
    const supervisor = before?.supervisor ?? new Supervisor(plan, this.#options);
    const top: Top = before ?? { supervisor, down: undefined };
    this.#tops.set(path, top);
    try {
      await this.#start(top, plan);
    } catch (error) {
      if (before === undefined && top.down === undefined) this.#tops.delete(path);
      throw error;
    }
    return this.ref(path);
  }

  /** A reference by path. */
  ref(pathInput: string): SupervisorRef {
    const path = parseAgentPath(pathInput);
    return {
      id: path,
      startChild: ((spec: AnyChildSpec) => this.#startChild(path, spec)) as SupervisorRef["startChild"], // which of the two it is follows from the spec
      restartChild: (id) => this.#done(path, id, () => ({ type: "restart_child", id })),
      terminateChild: (id) => this.#done(path, id, (child) => ({ type: "terminate_child", child })),
      deleteChild: (id) => this.#deleteChild(path, id),
      getChildSpec: (id) => this.#childSettings(path, id),
      whichChildren: () => this.#whichChildren(path),
      countChildren: () => this.#countChildren(path),
      upgrade: (spec) => this.#upgrade(path, spec),
      stop: () => this.#stop(path),
      revive: () => this.#revive(path),
    };
  }

  /** Stops every tree in reverse order of their starts, one after another. */
  async close(): Promise<void> {
    for (const path of [...this.#tops.keys()].toReversed()) await this.#stop(path);
  }

  /**
   * Has a child stopped and forgotten by its supervisor, because its agent is about to be dropped from the vault. Both at once:
   * between the two its group might start it again.
   */
  async release(path: string): Promise<void> {
    const [parent, id] = split(path);
    const supervisor = parent === undefined ? undefined : this.#find(parent);
    if (supervisor === undefined || supervisor.phase === "down") return;
    await supervisor.ask({ type: "count_children" }); // answered behind a start that is under way
    const child = supervisor.nameOf(id);
    if (child === undefined) return;
    const stopped = supervisor.ask({ type: "terminate_child", child });
    const { reply } = await supervisor.ask({ type: "delete_child", id });
    await stopped;
    if (reply.type === "ok") this.#forget(supervisor, id);
  }

  /** Every tree as it stands. */
  describe(): readonly SupervisorNode[] {
    return [...this.#tops.values()].map(({ supervisor }) => supervisor.describe());
  }

  // ------------------------------------------------------------------ at the top

  async #start(top: Top, plan: SupervisorPlan): Promise<void> {
    const { supervisor } = top;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { promise: down, resolve: isDown } = Promise.withResolvers<void>();
    const over = (): void => {
      top.down = undefined;
      isDown();
    };
    top.down = down;
    supervisor.start(plan, {
      started: resolve,
      failed: (reason, error) => {
        supervisor.settle(reason);
        over();
        reject(startError(plan.path, reason, error));
      },
      exited: (reason) => {
        const agents = supervisor.settle(reason);
        this.#options.events.emit({ type: "subtree.ended", supervisor: plan.path, reason, agents });
        over();
      },
    });
    await promise;
  }

  /** Resolves when the end that is just being told is told; undefined where none is. */
  #ending(path: string): Promise<void> | undefined {
    const top = this.#tops.get(path);
    return top?.supervisor.phase === "down" ? top.down : undefined;
  }

  async #stop(path: string): Promise<void> {
    const [parent] = split(path);
    if (parent !== undefined) return this.#nested(path, (child) => ({ type: "terminate_child", child }));
    const top = this.#tops.get(path);
    if (top === undefined) throw unknownError(path);
    if (top.supervisor.phase !== "down") top.supervisor.signal("shutdown");
    await top.down;
  }

  async #revive(path: string): Promise<void> {
    this.#options.requireOpen();
    const [parent, id] = split(path);
    if (parent !== undefined) return this.#nested(path, () => ({ type: "restart_child", id }));
    for (let end = this.#ending(path); end !== undefined; end = this.#ending(path)) await end;
    this.#options.requireOpen(); // closed meanwhile
    const top = this.#tops.get(path);
    if (top === undefined) throw unknownError(path);
    if (top.supervisor.phase === "down") await this.#start(top, top.supervisor.plan);
  }

  // ------------------------------------------------------------------ requests

  async #startChild(path: string, spec: AnyChildSpec): Promise<AgentRef | SupervisorRef> {
    this.#options.requireOpen();
    const supervisor = await this.#running(path);
    const child = parseChildSpec(spec, supervisor.plan, this.#options.defaults);
    const { id, type } = child;
    const childPath = `${path}/${id}`;
    // The core knows the children of a dynamic supervisor by their processes; here each needs a name of its own.
    const isDynamic = supervisor.plan.definition.flags.strategy === "dynamic";
    if (this.#adding.has(childPath) || (isDynamic && supervisor.child(id) !== undefined))
      throw refusalError(path, id, { type: "refused", error: "already_started", value: id });
    this.#adding.add(childPath);
    try {
      await this.#asked(supervisor, id, { type: "start_child", spec: child });
    } finally {
      this.#adding.delete(childPath);
    }
    return type === "supervisor" ? this.ref(childPath) : this.#options.ref(childPath);
  }

  async #deleteChild(path: string, id: string): Promise<void> {
    await this.#done(path, id, () => ({ type: "delete_child", id }));
    const supervisor = this.#find(path);
    if (supervisor !== undefined) this.#forget(supervisor, id);
  }

  #forget(supervisor: Supervisor, id: string): void {
    const child = `${supervisor.path}/${id}`;
    // Unless a child of this id was added since.
    if (supervisor.forget(id)) this.#options.agents.forget(child);
    this.#options.events.emit({ type: "supervisor.child_deleted", supervisor: supervisor.path, child });
  }

  async #childSettings(path: string, id: string): Promise<ChildSettings> {
    const supervisor = await this.#running(path);
    const child = supervisor.nameOf(id);
    if (child === undefined) throw refusalError(path, id, { type: "refused", error: "not_found" });
    const reply = await this.#asked(supervisor, id, { type: "get_childspec", child });
    const { restart, shutdown: shutdownMs, significant, type } = expect(reply, "childspec").spec;
    return { id, restart, shutdownMs, significant, type: typeOf(type) };
  }

  async #whichChildren(path: string): Promise<readonly ChildLine[]> {
    const reply = await this.#asked(await this.#running(path), undefined, { type: "which_children" });
    return expect(reply, "children").children.map(({ status, spec }) => {
      const { id, type } = spec;
      return { id, path: `${path}/${id}`, status, type: typeOf(type) };
    });
  }

  async #countChildren(path: string): Promise<ChildCounts> {
    const reply = await this.#asked(await this.#running(path), undefined, { type: "count_children" });
    const { specs, active, supervisors, workers: agents } = expect(reply, "counts");
    return { specs, active, supervisors, agents };
  }

  async #upgrade(path: string, spec: unknown): Promise<void> {
    const plan = parseUpgrade(spec, path, this.#options.defaults);
    const supervisor = await this.#running(path);
    accepted(path, undefined, await supervisor.upgrade(plan));
  }

  /** Asks for something about one child that is answered by ok. */
  async #done(path: string, id: string, request: (child: ChildName) => Request): Promise<void> {
    const supervisor = await this.#running(path);
    const child = supervisor.nameOf(id);
    if (child === undefined) throw refusalError(path, id, { type: "refused", error: "not_found" });
    await this.#asked(supervisor, id, request(child));
  }

  /** Asks the one above for something about a supervisor. */
  async #nested(path: string, request: (child: ChildName) => Request): Promise<void> {
    const [parent = "", id] = split(path);
    await this.#running(parent);
    if (this.#find(path) === undefined) throw unknownError(path);
    await this.#done(parent, id, request);
  }

  async #asked(supervisor: Supervisor, id: string | undefined, request: Request): Promise<Reply> {
    return accepted(supervisor.path, id, await supervisor.ask(request));
  }

  /**
   * The supervisor of this path; where the one above is just starting it again, when that is done. Rejects with
   * RUNTIME_SUPERVISOR_UNKNOWN, RUNTIME_SUPERVISOR_DOWN.
   */
  async #running(path: string): Promise<Supervisor> {
    const [parent] = split(path);
    if (parent !== undefined && this.#find(path)?.phase !== "up") {
      const above = await this.#running(parent);
      await above.ask({ type: "count_children" }); // answered behind what it is doing
    }
    const supervisor = this.#find(path);
    if (supervisor === undefined) throw unknownError(path);
    if (supervisor.phase === "down") throw downError(path);
    return supervisor;
  }

  #find(path: string): Supervisor | undefined {
    const [id = "", ...below] = path.split("/");
    let found = this.#tops.get(id)?.supervisor;
    for (const segment of below) {
      const child: unknown = found?.child(segment);
      found = child instanceof Supervisor ? child : undefined;
    }
    return found;
  }
}

/** The parent's path, if there is one, and the last name. */
function split(path: string): readonly [parent: string | undefined, id: string] {
  const end = path.lastIndexOf("/");
  return end < 0 ? [undefined, path] : [path.slice(0, end), path.slice(end + 1)];
}

function expect<T extends Reply["type"]>(reply: Reply, type: T): Extract<Reply, { readonly type: T }> {
  if (reply.type !== type) throw new Error(`the core answered ${reply.type} where only ${type} can be`);
  return reply as Extract<Reply, { readonly type: T }>; // just compared
}

function typeOf(type: CoreSpec["type"]): "agent" | "supervisor" {
  return type === "worker" ? "agent" : "supervisor";
}

function startError(path: string, reason: ExitReason, cause: unknown): RuntimeError {
  const details = { supervisor: path, reason };
  return new RuntimeError("RUNTIME_CHILD_START_FAILED", `${path}: ${reason.message}; nothing of it runs`, {
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

function existsError(path: string): RuntimeError {
  const text = `a supervisor called ${path} is running; upgrade() changes it, stop() ends it`;
  return new RuntimeError("RUNTIME_SUPERVISOR_EXISTS", text, { details: { supervisor: path } });
}

function agentExistsError(path: string): RuntimeError {
  return new RuntimeError("RUNTIME_AGENT_EXISTS", `${path} is the name of an agent`, { details: { agent: path } });
}

function unknownError(path: string): RuntimeError {
  const text = `no supervisor is called ${path}; supervise() starts one at the top`;
  return new RuntimeError("RUNTIME_SUPERVISOR_UNKNOWN", text, { details: { supervisor: path } });
}

function downError(path: string): RuntimeError {
  const text = `${path} is down; revive() or supervise() starts it again`;
  return new RuntimeError("RUNTIME_SUPERVISOR_DOWN", text, { details: { supervisor: path } });
}
