/**
 * Which agents there are: those that were touched since the runtime opened, by name, and the way from a name to a branch
 * in the vault. Everything that makes, wakes, replaces or removes an agent goes through here.
 *
 *   spawn, supervise --> deploy --> compile, branch, Agent.begin
 *   a call by name  --> get ----> the agent that runs or sleeps here, or one for the branch of that name
 *
 * Invariants
 * 1. At most one agent per name takes messages; who begins under a name that is known takes over from the one before.
 * 2. A deployment that fails leaves the vault and the agent before it as they were.
 */
import { fileURLToPath } from "node:url";
import { compile } from "../sandbox/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { Branch, Commit, Durability, Point, Vault } from "../vault/index.ts";
import { Agent } from "./agent.ts";
import type { AgentHost } from "./agent-host.ts";
import type { AgentOptions } from "./agent-phase.ts";
import type { AgentSpec } from "./agent-record.ts";
import { standingOps, readCurrent, readSpec, specOp } from "./agent-record.ts";
import type { Down } from "./down.ts";
import { downError } from "./down.ts";
import { RuntimeError } from "./errors.ts";
import type { Keeper } from "./keeper.ts";
import { infoOf } from "./make-ref.ts";
import type { ParsedSpawnOptions } from "./options.ts";
import { isAgentId } from "./name-options.ts";
import type { AgentNode } from "./tree.ts";

/** What the registry needs. */
export interface RegistryOptions {
  readonly vault: Vault;
  readonly durability: Durability;
  /** Read when it is needed: it refers to this registry. */
  readonly host: () => AgentHost;
  /** True for a name that something else than an agent has: a supervisor. */
  readonly isReserved: (id: string) => boolean;
}

/** The agents of one runtime, by name. */
export class AgentRegistry {
  readonly #vault: Vault;
  readonly #durability: Durability;
  readonly #host: () => AgentHost;
  readonly #agents = new Map<string, Agent>();
  /** What makes or removes an agent of that name at the moment; never rejects. */
  readonly #busy = new Map<string, { readonly isRemoval: boolean; readonly done: Promise<void> }>();
  /** The newest commits of agents that were let go, while they are not settled. */
  readonly #unsettled = new Map<string, Commit>();
  /** Agents that nobody but the runtime itself has asked for since it opened. */
  readonly #quiet = new Set<string>();
  readonly #isReserved: (id: string) => boolean;

  constructor({ vault, durability, host, isReserved }: RegistryOptions) {
    this.#isReserved = isReserved;
    this.#vault = vault;
    this.#durability = durability;
    this.#host = host;
  }

  /** The agent of this name that was touched since the runtime opened. */
  peek(id: string): Agent | undefined {
    return this.#agents.get(id);
  }

  /** Every agent that was touched, in the order in which they came. */
  all(): readonly Agent[] {
    return [...this.#agents.values()];
  }

  /** True when an agent has this name, here or in the vault, or is about to have it. */
  isNamed(id: string): boolean {
    return this.#agents.has(id) || this.#busy.has(id) || this.#vault.head(id) !== undefined;
  }

  /**
   * The agent of this name: running, or asleep in the vault. Throws RUNTIME_AGENT_UNKNOWN, and RUNTIME_AGENT_DOWN for a child
   * that its supervisor does not run: nobody else may wake it.
   */
  get(id: string): Agent {
    this.#quiet.delete(id);
    return this.look(id);
  }

  /**
   * Does work by which the runtime itself may wake an agent: a timer that fell due while the program was away, a publication
   * that waits. The program can still spawn it, as one that sleeps: it is stopped in order and gives way.
   */
  quietly<T>(id: string, work: () => T): T {
    const isQuiet = !this.#agents.has(id) || this.#quiet.has(id);
    try {
      return work();
    } finally {
      if (isQuiet && this.#agents.has(id)) this.#quiet.add(id);
    }
  }

  /** As `get`, for the runtime's own questions: nobody asks for the agent by this. */
  look(id: string): Agent {
    const running = this.#agents.get(id);
    if (running !== undefined) return running;
    // Other names in the vault (journals, forks on trial) are nobody's to call.
    const branch = isAgentId(id) ? this.#vault.head(id) : undefined;
    const spec = branch === undefined ? undefined : readSpec(branch);
    if (branch === undefined || spec === undefined) {
      const hint = this.#isReserved(id) ? `: it is a supervisor, its agents are called ${id}/<id>` : "";
      throw new RuntimeError("RUNTIME_AGENT_UNKNOWN", `no agent is called ${id}${hint}`, { details: { agent: id } });
    }
    if (isSupervised(id, spec)) throw downError({ ...spec, id }, NOT_STARTED);
    const agent = this.#newAgent({ id, spec, branch });
    this.#agents.set(id, agent);
    return agent;
  }

  /** How an agent stands, for the tree. */
  describe(id: string): AgentNode {
    const agent = this.#agents.get(id);
    if (agent !== undefined) return infoOf(agent);
    const branch = this.#vault.head(id);
    const spec = branch === undefined ? undefined : readSpec(branch);
    return { id, status: spec !== undefined && isSupervised(id, spec) ? "down" : "asleep" };
  }

  /** The agent to be stopped before it is removed; undefined for a child that its supervisor does not run. Throws RUNTIME_AGENT_UNKNOWN. */
  toDrop(id: string): Agent | undefined {
    const branch = this.#agents.has(id) ? undefined : this.#vault.head(id);
    const spec = branch === undefined ? undefined : readSpec(branch);
    return spec !== undefined && isSupervised(id, spec) ? undefined : this.get(id);
  }

  /** Lets go of an agent that ended; its name is free. What it remembers stays in the vault. */
  forget(id: string): void {
    const commit = this.#agents.get(id)?.lastCommit;
    this.#agents.delete(id);
    if (commit === undefined || commit.isDurable) return;
    this.#unsettled.set(id, commit);
    const settled = (): void => {
      if (this.#unsettled.get(id) === commit) this.#unsettled.delete(id);
    };
    void commit.durable.then(settled, settled); // its own callers are told which of the two it is
  }

  /** An agent of this name that loads nothing before the last word of the one before is settled. */
  #newAgent(options: Omit<AgentOptions, "after">): Agent {
    const { id } = options;
    return new Agent(this.#host(), { ...options, after: this.#agents.get(id)?.lastCommit ?? this.#unsettled.get(id) });
  }

  /**
   * Compiles and starts an agent under its name (a path, for a child). Durable when it resolves. Rejects as `spawn` does,
   * and leaves everything as it was. `keeper` decides about its lives; without one it stands alone.
   */
  async deploy(options: ParsedSpawnOptions, keeper?: Keeper): Promise<Agent> {
    const { module, source, ...spec } = options;
    return this.start(spec, () => codeOf({ id: spec.id, module, source }), keeper);
  }

  /** As `deploy`, with code from elsewhere. It is asked for once the name is taken, and may refuse by rejecting. */
  async start(spec: AgentSpec, code: () => Promise<Artifact>, keeper?: Keeper): Promise<Agent> {
    const { id } = spec;
    return this.#claimed(id, async () => {
      const artifact = await code();
      const known = this.#vault.head(id);
      const isNew = known === undefined || readCurrent(known) === undefined;
      const branch = known ?? (await this.#newBranch(spec));
      const agent = this.#newAgent({ id, spec, branch, ...(keeper === undefined ? {} : { keeper }) });
      await this.#begun(agent, artifact, isNew);
      this.#host().events.emit({ type: "agent.spawned", agent: id, hash: artifact.hash, isNew });
      return agent;
    });
  }

  /** A new agent on a copy-on-write branch of another. Durable when it resolves. Rejects with RUNTIME_AGENT_EXISTS. */
  async fork(from: string, id: string, at: Point | undefined): Promise<void> {
    const source = this.get(from);
    await this.#claimed(id, async () => {
      if (this.#vault.head(id) !== undefined) throw existsError(id);
      const view = at === undefined ? source.branch : await source.branch.at(at);
      const ops = standingOps(view, source.spec);
      const { branch, commit } = this.#vault.fork(view, { name: id, ops, durability: this.#durability });
      await commit.durable;
      // At an earlier point, as it was then, but with the grants of now; and whoever was supervised, its fork stands alone.
      const { supervisor: _supervisor, ...spec }: AgentSpec = { ...source.spec, ...readSpec(branch), id };
      // A call that knew the name may have come first: then that agent has the branch.
      if (!this.#agents.has(id)) this.#agents.set(id, this.#newAgent({ id, spec, branch }));
      this.#host().events.emit({ type: "agent.forked", agent: id, from, seq: commit.seq });
    });
  }

  /**
   * Frees the name of an agent that was stopped, and removes what it remembers. Its forks live on. Durable when it resolves.
   * False, and nothing is removed, where it was started again meanwhile: nobody may live on a branch that is gone.
   */
  async remove(id: string): Promise<boolean> {
    for (let other = this.#busy.get(id); other !== undefined; other = this.#busy.get(id)) {
      await other.done;
      if (other.isRemoval) return true;
    }
    if ((this.#agents.get(id)?.phase ?? "down") !== "down") return false;
    await this.#alone(id, true, async () => {
      this.#agents.delete(id);
      await this.#removeBranch(id);
      this.#host().events.emit({ type: "agent.dropped", agent: id });
    });
    return true;
  }

  /**
   * Begins an agent under its name: from here on all messages are its own, so that no second life of this name can come
   * up beside it and write to the same branch.
   */
  async #begun(agent: Agent, artifact: Artifact, isNew: boolean): Promise<void> {
    const { id, spec } = agent;
    const before = this.#agents.get(id);
    if (this.#isTaken(id)) throw existsError(id); // a message woke it while the new code was compiled
    const isStopped = before?.isTaken === true;
    if (isStopped) await before.stop({ name: "shutdown", message: "it was spawned, after the runtime had woken it" });
    this.#quiet.delete(id);
    this.#agents.set(id, agent);
    if (before !== undefined) agent.monitors.inherit(before.monitors);
    try {
      await agent.begin(artifact, spec, before);
    } catch (error) {
      if (before === undefined) this.#agents.delete(id);
      else this.#agents.set(id, before);
      if (isStopped) await before?.revive();
      if (isNew) await this.#removeBranch(id);
      throw error;
    }
  }

  #isTaken(id: string): boolean {
    return this.#agents.get(id)?.isTaken === true && !this.#quiet.has(id);
  }

  /** Keeps two deployments of one name apart, and a deployment from a running agent; a removal is waited for. */
  async #claimed<T>(id: string, work: () => Promise<T>): Promise<T> {
    for (let other = this.#busy.get(id); other?.isRemoval === true; other = this.#busy.get(id)) await other.done;
    if (this.#isReserved(id) || this.#isTaken(id) || this.#busy.has(id)) throw existsError(id);
    return await this.#alone(id, false, work);
  }

  async #alone<T>(id: string, isRemoval: boolean, work: () => Promise<T>): Promise<T> {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#busy.set(id, { isRemoval, done });
    try {
      return await work();
    } finally {
      this.#busy.delete(id);
      resolve();
    }
  }

  /** A subagent's branch says from the beginning whose it is: whatever happens next, somebody owns it. */
  async #newBranch(spec: AgentSpec): Promise<Branch> {
    const ops = spec.parent === undefined ? [] : [specOp(spec)];
    const { branch, commit } = this.#vault.create({ name: spec.id, ops, durability: this.#durability });
    await commit.durable;
    return branch;
  }

  async #removeBranch(id: string): Promise<void> {
    const branch = this.#vault.head(id);
    if (branch === undefined) return;
    const free = { type: "name", name: id, branch: undefined, expect: branch.id } as const;
    const actions = [...this.#host().departure(id), free, { type: "drop", branch: branch.id } as const];
    await this.#vault.commit(actions, { durability: "disk" }).durable;
  }
}

/** Compiles what a spec was given as its code. Rejects with SANDBOX_COMPILE_FAILED, SANDBOX_MODULE_MISSING, SANDBOX_ARTIFACT_TOO_LARGE. */
export function codeOf({
  id,
  module,
  source,
}: Pick<ParsedSpawnOptions, "id" | "module" | "source">): Promise<Artifact> {
  return compile(module === undefined ? { source: source ?? "", name: `${id}.agent.ts` } : { module: pathOf(module) });
}

const NOT_STARTED: Down = {
  reason: { name: "shutdown", message: "its supervisor does not run it" },
  isParked: false,
};

/** A fork carries the spec of its source, but not its path. */
function isSupervised(id: string, { supervisor }: AgentSpec): boolean {
  return supervisor !== undefined && id.startsWith(`${supervisor}/`);
}

function pathOf(module: URL | string): string {
  return module instanceof URL ? fileURLToPath(module) : module;
}

function existsError(id: string): RuntimeError {
  return new RuntimeError("RUNTIME_AGENT_EXISTS", `${id} is already running`, {
    details: { agent: id },
  });
}
