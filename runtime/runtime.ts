/**
 * The runtime: the process that embeds Planaria. It opens the vault, keeps the cells, supervises and routes. It never runs
 * agent code and never loads isolated-vm.
 *
 *   ref.call -> encode -> Agent.accept -> mailbox -> Incarnation.run -> cell ... commit -> vault -> reply
 *
 * Invariants
 * 1. One runtime per vault; the vault's lock sees to it.
 * 2. Every agent in the vault can be called as soon as the runtime is open; it is started by the first message.
 * 3. `close` leaves no process, no timer and no lock behind, and loses nothing that was accepted for durability.
 */
import { leaveCompiler } from "../sandbox/index.ts";
import type { AnyAgentDefinition, Cell } from "../sandbox/index.ts";
import type { Action, BackupOptions, BackupReport, Clock } from "../vault/index.ts";
import { VAULT_SETTINGS, Vault } from "../vault/index.ts";
import type { AuditEntry } from "./capabilities/audit-row.ts";
import { Broker } from "./capabilities/broker.ts";
import type { Agent } from "./agent.ts";
import type { AgentHost } from "./agent-host.ts";
import type { CellInfo } from "./cell-info.ts";
import { CellPool } from "./cell-pool.ts";
import { systemClock } from "./clock.ts";
import { AgentControl } from "./control.ts";
import { RuntimeError } from "./errors.ts";
import { EventStream } from "./events.ts";
import { DeadLetters } from "./dead-letters.ts";
import { DeadLetterBox } from "./dead-letter-box.ts";
import type { EventListener } from "./events.ts";
import { FailureLog } from "./failure-log.ts";
import type { FailureReport } from "./failure-report.ts";
import { HealthWatch } from "./health-watch.ts";
import { dropAgent } from "./drop.ts";
import { provideHandover } from "./handover.ts";
import { Journal } from "./journal.ts";
import type { Caller, Letter, Message } from "./message.ts";
import { logEvents } from "./log.ts";
import type { LogDestination } from "./log.ts";
import { requireNode } from "./node-version.ts";
import { parseAgentId, parseAgentPath } from "./name-options.ts";
import { parseDefinition, parseRuntimeOptions, parseSpawnOptions } from "./options.ts";
import type { AgentLimits } from "./limit-options.ts";
import type { DefinitionOptions, ParsedRuntimeOptions, RuntimeOptions, SpawnOptions, WatchOptions } from "./options.ts";
import type { AuditQuery, DeadLetterFilter, TimerFilter } from "./reading-options.ts";
import { parseAuditQuery, parseDeadLetterFilter, parseTimerQuery, parseTopicName } from "./reading-options.ts";
import type { Random } from "./random.ts";
import { freshSeed, seededRandom } from "./random.ts";
import type { AgentRef } from "./ref.ts";
import { AgentRegistry } from "./registry.ts";
import { shutdownReason } from "./ref.ts";
import type { QuestionHandler } from "./router.ts";
import { Relations } from "./relations.ts";
import { Router } from "./router.ts";
import { makeRef } from "./make-ref.ts";
import { sweepShadows } from "./shadow.ts";
import { StartQueue } from "./start-queue.ts";
import { StepSlots } from "./step-slots.ts";
import type { SupervisorSpec } from "./supervise-spec.ts";
import type { SupervisorRef } from "./supervisor-ref.ts";
import { Supervisors } from "./supervisors.ts";
import type { TimerInfo } from "./timer-list.ts";
import { Timers } from "./timers.ts";
import type { TopicRef } from "./topic-ref.ts";
import { makeTopicRef } from "./topic-ref.ts";
import { Topics } from "./topics.ts";
import { TrafficKeeper } from "./traffic-keeper.ts";
import type { AgentNode, Tree } from "./tree.ts";
import { describeTree } from "./tree.ts";
import type { Watch } from "./watch.ts";
import { Watches } from "./watches.ts";

/** Things a test or an embedder may hand in instead of the system's. */
export interface RuntimeParts {
  readonly clock?: Clock;
  readonly logDestination?: LogDestination;
  /** The vault's file operations; tests put faults here. */
  readonly files?: Parameters<typeof Vault.open>[0]["files"];
  /** What starts cells; tests put simulated ones here. */
  readonly startCell?: typeof Cell.start;
}

/** Hosts, supervises and remembers agents. */
export class Runtime implements AsyncDisposable {
  readonly events: EventStream;
  readonly #options: ParsedRuntimeOptions;
  readonly #clock: Clock;
  readonly #vault: Vault;
  readonly #pool: CellPool;
  readonly #starts = new StartQueue();
  readonly #agents: AgentRegistry;
  readonly #supervisors: Supervisors;
  readonly #router: Router;
  readonly #broker: Broker;
  readonly #host: AgentHost;
  readonly #health: HealthWatch;
  readonly #relations: Relations;
  readonly #failures: FailureLog;
  readonly #deadLetters: DeadLetters;
  readonly #topics: Topics;
  readonly #timers: Timers;
  readonly #watches: Watches;
  readonly #stopLog: () => void;
  #closing: Promise<void> | undefined;

  private constructor(options: ParsedRuntimeOptions, parts: RuntimeParts, vault: Vault, events: EventStream) {
    this.#options = options;
    this.#clock = parts.clock ?? systemClock;
    const random = seededRandom(options.seed ?? freshSeed());
    this.#vault = vault;
    this.events = events;
    this.#stopLog = logEvents(events, { level: options.logLevel, destination: parts.logDestination });
    this.#pool = this.#makePool(parts.startCell);
    const cells = (): ReturnType<CellPool["cells"]> => this.#pool.cells();
    this.#health = new HealthWatch({ clock: this.#clock, events, remarkableMs: HEARTBEAT_MS / 2, cells });
    this.#agents = new AgentRegistry({
      vault,
      durability: options.durability,
      host: () => this.#host,
      isReserved: (id) => this.#supervisors.has(id),
    });
    this.#supervisors = this.#makeSupervisors(seededRandom(random.next32()));
    this.#watches = new Watches({
      clock: this.#clock,
      events,
      parse: (given) => parseSpawnOptions(given, options),
      peek: (id) => this.#agents.peek(id),
      deploy: (given) => this.#agents.deploy(given),
      control: (id) => this.control(id),
    });
    this.#router = new Router({ clock: this.#clock, random, events, agent: (id) => this.#agent(id) });
    provideHandover(this.#router.outgoing, events);
    this.#broker = this.#makeBroker();
    this.#relations = new Relations({
      vault,
      events,
      clock: this.#clock,
      agents: this.#agents,
      router: this.#router,
      departure: (id) => this.#host.departure(id),
      isClosing: () => this.#closing !== undefined,
    });
    this.#failures = new FailureLog({ clock: this.#clock, events, vault, peek: (id) => this.#agents.peek(id) });
    this.#deadLetters = new DeadLetters({
      ...options.deadLetters,
      vault,
      events,
      now: () => this.#clock.now(),
      deliver: (agent, letter, caller) => void this.#router.deliver(agent, letter, caller),
      replayed: (letter) => this.#agents.peek(letter.agent)?.ends.forgive(letter),
    });
    ({ topics: this.#topics, timers: this.#timers } = this.#makeLater());
    this.#host = {
      deadLetters: this.#deadLetters,
      radius: this.#failures.radius,
      kin: this.#relations,
      broker: this.#broker,
      traffic: new TrafficKeeper({ vault, clock: this.#clock, events }),
      vault,
      pool: this.#pool,
      clock: this.#clock,
      events,
      starts: this.#starts,
      slots: new StepSlots(),
      random: seededRandom(random.next32()),
      births: seededRandom(random.next32()),
      ask: (agent, question) => this.#router.ask(agent, question),
      outgoing: (place, entry) => this.#router.outgoing.prepare(place, entry),
      forgotten: (id) => {
        this.#agents.forget(id);
        this.#relations.forgotten(id);
      },
      departure: (id) => this.#departure(id),
    };
  }

  /**
   * Opens a vault (made when missing) and stands ready. Agents kept in it can be called at once.
   * Rejects with RUNTIME_NODE_UNSUPPORTED, RUNTIME_OPTIONS_INVALID, VAULT_LOCKED, VAULT_PATH_INVALID, VAULT_PATH_DENIED,
   * VAULT_FORMAT_UNKNOWN, VAULT_LOG_DAMAGED, VAULT_PAGES_DAMAGED, SANDBOX_LAYER_MISSING, SANDBOX_CELL_START_FAILED.
   */
  static async open(input: RuntimeOptions, parts: RuntimeParts = {}): Promise<Runtime> {
    requireNode(process.versions.node);
    const options = parseRuntimeOptions(input);
    const clock = parts.clock ?? systemClock;
    const events = new EventStream(() => clock.now());
    const started = clock.monotonicMs();
    const vault = await Vault.open({
      ...VAULT_SETTINGS,
      path: options.vault,
      clock,
      durability: options.durability,
      retention: { ...VAULT_SETTINGS.retention, rules: [...options.retention, ...VAULT_SETTINGS.retention.rules] },
      onEvent: (event) => events.emit(event),
      ...(parts.files === undefined ? {} : { files: parts.files }),
    });
    sweepShadows(vault);
    const runtime = new Runtime(options, parts, vault, events);
    try {
      await runtime.#relations.sweep();
      await runtime.#pool.warm("trusted");
    } catch (error) {
      await runtime.close();
      throw error;
    }
    const agents = runtime.ids().length;
    const replayed = vault.recovery.entries;
    const durationMs = clock.monotonicMs() - started;
    events.emit({ type: "runtime.opened", vault: options.vault, agents, replayed, durationMs });
    runtime.#topics.open();
    runtime.#timers.open();
    return runtime;
  }

  /**
   * Starts an agent. A new id gets the state of its `state()`; an id kept in the vault wakes with what it remembers, on
   * its evolved code unless the code given here is new. Durable when it resolves. Rejects with RUNTIME_AGENT_EXISTS,
   * RUNTIME_OPTIONS_INVALID, SANDBOX_COMPILE_FAILED, SANDBOX_LOAD_FAILED, RUNTIME_HANDLER_THREW (its `state()` or `migrate` threw).
   */
  async spawn<Def extends AnyAgentDefinition = AnyAgentDefinition>(input: SpawnOptions): Promise<AgentRef<Def>> {
    this.#requireOpen();
    const options = parseSpawnOptions(input, this.#options);
    await this.#agents.deploy(options);
    return this.ref<Def>(options.id);
  }

  /**
   * Makes a folder's files its agents: every `<id>.agent.ts` is the code of the agent of that name, every `<id>.agent.md` a
   * record with its settings and its text. Starts what is there, and resolves when all of it is up or refused (`agents`
   * of the result, and events `definition.refused`). From then on what is saved takes effect with the agent's next message:
   * it is compiled, tried in a shadow, and swapped between two messages; state and waiting messages stay. A file that is
   * wrong changes nothing. Rejects with RUNTIME_OPTIONS_INVALID, RUNTIME_WATCH_FAILED.
   */
  async watch(dir: string | URL, options?: WatchOptions): Promise<Watch> {
    this.#requireOpen();
    return await this.#watches.open(dir, options);
  }

  /** A reference by name. The agent need not run, nor exist yet: a call to an unknown one rejects with RUNTIME_AGENT_UNKNOWN. */
  ref<Def extends AnyAgentDefinition = AnyAgentDefinition>(id: string): AgentRef<Def> {
    return makeRef<Def>(parseAgentPath(id), {
      vault: this.#vault,
      clock: this.#clock,
      agent: () => this.#agent(id),
      call: (method, arg, options) => this.#router.call(id, method, arg, options),
      cast: (method, arg) => this.#router.cast(id, method, arg),
      fork: (forkId, at) => this.#fork(id, forkId, at),
      exit: (reason) => this.#relations.signal(id, reason),
      restored: (seq) => this.events.emit({ type: "agent.restored", agent: id, seq }),
      ref: (other) => this.ref<Def>(other),
    });
  }

  /**
   * Gives code a name: agents start subagents of it with `ctx.spawn({ id, definition: name })`. A name that is known is given
   * anew, for subagents from then on. Throws RUNTIME_OPTIONS_INVALID; code that does not compile is told to who spawns.
   */
  define(name: string, options: DefinitionOptions): void {
    this.#requireOpen();
    this.#relations.define(parseDefinition(name, options, this.#options));
  }

  /**
   * Starts a supervisor at the top with all its children, in order; resolves when all of them are up. Its agents are
   * called by their paths and keep their memory in the vault, while the tree itself is declared anew at each start of the
   * program, as in OTP. When it gives up, all of it is down (`subtree.ended`) until `revive()` or another `supervise`.
   * Rejects with RUNTIME_OPTIONS_INVALID, RUNTIME_SUPERVISOR_EXISTS, RUNTIME_AGENT_EXISTS, RUNTIME_CHILD_START_FAILED (then
   * nothing of it runs).
   *
   *     const shop = await runtime.supervise({
   *       id: "shop",
   *       strategy: "rest_for_one",
   *       children: [{ id: "stock", module: stock }, { id: "till", module: till }],
   *     });
   *     await runtime.ref("shop/till").call("sell", "tea");
   */
  async supervise(spec: SupervisorSpec): Promise<SupervisorRef> {
    return this.#supervisors.supervise(spec);
  }

  /** A reference to a supervisor by path. Its calls reject with RUNTIME_SUPERVISOR_UNKNOWN while there is none. */
  supervisor(path: string): SupervisorRef {
    return this.#supervisors.ref(path);
  }

  /** Names of all agents, running or asleep in the vault. */
  ids(): readonly string[] {
    return this.#vault
      .names()
      .map(({ name }) => name)
      .filter((name) => !name.startsWith("~"));
  }

  /** The supervision tree as it stands: data, and as text when it is printed. */
  tree(): Tree {
    const agent = (id: string): AgentNode => this.#agents.describe(id);
    return describeTree({ ids: this.ids(), supervisors: this.#supervisors.describe(), agent });
  }

  /**
   * Stops an agent and removes it and its name from the vault; its supervisor, if it has one, forgets it. Its forks live on.
   * Durable when it resolves. Rejects with RUNTIME_AGENT_UNKNOWN, and with RUNTIME_CHILD_RUNNING where the supervisors above it
   * keep starting it again.
   */
  async drop(id: string): Promise<void> {
    this.#requireOpen();
    const { clock, random } = this.#host;
    await dropAgent(parseAgentPath(id), { clock, random, agents: this.#agents, supervisors: this.#supervisors });
  }

  /** Receives every event in order; `after` replays kept ones first. Throws RUNTIME_OPTIONS_INVALID. */
  subscribe(
    listener: EventListener,
    options: { readonly after?: number } = {},
  ): { readonly missed: number; readonly unsubscribe: () => void } {
    return this.events.subscribe(listener, options);
  }

  /** For the evolution floor: code on trial, swaps, and the way back. Throws RUNTIME_AGENT_UNKNOWN. */
  control(id: string): AgentControl {
    return new AgentControl(this.#agent(id), this.#host);
  }

  /** Lets agents ask questions of this kind. Returns the way to withdraw it. */
  provide(verb: string, handler: QuestionHandler): () => void {
    return this.#router.provide(verb, handler);
  }

  /** A durable list of records of that name. */
  async journal(name: string): Promise<Journal> {
    this.#requireOpen();
    return Journal.open(this.#vault, name);
  }

  /**
   * A topic: publish to it, and subscribe to what agents and programs publish. It need not exist: the first publication or
   * subscription makes it. Throws RUNTIME_OPTIONS_INVALID for a name that is none.
   *
   *     await runtime.topic("news").publish({ headline: "It works" });
   */
  topic<Value = unknown>(name: string): TopicRef<Value> {
    return makeTopicRef<Value>(parseTopicName(name), () => this.#open(this.#topics));
  }

  /** The names of all topics in the vault, in order. */
  topics(): readonly string[] {
    return this.#open(this.#topics).names();
  }

  /** The durable timers that fall due next, in order: of all agents or one, 100 where it is not said how many. */
  timers(query: TimerFilter = {}): readonly TimerInfo[] {
    return this.#open(this.#timers).list(parseTimerQuery(query));
  }

  /** Takes a durable timer away, whosever it is; false where there is none of that name. Durable when it resolves. */
  async cancelTimer(agent: string, timer: string): Promise<boolean> {
    return this.#open(this.#timers).cancel(parseAgentPath(agent), timer);
  }

  /** The clock this runtime lives by. */
  get clock(): Clock {
    return this.#clock;
  }

  /** Figures of the vault. */
  vaultStats(): ReturnType<Vault["stats"]> {
    return this.#vault.stats();
  }

  /**
   * Copies the vault as it is now to a folder, while everything goes on: all of it the first time, afterwards what is new.
   * Files of earlier backups are read again, and written anew where they are bad (`mended` in the report); `verify: "new"`
   * leaves that out for a very large vault. `planaria vault restore` brings it back. Rejects with VAULT_BACKUP_FAILED, VAULT_BACKUP_DAMAGED, VAULT_PATH_INVALID (a folder in the vault's own); an earlier backup
   * in the folder is then still good.
   */
  async backup(to: string, options: Pick<BackupOptions, "verify"> = {}): Promise<BackupReport> {
    this.#requireOpen();
    return this.#vault.maintenance.backup(to, options);
  }

  /**
   * The newest 100 failures that are over, oldest first: what caused each, whom it touched for how long, and what was lost.
   * Each is an event, too: `failure.contained`.
   */
  failures(): readonly FailureReport[] {
    return this.#failures.list();
  }

  /**
   * Messages that ended their agent's life, or waited when it ended: kept in the vault until they are replayed or dropped.
   *
   *     const dead = runtime.deadLetters({ agent: "counter" });
   *     for (const { id, method, reason } of dead) console.log(id, method, reason.message);
   *     await dead.replay(7); // runs it again; it is gone when that turn is on disk
   */
  deadLetters(filter: DeadLetterFilter = {}): DeadLetterBox {
    this.#requireOpen();
    return new DeadLetterBox(this.#deadLetters, parseDeadLetterFilter(filter).agent);
  }

  /**
   * What agents did with their capabilities, in order: the newest 100 calls, or others that are asked for. An entry without an
   * outcome still runs, or its program ended before it did. Each row behind it carries the hash of the row before.
   */
  audit(query: AuditQuery = {}): readonly AuditEntry[] {
    return this.#open(this.#broker).audit(parseAuditQuery(query));
  }

  /** Live cells. */
  cells(): readonly CellInfo[] {
    return this.#pool.cells().map(({ id, pid, residents, layers }) => ({ id, pid, residents, layers }));
  }

  /**
   * Stops the supervisors, each tree in reverse order of its starts, then all agents that stand alone; ends all cells, closes
   * the vault. Resolves when all of it is done.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#closeNow();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeNow(): Promise<void> {
    await this.#watches.close();
    this.#timers.close();
    this.#topics.close();
    await this.#supervisors.close();
    const agents = this.#agents.all().toReversed();
    await Promise.all(agents.map((agent) => agent.stop(shutdownReason("the runtime closes"))));
    await this.#broker.close();
    this.#topics.endReaders();
    this.#host.traffic.close();
    await this.#pool.close();
    await leaveCompiler();
    await this.#vault.close();
    this.#failures.close();
    this.events.emit({ type: "runtime.closed" });
    this.#stopLog();
  }

  // ------------------------------------------------------------------ agents

  /** The agent of this name: running, or asleep in the vault. */
  #agent(id: string): Agent {
    this.#requireOpen();
    return this.#agents.get(id);
  }

  async #fork(from: string, idInput: string, at: Parameters<AgentRef["fork"]>[0]["at"]): Promise<void> {
    const id = parseAgentId(idInput);
    this.#requireOpen();
    await this.#agents.fork(from, id, at);
  }

  #departure(id: string): readonly Action[] {
    return [this.#topics, this.#timers, this.#host.traffic].flatMap((those) => those.departure(id));
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new RuntimeError("RUNTIME_CLOSED", "the runtime is closed");
  }

  #open<T>(part: T): T {
    this.#requireOpen();
    return part;
  }

  /** What agents do later or elsewhere: durable timers, and topics. */
  #makeLater(): { readonly topics: Topics; readonly timers: Timers } {
    const limits = (id: string): AgentLimits => this.#agents.look(id).spec.limits;
    const host = {
      vault: this.#vault,
      clock: this.#clock,
      events: this.events,
      outgoing: this.#router.outgoing,
      durability: this.#options.durability,
      deliver: (agent: string, letter: Letter, caller: Caller) =>
        this.#agents.quietly(agent, () => this.#router.deliver(agent, letter, caller)),
      withdraw: (agent: string, message: Message) => this.#agents.peek(agent)?.withdraw(message) === true,
    };
    const topics = new Topics({
      ...host,
      ...this.#options.topics,
      bytesMax: this.#options.limits.messageBytesMax,
      messageBytesMax: (id) => limits(id).messageBytesMax,
      subscriptionsMax: (id) => limits(id).subscriptionsMax,
    });
    return { topics, timers: new Timers({ ...host, timersMax: (id) => limits(id).timersMax }) };
  }

  #makeBroker(): Broker {
    const parts = { clock: this.#clock, events: this.events, vault: this.#vault, agents: this.#agents };
    const rootOf = (id: string): string => this.#relations.root(id);
    return new Broker({ ...this.#options, ...parts, router: this.#router, rootOf, env: process.env });
  }

  #makeSupervisors(random: Random): Supervisors {
    return new Supervisors({
      clock: this.#clock,
      events: this.events,
      random,
      agents: this.#agents,
      defaults: this.#options,
      ref: (path) => this.ref(path),
      requireOpen: () => this.#requireOpen(),
    });
  }

  #makePool(start: RuntimeParts["startCell"]): CellPool {
    const options = this.#options;
    return new CellPool({
      start,
      cellsSpread: options.cells,
      agentsPerCell: options.agentsPerCell,
      spares: options.spares,
      clock: this.#clock,
      recycle: options.recycle,
      onRecycled: (told) => this.events.emit({ type: "cell.recycled", ...told }),
      cell: {
        osSandbox: options.osSandbox,
        require: options.sandbox.require,
        poolHeapMb: options.limits.heapMb,
        limits: {
          memoryMb: options.cellMemoryMb,
          isolatesMax: options.agentsPerCell,
          frameBytesMax: FRAME_BYTES_MAX,
          heartbeatMs: HEARTBEAT_MS,
        },
        clock: this.#clock,
        onEvent: (event) => this.events.emit(event),
        mayEndSilent: (cell) => this.#health.mayKill(cell),
      },
    });
  }
}

/** Larger texts cross in pieces, so that no frame keeps a pipe busy for long. */
const FRAME_BYTES_MAX = 1 << 20;
/** No sign of life for this long, beyond what the running turn is allowed, and the cell counts as hung. */
const HEARTBEAT_MS = 250;
