/**
 * Agents that agents start: `ctx.spawn`, `ctx.stop`, `ctx.kill`, and the end of a whole tree of them.
 *
 *   spawn ---> room? name? ---> code ---> branch with the spec (it says whose child it is) ---> first life ---> its name
 *   parent exits ------------> all that live below it end at once, and their branches go in one commit
 *   parent stops, ctx.stop --> those below are stopped first, children before parents, all within one time;
 *                              what is not done by then is killed; then the branches go in one commit
 *
 * Invariants
 * 1. A subagent is in `Kinship` from before its branch is made until its branch is gone: it has an owner at every moment.
 *    A crash in the middle leaves a branch that says whose it is, which `sweep` judges, or nothing.
 * 2. Nobody below an agent that ends begins: who spawns meanwhile is refused, and what was being started does not come up.
 * 3. Re-homing, a swap of code, a restore and the closing of the runtime are no end: nothing here happens then.
 * 4. A subagent that cannot end holds nobody: its siblings do not wait for it, and its parents no longer than the one time.
 */
import type { Artifact } from "../sandbox/index.ts";
import { compile, decode, encode } from "../sandbox/index.ts";
import type { Action, Clock, Vault } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import type { Kin } from "./agent-host.ts";
import type { AgentSpec } from "./agent-record.ts";
import { readCurrent, readSpec } from "./agent-record.ts";
import type { HostGrants } from "./capabilities/grants.ts";
import { narrowed, ownerOf, withGrants } from "./capabilities/grants.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import { Kinship, parentOf } from "./kinship.ts";
import type { ParsedSpawnOptions, ParsedSubagentOptions } from "./options.ts";
import { parseSubagentOptions } from "./options.ts";
import { shutdownReason } from "./ref.ts";
import type { AgentRegistry } from "./registry.ts";
import { armShutdown } from "./shutdown-time.ts";
import { codeOf } from "./registry.ts";

/** What the subagents of a runtime need of it. */
export interface SubagentsOptions {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly agents: AgentRegistry;
  /** What goes from other branches in the commit that drops an agent: its timers, its subscriptions. */
  readonly departure: (id: string) => readonly Action[];
  /** The runtime closes: agents are stopped, and stay in the vault; nobody begins. */
  readonly isClosing: () => boolean;
}

/** What a subagent is made of. */
interface Plan {
  readonly spec: AgentSpec;
  readonly code: () => Promise<Artifact>;
}

/** How long a tree may take to end, and why it ends. */
type Ending = Parameters<Kin["stopping"]>[1];

/** One subagent that ends: a name, and which of those that had it. */
interface Member {
  readonly path: string;
  readonly birth: number | undefined;
}

/** The subagents of one runtime. */
export class Subagents {
  readonly #on: SubagentsOptions;
  readonly #kin = new Kinship();
  readonly #definitions = new Map<string, ParsedSpawnOptions>();
  /** Agents below which nobody may begin, because what is there is ending in order. */
  readonly #closed = new Set<string>();
  /** Births of those that are ending with others: their branches go with the others'. */
  readonly #ending = new Set<number>();

  constructor(options: SubagentsOptions) {
    this.#on = options;
  }

  /** From here on `ctx.spawn({ definition: name })` starts this; a name that is known is given anew. */
  define(definition: ParsedSpawnOptions): void {
    this.#definitions.set(definition.id, definition);
  }

  /** Whether this agent is another's. */
  has(id: string): boolean {
    return this.#kin.has(id);
  }

  /** The agent at the top of the tree of this one; itself, where it is nobody's subagent. */
  root(id: string): string {
    return this.#kin.root(id);
  }

  /**
   * Learns at opening whose subagents sleep in the vault. Removes those whose parent is gone and those that were never
   * whole, because the runtime before ended while it made or dropped them.
   */
  async sweep(): Promise<void> {
    const { vault, events } = this.#on;
    const orphans = new Set<string>();
    // In the order of names a parent comes before its children.
    for (const { name } of vault.names()) {
      const parent = parentOf(name);
      const branch = parent === undefined || name.startsWith("~") ? undefined : vault.head(name);
      if (branch === undefined || parent === undefined || readSpec(branch)?.parent !== parent) continue;
      this.#kin.add(name);
      const isOwned = vault.head(parent) !== undefined && !orphans.has(parent);
      if (!isOwned || readCurrent(branch) === undefined) orphans.add(name);
    }
    if (orphans.size === 0) return;
    await this.#drop([...orphans].toReversed().map((path) => this.#member(path)));
    for (const agent of orphans) events.emit({ type: "subagent.orphaned", agent });
  }

  // ------------------------------------------------------------------ what agents ask

  /** `ctx.spawn`. Resolves with the encoded name of the subagent. */
  async spawn(parent: string, text: string): Promise<string> {
    const limits = this.#on.agents.get(parent).spec.limits;
    const options = parseSubagentOptions(decode(text, { bytesMax: limits.messageBytesMax }), parent);
    const path = options.id;
    const { spec: planned, code } = this.#plan(parent, options);
    const { host: _host, grantOwner: _owner, ...plain } = planned; // nothing is granted by being somebody's child
    const spec = { ...plain, ...withGrants(this.#grants(parent, options)), ...this.#ownership(parent, options) };
    this.#requireRoom(parent, path);
    const member = { path, birth: this.#kin.add(path) };
    try {
      const agent = await this.#on.agents.start(spec, async () => {
        const artifact = await code();
        this.#requireWanted(parent, member);
        return artifact;
      });
      if (!this.#isCurrent(member) || this.#on.isClosing()) agent.end(shutdownReason(`${parent} ended`));
      this.#requireWanted(parent, member);
    } catch (error) {
      // A drop that fails is reported by the vault; what it leaves belongs to the parent.
      await this.#drop([member]).catch(() => undefined);
      throw error;
    }
    return encode(path, { bytesMax: limits.messageBytesMax });
  }

  /** `ctx.stop`: resolves when the subagent is gone with all below it. */
  async stop(parent: string, child: string): Promise<string> {
    this.#requireOwn(parent, child);
    const reason = shutdownReason(`stopped by ${parent}`);
    const withinMs = this.#on.agents.get(child).spec.shutdownMs;
    await this.#end(child, [...this.#below(child), this.#member(child)], { reason, withinMs });
    return encode(undefined, { bytesMax: 8 });
  }

  /** `ctx.kill`: as a crash. */
  kill(parent: string, child: string): Promise<string> {
    this.#requireOwn(parent, child);
    this.#on.agents.get(child).killNow(`killed by ${parent}`);
    return Promise.resolve(encode(undefined, { bytesMax: 8 }));
  }

  // ------------------------------------------------------------------ what happens to agents

  /**
   * An agent is about to stop in order: those below it stop first. Resolves when they are gone; or, where the disk would not
   * let them go, when they sleep in the vault, from where they go with the agent's next end.
   */
  async stopping(id: string, ending: Ending): Promise<void> {
    const members = this.#below(id);
    if (members.length === 0 || this.#isEnding(id) || this.#on.isClosing()) return;
    try {
      await this.#end(id, members, ending);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error; // the vault tells of its own; the agent's end does not wait for a disk
    }
  }

  /** A life of this agent ended by an exit: all that live below it end with it, before anything else happens. */
  exited(id: string): void {
    const members = this.#below(id);
    if (members.length === 0 || this.#isEnding(id)) return;
    const startedMs = this.#on.clock.monotonicMs();
    const reason = shutdownReason(`${id}, to which it belonged, ended`);
    const dropped = this.#dropAfter(members, () => this.#killAll(members, reason));
    const told = { agents: members.length, killed: members.length, startedMs };
    // A commit that fails is reported by the vault; the subagents then still sleep there and still belong to this agent.
    dropped.then(
      () => this.#tell(id, told),
      () => undefined,
    );
  }

  /** An agent ended for good: a subagent is gone from the vault too. */
  gone(id: string): void {
    if (!this.#kin.has(id) || this.#isEnding(id) || this.#on.isClosing()) return;
    // As above; those below it ended with it.
    this.#drop([this.#member(id)]).catch(() => undefined);
  }

  // ------------------------------------------------------------------ how

  #plan(parent: string, options: ParsedSubagentOptions): Plan {
    const { id, source, definition, restart, intensity, periodMs, shutdownMs } = options;
    const own = { id, parent, restart, intensity, periodMs, shutdownMs };
    if (definition !== undefined) {
      const { module, source: text, ...given } = this.#definition(definition);
      const { domain } = this.#on.agents.get(parent).spec;
      const spec = { ...(domain === undefined ? {} : { domain }), ...given, ...own };
      return { spec, code: () => codeOf({ id: definition, module, source: text }) };
    }
    const { spec, artifact, current } = this.#on.agents.get(parent);
    const { supervisor: _supervisor, ...inherited } = spec; // a subagent is nobody's but its parent's
    // Code that an agent brings along is not the operator's: it runs without JIT and sees no file.
    if (source !== undefined) {
      const whose = this.#kin.root(parent);
      const code = (): Promise<Artifact> => compile({ source, name: `${id}.agent.ts`, standsAlone: true }, { whose });
      return { spec: { ...inherited, ...own, profile: "hardened", text: "" }, code };
    }
    if (artifact === undefined || current === undefined) throw new Error(`${parent} runs without code`);
    return { spec: { ...inherited, ...own, profile: current.profile }, code: () => Promise.resolve(artifact) };
  }

  /**
   * A definition has the grants that the program gave it; all others have those of their parent that it names, as they are.
   * Named grants of a definition are all that is left of them. There is no way to more.
   */
  #grants(parent: string, { definition, host }: ParsedSubagentOptions): HostGrants | undefined {
    const own = definition === undefined ? this.#on.agents.get(parent).spec.host : this.#definition(definition).host;
    if (host === undefined) return definition === undefined ? undefined : own;
    const part = narrowed(own, host);
    if ("grants" in part) return part.grants;
    const whose = definition === undefined ? `${parent} itself` : `the definition ${definition}`;
    const text = `${parent}: spawn: host: ${whose} was not granted ${part.lacks}; only what is there can be passed on`;
    throw new RuntimeError("RUNTIME_CAPABILITY_DENIED", text, { details: { agent: parent, capability: part.lacks } });
  }

  /** What a parent passes on stays its own, or whoever's it is. */
  #ownership(parent: string, { definition, host }: ParsedSubagentOptions): Pick<AgentSpec, "grantOwner"> {
    const isPassedOn = definition === undefined && host !== undefined;
    return isPassedOn ? { grantOwner: ownerOf(parent, this.#on.agents.get(parent).spec) } : {};
  }

  #definition(name: string): ParsedSpawnOptions {
    const definition = this.#definitions.get(name);
    if (definition !== undefined) return definition;
    const text = `no definition is called ${name}; the program gives it with runtime.define("${name}", { module })`;
    throw new RuntimeError("RUNTIME_DEFINITION_UNKNOWN", text, { details: { definition: name } });
  }

  #requireRoom(parent: string, path: string): void {
    this.#requireWanted(parent);
    if (this.#kin.has(path) || this.#on.vault.head(path) !== undefined) {
      const text = `an agent called ${path} exists`;
      throw new RuntimeError("RUNTIME_AGENT_EXISTS", text, { details: { agent: path } });
    }
    const root = this.#kin.root(parent);
    const { subagentsMax } = this.#on.agents.get(parent).spec.limits;
    const { subagentDepthMax, subtreeMax } = this.#on.agents.get(root).spec.limits;
    if (this.#kin.depth(parent) >= subagentDepthMax) {
      const text = `${path} would live more than ${subagentDepthMax} generations below ${root} (limits.subagentDepthMax)`;
      throw new RuntimeError("RUNTIME_DEPTH_EXCEEDED", text, { details: { agent: path, subagentDepthMax } });
    }
    if (this.#kin.children(parent).length >= subagentsMax) {
      const text = `${parent} has ${subagentsMax} subagents and may have no more (limits.subagentsMax)`;
      throw new RuntimeError("RUNTIME_CHILDREN_EXCEEDED", text, { details: { agent: parent, subagentsMax } });
    }
    if (this.#kin.count(root) >= subtreeMax) {
      const text = `${subtreeMax} subagents live below ${root}, and no more may (limits.subtreeMax)`;
      throw new RuntimeError("RUNTIME_CHILDREN_EXCEEDED", text, { details: { agent: root, subtreeMax } });
    }
  }

  /** Throws RUNTIME_AGENT_DOWN when the tree that a subagent is to join is ending or has ended. */
  #requireWanted(parent: string, member?: Member): void {
    let isClosed = this.#on.isClosing() || (member !== undefined && !this.#isCurrent(member));
    for (let at: string | undefined = parent; at !== undefined; at = parentOf(at)) isClosed ||= this.#closed.has(at);
    if (!isClosed) return;
    const text = `${parent} ends: it starts nobody any more`;
    throw new RuntimeError("RUNTIME_AGENT_DOWN", text, { details: { agent: parent } });
  }

  #requireOwn(parent: string, child: string): void {
    if (this.#kin.has(child) && parentOf(child) === parent) return;
    const hint = this.#kin.has(`${parent}/${child}`) ? `; it is called ${parent}/${child}` : "";
    const text = `${child} is no subagent of ${parent}${hint}`;
    throw new RuntimeError("RUNTIME_CHILD_UNKNOWN", text, { details: { agent: parent, child } });
  }

  #member(path: string): Member {
    return { path, birth: this.#kin.birth(path) };
  }

  /** All below this agent, the deepest first. */
  #below(id: string): readonly Member[] {
    return this.#kin.descendants(id).map((path) => this.#member(path));
  }

  /** False when somebody else has its name now, or nobody. */
  #isCurrent({ path, birth }: Member): boolean {
    return birth !== undefined && this.#kin.birth(path) === birth;
  }

  #isEnding(id: string): boolean {
    return this.#ending.has(this.#kin.birth(id) ?? 0);
  }

  #agentOf(member: Member): Agent | undefined {
    return this.#isCurrent(member) ? this.#on.agents.peek(member.path) : undefined;
  }

  /** Ends these in order within the time, then removes them from the vault; nobody may begin below `top` meanwhile. */
  async #end(top: string, members: readonly Member[], { reason, withinMs }: Ending): Promise<void> {
    const startedMs = this.#on.clock.monotonicMs();
    let killed = 0;
    const timer = armShutdown(this.#on.clock, withinMs, () => (killed = this.#killAll(members, reason)));
    this.#closed.add(top);
    try {
      await this.#dropAfter(members, async () => {
        // A turn that waits for an answer would not end by itself, and who should answer may be ending as well.
        for (const member of members) this.#agentOf(member)?.life?.callOff(`${member.path} is being stopped`);
        await this.#stopAll(members, reason);
      });
    } finally {
      timer?.cancel();
      this.#closed.delete(top);
    }
    this.#tell(top, { agents: members.length, killed, startedMs });
  }

  /** Children before their parents; siblings side by side. Those that only sleep in the vault have nothing to stop. */
  async #stopAll(members: readonly Member[], reason: ExitReason): Promise<void> {
    const stops = new Map<string, Promise<void>[]>();
    for (const member of members) {
      const { path } = member;
      const stopped = Promise.all(stops.get(path) ?? []).then(() => this.#agentOf(member)?.stop(reason));
      const siblings = stops.get(parentOf(path) ?? "");
      if (siblings === undefined) stops.set(parentOf(path) ?? "", [stopped]);
      else siblings.push(stopped);
    }
    await Promise.all([...stops.values()].flat());
  }

  #killAll(members: readonly Member[], reason: ExitReason): number {
    return members.filter((member) => this.#agentOf(member)?.end(reason) === true).length;
  }

  /** Lets `work` end the members, each without a commit of its own, and drops them all in one. Synchronous if `work` is. */
  #dropAfter(members: readonly Member[], work: () => unknown): Promise<void> {
    for (const { birth } of members) if (birth !== undefined) this.#ending.add(birth);
    const ended = (): void => {
      for (const { birth } of members) if (birth !== undefined) this.#ending.delete(birth);
    };
    const worked = work();
    if (worked instanceof Promise) return worked.finally(ended).then(() => this.#drop(members));
    ended();
    return this.#drop(members);
  }

  /** Frees the names and drops the branches in one commit. The names are free when it returns; durable when it resolves. */
  async #drop(members: readonly Member[]): Promise<void> {
    const { agents, vault, events } = this.#on;
    const dropped: string[] = [];
    const gone = members.filter((member) => this.#isCurrent(member));
    const actions: Action[] = [];
    for (const { path } of gone) {
      agents.forget(path);
      const branch = vault.head(path)?.id;
      if (branch === undefined) continue;
      actions.push(...this.#on.departure(path));
      actions.push({ type: "name", name: path, branch: undefined, expect: branch }, { type: "drop", branch });
      dropped.push(path);
    }
    const commit = actions.length === 0 ? undefined : vault.commit(actions, { durability: "disk" });
    for (const { path } of gone) this.#kin.remove(path);
    for (const agent of dropped) events.emit({ type: "agent.dropped", agent });
    try {
      await commit?.durable;
    } catch (error) {
      // Undone: they sleep in the vault as before, unless somebody has the name by now.
      for (const { path } of gone.toReversed()) if (vault.head(path) !== undefined) this.#kin.add(path);
      throw error;
    }
  }

  #tell(
    agent: string,
    { startedMs, ...counts }: { readonly agents: number; readonly killed: number; readonly startedMs: number },
  ): void {
    const durationMs = this.#on.clock.monotonicMs() - startedMs;
    this.#on.events.emit({ type: "subagents.ended", agent, ...counts, durationMs });
  }
}
