/**
 * One agent: a name, a mailbox, a line of state in the vault, and one life (`Incarnation`) at a time. The agent outlives
 * every life; what it keeps between two of them is the mailbox here and the branch in the vault.
 *
 *   asleep --(message, spawn, restart)--> starting --> up --(exit)------> held --(keeper: launch | hold | park | settle)
 *     ^                                      |         | `--(stop)------> down
 *     `---(its cell or the disk was at fault: re-homed, from the second time on after a wait)
 *
 * Invariants
 * 1. At most one life takes messages; a newer one has a higher epoch, and the vault refuses the older one's writes.
 * 2. A life is loaded only after every commit of the one before is settled: it never starts from state that is undone.
 * 3. Stop, snapshot, swap, restore and fork happen one after the other, between two messages.
 * 4. Every accepted message is settled: answered, failed, or (a cast that nobody can run) set aside among the dead letters;
 *    casts that wait when a temporary agent ends in order are discarded, with an event.
 */
import { isReserved, type Artifact } from "../sandbox/index.ts";
import type { Branch, Commit, Snapshot } from "../vault/index.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import { readSpec } from "./agent-record.ts";
import { AgentCode } from "./agent-code.ts";
import type { AgentOptions, AgentPhase } from "./agent-phase.ts";
import { isBusy, phaseName } from "./agent-phase.ts";
import { BetweenTurns } from "./between-turns.ts";
import type { AgentHost, AgentLoader } from "./agent-host.ts";
import type { Down } from "./down.ts";
import { STOPPED_MEANWHILE, downError, fullError } from "./down.ts";
import { DiskDelay } from "./disk-delay.ts";
import type { ExitReason } from "./exit-reason.ts";
import { isCharged, killReason } from "./exit-reason.ts";
import { LINKS_MAX } from "./exit-signals.ts";
import { errorReason } from "./faults.ts";
import type { Incarnation } from "./incarnation.ts";
import { LadderKeeper } from "./ladder-keeper.ts";
import { lastWords } from "./last-words.ts";
import { HANDED_OVER } from "./handover.ts";
import type { LifeHooks } from "./life-host.ts";
import { lifeHostOf } from "./life-host.ts";
import { LifeLoader } from "./life-loader.ts";
import { Lives } from "./lives.ts";
import type { Urgency } from "./mailbox.ts";
import { Mailbox } from "./mailbox.ts";
import { MessageEnds } from "./message-ends.ts";
import type { Caller, Message } from "./message.ts";
import { Monitors } from "./monitors.ts";
import { heldFor, unhold } from "./rehoming.ts";
import { relocate } from "./relocation.ts";
import { armShutdown } from "./shutdown-time.ts";
import { SoloKeeper } from "./solo-keeper.ts";
import type { TrafficRecorder } from "./traffic.ts";
import { Replies } from "./traffic-replies.ts";

/** Messages handed to an isolate ahead of their turn, so that the pipe never runs dry. */
const INFLIGHT_MAX = 32;
/** Signals find room in a full mailbox. */
const URGENCY: Urgency<Message> = { urgentMax: LINKS_MAX, isUrgent: ({ method }) => isReserved(method) };

/** A named, supervised, stateful actor. */
export class Agent {
  readonly id: string;
  readonly traffic: TrafficRecorder;
  readonly replies: Replies = new Replies();
  spec: AgentSpec;
  readonly #code: AgentCode;
  #phase: AgentPhase = { name: "asleep" };
  readonly #keeper: LadderKeeper;
  /** Whoever watches its exits. */
  readonly monitors: Monitors;
  /** A start was asked for that has neither succeeded nor failed yet. */
  #isDue = false;
  readonly #lives: Lives;
  readonly #loading: LifeLoader;
  #hasLived = false;
  readonly #disk: DiskDelay;
  readonly #host: AgentHost;
  readonly #mailbox: Mailbox<Message>;
  /** What becomes of messages that no turn answers. */
  readonly ends: MessageEnds;
  readonly #between: BetweenTurns;
  readonly #lazyStart = (): Promise<void> => this.#startAgain();
  readonly #complain: (text: string) => void;

  /** `keeper` decides about its lives; without one the agent stands alone. */
  constructor(host: AgentHost, options: AgentOptions) {
    this.id = options.id;
    this.spec = options.spec;
    this.#host = host;
    this.traffic = host.traffic.recorder(options.id);
    this.#code = new AgentCode(options.id, options.branch);
    this.#mailbox = new Mailbox(options.spec.limits.mailboxMax, URGENCY);
    this.monitors = new Monitors(options.id, (reason) => host.kin.exited(options.id, reason));
    const keeper = options.keeper ?? new SoloKeeper(this, { ...options.spec, id: options.id }, host);
    const steps = { onMoved: () => this.#moveTo(this.branch), onEnd: () => this.#between.nudge() };
    this.#keeper = new LadderKeeper(this, { keeper, host, ...steps });
    this.#lives = new Lives(options.id, host);
    this.#disk = new DiskDelay(host.vault, () => this.#pump());
    this.#between = new BetweenTurns({
      isBusy: () => isBusy(this.#phase, this.#keeper),
      onRelease: () => (this.#isDue ? this.wake() : this.#pump()),
    });
    this.#complain = (text) => host.events.emit({ type: "agent.logged", agent: this.id, level: "warn", text });
    this.#loading = new LifeLoader({
      host: lifeHostOf(this, host, this.#hooks()),
      code: this.#code,
      lives: this.#lives,
      after: options.after,
      rescue: (error) => this.#keeper.rescue(errorReason(error)),
      now: () => this,
    });
    this.ends = new MessageEnds(this, host);
  }

  get branch(): Branch {
    return this.#code.branch;
  }
  get phase(): ReturnType<typeof phaseName> {
    return phaseName(this.#phase);
  }
  get downReason(): ExitReason | undefined {
    return this.#phase.name === "down" ? this.#phase.reason : undefined;
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
  /** What has to be settled before another life may begin. */
  get lastCommit(): Commit | undefined {
    return this.life?.lastCommit ?? this.#loading.lastCommit;
  }
  get mailboxLength(): number {
    return this.#mailbox.length + (this.life?.inflight ?? 0);
  }
  /** True when its name is in use: it lives, sleeps between two lives, or is about to live. */
  get isTaken(): boolean {
    const phase = this.#phase;
    if (phase.name === "down" && !phase.isParked) return false;
    return this.#between.isHeld || phase.name === "starting" || (phase.name !== "down" && this.#hasLived);
  }
  /** Lives begun after another one had ended, for whatever reason. */
  get restarts(): number {
    return this.#lives.restarts;
  }

  // ------------------------------------------------------------------ messages

  /**
   * Accepts a message into the mailbox. A call with the id of one that is under way joins that one, which is returned.
   * Throws RUNTIME_MAILBOX_FULL, RUNTIME_MESSAGE_QUARANTINED, RUNTIME_AGENT_DOWN, RUNTIME_INTENSITY_EXCEEDED.
   */
  accept(message: Message, caller?: Caller): Message {
    const phase = this.#phase;
    if (phase.name === "down") throw downError(this.spec, phase);
    const sent = this.#underWay(message.callId) ?? message;
    if (caller !== undefined) sent.callers.add(caller);
    if (sent !== message) return sent;
    this.ends.admit(message);
    if (!this.#mailbox.push(message)) throw fullError(this.id, this.#mailbox.capacity);
    if (phase.name === "up") this.#pump();
    else if (phase.name === "asleep") this.wake();
    return message;
  }

  /** The call with this id that is waiting or running, or whose reply is withheld. */
  #underWay(callId: string | undefined): Message | undefined {
    if (callId === undefined) return undefined;
    const isIt = (message: Message): boolean => message.callId === callId;
    return this.life?.find(isIt) ?? this.#mailbox.find(isIt) ?? this.replies.find(isIt);
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
   * `before` had the name until now, and gives way when its own work is done; no message wakes this one meanwhile.
   */
  async begin(artifact: Artifact, spec: AgentSpec, before?: Agent): Promise<void> {
    const begin = async (): Promise<void> => {
      const started = this.#host.clock.monotonicMs();
      this.#phase = { name: "starting" };
      try {
        const { life, isNewMeasure } = await this.#loading.loadFirst(artifact, spec, this.#host.clock.now());
        if (isNewMeasure) this.traffic.clear();
        this.spec = spec;
        this.#up(life, started);
      } catch (error) {
        this.#retire(errorReason(error));
        throw error;
      }
    };
    await this.#between.run(() => before?.giveWay(begin) ?? begin());
  }

  /** Keeps this agent, which has no life, from getting one while `successor` begins, and for good once that has begun. */
  async giveWay(successor: () => Promise<void>): Promise<void> {
    const retire = (): void => this.#retire({ name: "shutdown", message: "it was spawned again" });
    await this.#between.run(() => successor().then(retire));
  }

  #retire(reason: ExitReason): void {
    this.#keeper.retire();
    this.#down({ reason, isParked: false });
  }

  // ------------------------------------------------------------------ lives

  /** A life that is loaded takes over. */
  #up(life: Incarnation, startedMs: number): void {
    unhold(this.#phase);
    this.#phase = { name: "up", life };
    this.#hasLived = true;
    this.#started(life, startedMs);
    const reason: ExitReason = { name: "cell_lost", message: "its cell was lost as it started" };
    if (life.isOver && this.life === life) this.#exited(reason, undefined, life);
  }

  #started(life: Incarnation, startedMs: number): void {
    const { clock, events } = this.#host;
    const { cellId: cell, epoch } = life;
    const hash = life.options.artifact.hash;
    const nowMs = clock.monotonicMs();
    events.emit({ type: "agent.started", agent: this.id, cell, hash, epoch, durationMs: nowMs - startedMs });
    this.#isDue = false;
    this.#lives.up();
    this.#keeper.started();
    this.#between.nudge();
  }

  /**
   * A start that nobody awaits: a restart, or a message for a sleeping agent. Messages are handed over while the code still
   * loads, so the first answer costs no second way there and back. Never rejects.
   */
  async #startAgain(): Promise<void> {
    if (this.#phase.name !== "asleep" || this.#between.isHeld) return;
    const started = this.#host.clock.monotonicMs();
    const starting: AgentPhase = { name: "starting" };
    this.#phase = starting;
    try {
      const life = await this.#loading.place();
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

  async #awaitReady(life: Incarnation, startedMs: number): Promise<void> {
    try {
      await life.ready();
    } catch (error) {
      return await life.fail(error); // reports through `ended`, unless this life was ended meanwhile
    }
    if (this.life === life) this.#started(life, startedMs);
  }

  /** Asked of a function, because the phase changes while we wait and the type checker cannot know. */
  readonly #isStill = (phase: AgentPhase): boolean => this.#phase === phase;

  /** Hands waiting messages to the isolate as long as there is room. */
  #pump(): void {
    const phase = this.#phase;
    if (phase.name === "asleep" && this.#mailbox.length > 0) return this.wake();
    if (phase.name !== "up" || this.#between.isHeld) return;
    while (phase.life.inflight < INFLIGHT_MAX && !this.#disk.isDelayed()) {
      const message = this.#mailbox.shift();
      if (message === undefined) return;
      if (!this.ends.refuses(message)) phase.life.run(message);
    }
  }

  #hooks(): LifeHooks {
    return {
      advanced: () => {
        this.#between.nudge();
        this.#pump();
      },
      failed: (message, reason) => this.ends.failed(message, reason),
      relocate: (life) => relocate(this, life),
      ended: (life, reason, returned, failed) => {
        this.#mailbox.unshift(this.ends.returned(returned));
        if (this.life === life) this.#exited(reason, failed?.method, life);
        this.#between.nudge();
      },
    };
  }

  /** A life is over, or did not come up. What is not the agent's doing is between it and its cell; all else is its keeper's. */
  #exited(reason: ExitReason, method: string | undefined, life?: Incarnation): void {
    const { events } = this.#host;
    this.#loading.lastCommit = life?.lastCommit ?? this.#loading.lastCommit;
    this.#phase = { name: "held" };
    this.#isDue = false;
    this.#host.starts.remove(this.#lazyStart);
    if (reason === HANDED_OVER) return this.launch("lazily"); // no exit: nobody decides, and nobody is told
    this.#lives.ended(reason, this.spec);
    const told = { agent: this.id, reason, hash: this.artifact?.hash ?? "" };
    if (isCharged(reason)) {
      events.emit({ type: "agent.exited", ...told, ...(method === undefined ? {} : { message: method }) });
      this.monitors.exited(reason);
      this.#keeper.exited(reason);
    } else {
      events.emit({ type: "agent.rehomed", ...told });
      this.#rehome();
    }
    this.#between.nudge();
  }

  /** Starts again without asking anybody: at once, then after ever longer waits while no life comes up. */
  #rehome(): void {
    const waitMs = this.#lives.rehomingMs();
    if (waitMs === 0) return this.launch("lazily");
    const launch = (): void => this.launch("lazily");
    this.#phase = heldFor(waitMs, { clock: this.#host.clock, isStill: this.#isStill, launch });
  }

  // ------------------------------------------------------------------ what the keeper decides

  /** Starts a life: now, or when a message or a free place asks for it. */
  launch(how: "now" | "lazily"): void {
    if (this.#phase.name !== "held" && this.#phase.name !== "down" && this.#phase.name !== "asleep") return;
    this.monitors.tell(true);
    this.#lives.next();
    this.#isDue = true;
    this.#phase = { name: "asleep" };
    this.#between.nudge(); // what waits for a decision goes on, and lets the start through
    if (how === "now" || this.#mailbox.length > 0) this.wake();
    else this.#host.starts.add(this.#lazyStart);
  }

  /** The next try at a start comes later. */
  hold(): void {
    this.monitors.tell(true);
  }

  /** It failed too often: down until it is revived. */
  park(reason: ExitReason): void {
    if (this.#host.kin.has(this.id)) return this.settle(reason, true);
    this.monitors.over(reason);
    this.#host.events.emit({ type: "agent.parked", agent: this.id, reason });
    this.#down({ reason, isParked: true });
  }

  /** It is down for good, or until somebody asks for it again. */
  settle(reason: ExitReason, isForgotten: boolean): void {
    if (this.phase === "down") return; // who heard of its exit has ended it
    this.monitors.over(reason);
    this.#host.events.emit({ type: "agent.stopped", agent: this.id, reason });
    this.#down({ reason, isParked: false });
    if (isForgotten || this.#host.kin.has(this.id)) this.#host.forgotten(this.id);
  }

  /** Takes no messages from here on; those that wait are failed, and casts among them set aside. */
  #down(down: Down): void {
    unhold(this.#phase);
    this.#phase = { name: "down", ...down };
    this.#between.nudge();
    this.#isDue = false;
    this.#lives.down();
    this.#host.starts.remove(this.#lazyStart);
    const error = downError(this.spec, down);
    this.ends.leftOver(this.#mailbox.drain(), { reason: down.reason, error });
  }

  // ------------------------------------------------------------------ control, between two messages

  /** Ends the life at once. The supervisor reacts as to any abnormal exit. */
  kill(cause: string | ExitReason): void {
    const phase = this.#phase;
    if (phase.name === "up") phase.life.end(killReason(cause));
    else if (phase.name === "starting" && !this.#between.isHeld) this.#exited(killReason(cause), undefined);
  }

  /** Its keeper takes it down now, also where it has no life at the moment. False: it is being begun and must come up first. */
  killNow(cause: string | ExitReason): boolean {
    const { name } = this.#phase;
    if (name === "starting" && this.#between.isHeld) return false;
    if (name === "up" || name === "starting") this.kill(cause);
    else if (name === "asleep" || unhold(this.#phase)) this.#exited(killReason(cause), undefined);
    return true;
  }

  /** It is over for good, whatever it is doing, and its name is free. False: it was down already. */
  end(reason: ExitReason): boolean {
    if (this.#phase.name === "down" && !this.#phase.isParked) return false;
    const { exits } = this.monitors;
    this.killNow(reason);
    this.#keeper.retire();
    // Between two lives it had none to exit, and others may hang on it all the same.
    if (this.phase !== "down" && this.monitors.exits === exits) this.monitors.exited(reason);
    this.settle(reason, true);
    return true;
  }

  /** Restarts a parked or stopped agent with a clean restart window. */
  async revive(): Promise<void> {
    this.ends.revived();
    if (this.#phase.name === "down") await this.#keeper.revive();
  }

  /**
   * Orderly stop: the message in work is finished within the shutdown time, or fails; then `stop` runs within that time.
   * Waiting messages fail.
   */
  async stop(reason: ExitReason): Promise<void> {
    const stopped = this.#keeper.stop(reason);
    if (stopped !== "by_itself") return stopped;
    const { shutdownMs } = this.spec;
    const late = `it was to stop, and its turn took longer than its shutdown time (${shutdownMs} ms)`;
    const timer = armShutdown(this.#host.clock, shutdownMs, () => this.kill(late));
    await this.#between.run(async () => {
      timer?.cancel();
      if (this.#phase.name === "down" && !this.#phase.isParked) return;
      await this.#endLife(reason);
      if (this.phase === "down") return; // ended meanwhile
      this.#keeper.retire();
      this.monitors.exited(reason);
      this.settle(reason, this.spec.restart === "temporary");
    });
  }

  /** The keeper wants this life to end in order; its exit says when. Nothing happens when it is no longer wanted by then. */
  async finish(reason: ExitReason, isWanted: () => boolean): Promise<void> {
    await this.#between.run(async () => {
      const phase = this.#phase;
      const { life } = this;
      if (!isWanted() || phase.name === "down" || (phase.name === "held" && !unhold(phase))) return;
      await this.#endLife(reason);
      if (this.#isStill(phase)) this.#exited(reason, undefined, life);
    });
  }

  async #endLife(reason: ExitReason): Promise<void> {
    const { life } = this;
    await this.#host.kin.stopping(this.id, { reason, withinMs: this.spec.shutdownMs });
    if (life !== undefined)
      await lastWords(life, { spec: this.spec, reason, clock: this.#host.clock, complain: this.#complain });
    await this.#loading.settled();
    life?.discard();
  }

  /** Names the present state. Durable when it resolves. */
  async snapshot(label: string): Promise<Snapshot> {
    return this.#between.run(async () => {
      const commit = this.#host.vault.commit([{ type: "snapshot", branch: this.branch.id, label }], {
        durability: "disk",
      });
      this.#loading.lastCommit = commit;
      await commit.durable;
      return { label, seq: commit.seq, timeMs: this.#host.clock.now() };
    });
  }

  /**
   * Replaces the life between two messages. `prepare` loads the new one, commits what belongs to it, and returns it; if it
   * throws, the old life goes on as if nothing had happened, or, after `loadFrom`, the next message starts what that named.
   * Returns how long no message could be started, in ms. The new life is dropped where `isWanted` says so once it is ready.
   */
  async replace(
    prepare: (load: AgentLoader) => Promise<Incarnation>,
    isWanted: () => boolean = () => true,
  ): Promise<number> {
    return this.#between.run(async () => {
      const started = this.#host.clock.monotonicMs();
      const phase = this.#phase;
      if (phase.name === "down" && !phase.isParked) throw downError(this.spec, phase);
      const life = await prepare(this.#loading.forReplacement((branch) => this.#moveTo(branch)));
      // Killed for good meanwhile, it may have given up its name: a life would be nobody's.
      if (this.phase === "down" || !isWanted() || !this.#keeper.adopt()) {
        life.discard();
        throw downError(this.spec, STOPPED_MEANWHILE);
      }
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
    this.#keeper.reconfigure(spec);
  }
}
