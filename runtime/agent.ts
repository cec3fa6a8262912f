/**
 * One agent: a name, a mailbox, a line of state in the vault, and one life (`Incarnation`) at a time. The agent outlives
 * every life; what it keeps between two of them is the mailbox here and the branch in the vault.
 *
 *   asleep --(message, spawn, restart)--> starting --> up --(exit)--> asleep --(supervisor: start | park | settle)
 *                                                       `--(stop)---> down
 *
 * Invariants
 * 1. At most one life takes messages; a newer one has a higher epoch, and the vault refuses the older one's writes.
 * 2. A life is loaded only after every commit of the one before is settled: it never starts from state that is undone.
 * 3. Stop, snapshot, swap, restore and fork happen one after the other, between two messages.
 * 4. Every accepted message is settled: answered, failed, or (a cast that nobody can run) set aside among the dead letters.
 */
import type { Artifact } from "../sandbox/index.ts";
import type { Branch, Commit, Snapshot } from "../vault/index.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import { readSpec } from "./agent-record.ts";
import { AgentCode } from "./agent-code.ts";
import { BetweenTurns } from "./between-turns.ts";
import type { AgentHost, AgentLoader } from "./agent-host.ts";
import { Child } from "./child.ts";
import type { Down, ExitNotice } from "./child.ts";
import { DiskDelay } from "./disk-delay.ts";
import type { ExitReason } from "./exit-reason.ts";
import { errorReason } from "./faults.ts";
import { chooseCode, commitFirst, migrationOps } from "./first-start.ts";
import type { IncarnationHost } from "./incarnation.ts";
import { Incarnation } from "./incarnation.ts";
import { lastWords } from "./last-words.ts";
import { Outage } from "./outage.ts";
import { Mailbox } from "./mailbox.ts";
import { MessageEnds } from "./message-ends.ts";
import type { Caller, Message } from "./message.ts";
import type { SupervisorEvent } from "./supervisor.ts";
import type { RecordedTurn } from "./traffic.ts";
import { TrafficRecorder } from "./traffic.ts";

type Phase =
  | { readonly name: "asleep" }
  | { readonly name: "starting" }
  | { readonly name: "up"; readonly life: Incarnation }
  | ({ readonly name: "down" } & Down);

/** Messages handed to an isolate ahead of their turn, so that the pipe never runs dry. */
const INFLIGHT_MAX = 32;
/** Tries at a start whose cell was lost through no fault of the agent's. */
const START_TRIES = 3;

/** A named, supervised, stateful actor. */
export class Agent {
  readonly id: string;
  readonly traffic: TrafficRecorder = new TrafficRecorder();
  spec: AgentSpec;
  readonly #code: AgentCode;
  #phase: Phase = { name: "asleep" };
  readonly #child: Child;
  readonly #outage: Outage;
  #lastCommit: Commit | undefined;
  #hasLived = false;
  readonly #disk: DiskDelay;
  readonly #host: AgentHost;
  readonly #mailbox: Mailbox<Message>;
  readonly #ends: MessageEnds;
  readonly #mirrors = new Set<(turn: RecordedTurn) => void>();
  readonly #between: BetweenTurns;
  readonly #lifeHost: IncarnationHost;
  readonly #lazyStart: () => Promise<void>;
  readonly #complain: (text: string) => void;

  constructor(host: AgentHost, options: { readonly id: string; readonly spec: AgentSpec; readonly branch: Branch }) {
    this.id = options.id;
    this.spec = options.spec;
    this.#host = host;
    this.#code = new AgentCode(options.id, options.branch);
    this.#mailbox = new Mailbox(options.spec.limits.mailboxMax);
    this.#child = new Child({ ...options.spec, id: options.id });
    this.#outage = new Outage(options.id, host);
    this.#disk = new DiskDelay(host.vault, () => this.#pump());
    this.#lazyStart = () => this.#startAgain();
    this.#between = new BetweenTurns({
      isBusy: () => this.#phase.name === "starting" || this.life?.isIdle === false,
      onRelease: () => this.#pump(),
    });
    this.#complain = (text) => host.events.emit({ type: "agent.logged", agent: this.id, level: "warn", text });
    this.#lifeHost = this.#makeLifeHost();
    this.#ends = new MessageEnds(options.id, host, () => ({
      spec: this.spec,
      hash: this.artifact?.hash ?? "",
      monotonicMs: host.clock.monotonicMs(),
    }));
  }

  get branch(): Branch {
    return this.#code.branch;
  }
  get phase(): "asleep" | "starting" | "up" | "parked" | "down" {
    return this.#phase.name === "down" && this.#phase.isParked ? "parked" : this.#phase.name;
  }
  get current(): CurrentCode | undefined {
    return this.#code.known?.current;
  }
  get artifact(): Artifact | undefined {
    return this.#code.known?.artifact;
  }
  get life(): Incarnation | undefined {
    return this.#phase.name === "up" ? this.#phase.life : undefined;
  }
  get mailboxLength(): number {
    return this.#mailbox.length + (this.life?.inflight ?? 0);
  }
  /** True when its name is in use: it lives, sleeps between two lives, or is about to live. */
  get isTaken(): boolean {
    if (this.#between.isHeld || this.#phase.name === "starting") return true;
    return this.#phase.name !== "down" && this.#hasLived;
  }
  get restarts(): number {
    return this.#child.restarts;
  }

  // ------------------------------------------------------------------ messages

  /**
   * Accepts a message into the mailbox. A call with the id of one that is under way joins that one, which is returned.
   * Throws RUNTIME_MAILBOX_FULL, RUNTIME_MESSAGE_QUARANTINED, RUNTIME_AGENT_DOWN, RUNTIME_INTENSITY_EXCEEDED.
   */
  accept(message: Message, caller?: Caller): Message {
    const phase = this.#phase;
    if (phase.name === "down") throw this.#child.downError(phase);
    const sent = this.#underWay(message.callId) ?? message;
    if (caller !== undefined) sent.callers.add(caller);
    if (sent !== message) return sent;
    this.#ends.admit(message);
    if (!this.#mailbox.push(message)) throw this.#child.fullError(this.#mailbox.capacity);
    if (phase.name === "up") this.#pump();
    else if (phase.name === "asleep") this.wake();
    return message;
  }

  /** The call with this id that is waiting or running. */
  #underWay(callId: string | undefined): Message | undefined {
    if (callId === undefined) return undefined;
    const isIt = (message: Message): boolean => message.callId === callId;
    return this.life?.find(isIt) ?? this.#mailbox.find(isIt);
  }

  /** One caller gave up: true when nobody else waits and it had not been started, so it certainly never happens. */
  withdraw(message: Message): boolean {
    return message.callers.size === 0 && this.#mailbox.remove(message);
  }

  /** Starts a life now unless there is one. */
  wake(): void {
    if (this.#phase.name !== "asleep" || this.#between.isHeld) return;
    this.#host.starts.remove(this.#lazyStart);
    void this.#startAgain(); // owns its outcome: it never rejects
  }

  // ------------------------------------------------------------------ first start

  /**
   * The first start in this runtime: of a new agent, of one that slept in the vault, or of newly deployed code. Commits
   * the spec, the code and the first (or migrated) state together. Messages that come meanwhile wait for it. Rejects with
   * the error that stopped it, which they get too: this agent is down then, and the vault is left exactly as it was.
   */
  async begin(artifact: Artifact, spec: AgentSpec): Promise<void> {
    await this.#between.run(async () => {
      const started = this.#host.clock.monotonicMs();
      this.#phase = { name: "starting" };
      try {
        const life = await this.#loadFirst(artifact, spec);
        this.spec = spec;
        this.#up(life, started);
      } catch (error) {
        this.#retire(errorReason(error));
        throw error;
      }
    });
  }

  /** Keeps this agent, which has no life, from getting one while `successor` begins, and for good once that has begun. */
  async giveWay(successor: () => Promise<void>): Promise<void> {
    await this.#between.run(async () => {
      await successor();
      this.#retire({ name: "shutdown", message: "it was spawned again" });
    });
  }

  #retire(reason: ExitReason): void {
    this.#child.decide({ type: "terminated" });
    this.#down({ reason, isParked: false });
  }

  async #loadFirst(given: Artifact, spec: AgentSpec): Promise<Incarnation> {
    const { known } = this.#code;
    const choice = chooseCode(given, known, spec.profile);
    const life = await this.#load({ ...choice, spec });
    try {
      const { current, isStateChanged } = await commitFirst(life, {
        choice,
        spec,
        known,
        nowMs: this.#host.clock.now(),
      });
      if (isStateChanged) this.traffic.clear();
      this.#code.known = { current, artifact: choice.artifact };
      return life;
    } catch (error) {
      life.discard();
      throw error;
    }
  }

  // ------------------------------------------------------------------ lives

  async #load(options: {
    readonly artifact: Artifact;
    readonly profile: "trusted" | "hardened";
    readonly spec?: AgentSpec;
  }): Promise<Incarnation> {
    const { artifact, profile } = options;
    const { branch } = this;
    const { limits, durability, text } = options.spec ?? this.spec;
    await this.#settledCommits();
    for (let tries = 1; ; tries++) {
      try {
        return await Incarnation.load(this.#lifeHost, { branch, artifact, profile, limits, durability, text });
      } catch (error) {
        const code = (error as { readonly code?: string }).code; // reading a property that may not be there
        if (code !== "SANDBOX_CELL_LOST" || tries >= START_TRIES) throw error;
      }
    }
  }

  /** Waits until the last life's commits are durable or undone; which of the two is the same to us here. */
  async #settledCommits(): Promise<void> {
    const commit = this.life?.lastCommit ?? this.#lastCommit;
    this.#lastCommit = undefined;
    if (commit === undefined || commit.isDurable) return;
    await commit.durable.catch(() => undefined); // its own caller was told; here only the end of waiting matters
  }

  /** A life that is loaded takes over. */
  #up(life: Incarnation, startedMs: number): void {
    this.#phase = { name: "up", life };
    this.#hasLived = true;
    this.#started(life, startedMs);
    const reason: ExitReason = { name: "cell_lost", message: "its cell was lost as it started" };
    if (life.isOver) this.#exited(reason, undefined, life);
  }

  #started(life: Incarnation, startedMs: number): void {
    const { clock, events } = this.#host;
    const { cellId: cell, epoch } = life;
    const hash = life.options.artifact.hash;
    const nowMs = clock.monotonicMs();
    events.emit({ type: "agent.started", agent: this.id, cell, hash, epoch, durationMs: nowMs - startedMs });
    this.#between.nudge();
    this.#outage.end(this.restarts);
  }

  /**
   * A start that nobody awaits: a restart, or a message for a sleeping agent. Messages are handed over while the code still
   * loads, so the first answer costs no second way there and back. Never rejects.
   */
  async #startAgain(): Promise<void> {
    if (this.#phase.name !== "asleep" || this.#between.isHeld) return;
    const started = this.#host.clock.monotonicMs();
    const starting: Phase = { name: "starting" };
    this.#phase = starting;
    try {
      const life = await this.#place();
      if (!this.#isStill(starting)) return life.discard(); // killed meanwhile
      life.fence();
      this.#phase = { name: "up", life };
      this.#hasLived = true;
      this.#pump();
      await this.#awaitReady(life, started);
    } catch (error) {
      if (this.#isStill(starting)) this.#exited(errorReason(error), undefined);
    }
  }

  async #place(): Promise<Incarnation> {
    const { current, artifact } = this.#code.required();
    const { limits, durability, text } = this.spec;
    await this.#settledCommits();
    const { profile } = current;
    return Incarnation.place(this.#lifeHost, { branch: this.branch, artifact, profile, limits, durability, text });
  }

  async #awaitReady(life: Incarnation, startedMs: number): Promise<void> {
    try {
      await life.ready();
    } catch (error) {
      return await life.fail(error); // reports through `ended`, unless this life was ended meanwhile
    }
    if (this.life === life) this.#started(life, startedMs);
  }

  /** Read through a method, because the phase changes while we wait and the type checker cannot know. */
  #isStill(phase: Phase): boolean {
    return this.#phase === phase;
  }

  /** Hands waiting messages to the isolate as long as there is room. */
  #pump(): void {
    const phase = this.#phase;
    if (phase.name === "asleep" && this.#mailbox.length > 0) return this.wake();
    if (phase.name !== "up" || this.#between.isHeld) return;
    while (phase.life.inflight < INFLIGHT_MAX && !this.#disk.isDelayed()) {
      const message = this.#mailbox.shift();
      if (message === undefined) return;
      if (!this.#ends.refuses(message)) phase.life.run(message);
    }
  }

  #makeLifeHost(): IncarnationHost {
    const { vault, pool, clock, events, slots } = this.#host;
    return {
      id: this.id,
      vault,
      pool,
      clock,
      steps: { slots, emit: (event) => events.emit(event) },
      ask: (question) => this.#host.ask(this.id, question),
      outgoing: (place, entry) => this.#host.outgoing(place, entry),
      log: (level, text) => events.emit({ type: "agent.logged", agent: this.id, level, text }),
      turned: (turn) => this.traffic.record(turn),
      published: (turn) => {
        for (const mirror of this.#mirrors) mirror(turn);
      },
      advanced: () => {
        this.#between.nudge();
        this.#pump();
      },
      failed: (message, reason) => this.#ends.failed(message, reason),
      ended: (life, reason, returned, failed) => {
        this.#mailbox.unshift(returned);
        if (reason.name === "storage") this.traffic.clear();
        if (this.#phase.name === "up" && this.#phase.life === life) this.#exited(reason, failed?.method, life);
        this.#between.nudge();
      },
    };
  }

  #exited(reason: ExitReason, method: string | undefined, life?: Incarnation): void {
    const { clock, events } = this.#host;
    this.#lastCommit = life?.lastCommit ?? this.#lastCommit;
    this.#phase = { name: "asleep" };
    this.#outage.begin(reason);
    const hash = this.artifact?.hash ?? "";
    events.emit({
      type: "agent.exited",
      agent: this.id,
      reason,
      hash,
      ...(method === undefined ? {} : { message: method }),
    });
    this.#supervise({ type: "exited", reason, atMs: clock.monotonicMs() });
    this.#between.nudge();
  }

  #supervise(event: SupervisorEvent): void {
    const { events } = this.#host;
    for (const effect of this.#child.decide(event)) {
      switch (effect.type) {
        case "start":
          if (this.#mailbox.length > 0 || event.type === "restart_asked") this.wake();
          else this.#host.starts.add(this.#lazyStart);
          break;
        case "park":
          events.emit({ type: "agent.parked", agent: this.id, reason: effect.reason });
          this.#down({ reason: effect.reason, isParked: true });
          break;
        case "settle":
          events.emit({ type: "agent.stopped", agent: this.id, reason: effect.reason });
          this.#down({ reason: effect.reason, isParked: false });
          if (effect.isForgotten) this.#host.forgotten(this.id);
          break;
      }
    }
  }

  /** Takes no messages from here on; those that wait are failed, and casts among them set aside. */
  #down(down: Down): void {
    this.#phase = { name: "down", ...down };
    this.#outage.forget();
    this.#host.starts.remove(this.#lazyStart);
    const error = this.#child.downError(down);
    this.#ends.leftOver(this.#mailbox.drain(), { reason: down.reason, error });
  }

  /** A replay of these words went well. */
  forgive(words: { readonly method: string; readonly text: string }): void {
    this.#ends.forgive(words);
  }

  /** Takes over whoever monitors the agent that had this name before. */
  inherit(before: Agent): void {
    this.#child.inherit(before.#child);
  }

  /** Calls `monitor` at every exit until the returned function is called. */
  monitor(monitor: (notice: ExitNotice) => void): () => void {
    return this.#child.monitor(monitor);
  }

  /** Calls `mirror` with every turn once it is durable and answered. */
  mirror(mirror: (turn: RecordedTurn) => void): () => void {
    this.#mirrors.add(mirror);
    return () => void this.#mirrors.delete(mirror);
  }

  // ------------------------------------------------------------------ control, between two messages

  /** Ends the life at once. The supervisor reacts as to any abnormal exit. */
  kill(message: string): void {
    const phase = this.#phase;
    const reason: ExitReason = { name: "killed", message };
    if (phase.name === "up") phase.life.end(reason);
    else if (phase.name === "starting" && !this.#between.isHeld) this.#exited(reason, undefined);
  }

  /** Restarts a parked or stopped agent with a clean restart window. */
  revive(): void {
    this.#ends.revived();
    if (this.#phase.name !== "down") return;
    this.#phase = { name: "asleep" };
    this.#supervise({ type: "restart_asked" });
  }

  /** Orderly stop: the message in work is finished, `stop` runs within the shutdown time, waiting messages fail. */
  async stop(reason: ExitReason): Promise<void> {
    await this.#between.run(async () => {
      if (this.#phase.name === "down" && !this.#phase.isParked) return;
      const life = this.life;
      if (life !== undefined)
        await lastWords(life, { spec: this.spec, reason, clock: this.#host.clock, complain: this.#complain });
      await this.#settledCommits();
      life?.discard();
      this.#child.decide({ type: "terminated" });
      this.#child.notify(reason, false);
      this.#host.events.emit({ type: "agent.stopped", agent: this.id, reason });
      this.#down({ reason, isParked: false });
      if (this.spec.restart === "temporary") this.#host.forgotten(this.id);
    });
  }

  /** Names the present state. Durable when it resolves. */
  async snapshot(label: string): Promise<Snapshot> {
    return this.#between.run(async () => {
      const commit = this.#host.vault.commit([{ type: "snapshot", branch: this.branch.id, label }], {
        durability: "disk",
      });
      this.#lastCommit = commit;
      await commit.durable;
      return { label, seq: commit.seq, timeMs: this.#host.clock.now() };
    });
  }

  /**
   * Replaces the life between two messages. `prepare` loads the new one, commits what belongs to it, and returns it; if it
   * throws, the old life goes on as if nothing had happened, or, after `loadFrom`, the next message starts what that named.
   * Returns how long no message could be started, in ms.
   */
  async replace(prepare: (load: AgentLoader) => Promise<Incarnation>): Promise<number> {
    return this.#between.run(async () => {
      const started = this.#host.clock.monotonicMs();
      const phase = this.#phase;
      if (phase.name === "down" && !phase.isParked) throw this.#child.downError(phase);
      const life = await prepare(this.#loader());
      if (!this.#child.isUp) this.#child.decide({ type: "restart_asked" });
      this.life?.discard();
      this.#code.moveTo(this.branch);
      this.#up(life, started);
      return this.#host.clock.monotonicMs() - started;
    });
  }

  /** The vault holds another state: the life before, which knows nothing of it, must not write again, whatever comes next. */
  #moveTo(branch: Branch): void {
    const { life } = this;
    if (life !== undefined) {
      life.discard();
      this.#phase = { name: "asleep" };
    }
    this.#code.moveTo(branch);
    this.reconfigure({ ...this.spec, ...readSpec(branch), id: this.id });
  }

  /** From here on it is supervised and limited like this; the isolate's own limits are those of the life that was loaded with them. */
  reconfigure(spec: AgentSpec): void {
    this.spec = spec;
    this.#mailbox.capacity = spec.limits.mailboxMax;
    this.#child.reconfigure({ ...spec, id: this.id });
  }

  #loader(): AgentLoader {
    return {
      settled: () => this.#settledCommits(),
      load: (options) => this.#load(options),
      loadFrom: async (branch) => {
        this.#moveTo(branch);
        const { current, artifact } = this.#code.required();
        return this.#load({ artifact, profile: current.profile });
      },
      migrationOps: (life, fromVersion) =>
        migrationOps(life, { agent: this.id, fromVersion, nowMs: this.#host.clock.now() }),
    };
  }
}
