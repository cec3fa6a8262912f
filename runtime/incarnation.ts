/**
 * One life of an agent in one isolate: from loading its code to the end of the isolate. This is where a message becomes
 * a transaction.
 *
 *   run(message) -> isolate -> outcome -- done --> commit(ops) -- durable --> reply, casts, checkpoints leave
 *                                      -- threw -> caller gets the error (call) | the life ends (cast)
 *                                      -- limit -> caller gets the error, the life ends
 *                                      -- lost --> the life ends; untouched messages go back to the mailbox
 *
 * Invariants
 * 1. Nothing leaves (reply, cast, question to the outside) before every commit of this life so far is durable: the
 *    output gate (the idea is Cloudflare's `io-gate.h`). The next turn may already run meanwhile.
 * 2. A message is run a second time only when all it asked may be asked again: calls (whose answers are kept,
 *    `ask-ledger.ts`) and whatever lies within steps (`turn-steps.ts`).
 * 3. When the vault refuses or loses a commit, this life is ahead of the disk and ends.
 * 4. It ends exactly once and reports that once.
 */
import { isHostVerb, isStepVerb, SandboxError } from "../sandbox/index.ts";
import type {
  Artifact,
  CellExit,
  GuestLog,
  IsolateLimits,
  Loaded,
  Outbound,
  Outcome,
  Resident,
} from "../sandbox/index.ts";
import type { Action, Branch, Clock, Commit, Durability, Op, Vault } from "../vault/index.ts";
import { askOnce, beginRun } from "./ask-ledger.ts";
import { draftOps, stateEntries } from "./agent-record.ts";
import { CallIds, leavesTrace, recordedReply } from "./call-ids.ts";
import type { HostGrants } from "./capabilities/grants.ts";
import type { Profile } from "./cell-groups.ts";
import type { CellPool, LiveTenant } from "./cell-pool.ts";
import type { ExitReason } from "./exit-reason.ts";
import { errorReason, faultReason, handlerError, limitError, lostError } from "./faults.ts";
import type { FaultPlace } from "./faults.ts";
import { placedLoad } from "./load-error.ts";
import { lifeOf } from "./handover.ts";
import type { Asked, AskAnswer, Message } from "./message.ts";
import { callOff, endsWithCell, isAbandoned, noteOf, settleMessage } from "./message.ts";
import type { Outgoing, TurnPlace } from "./outgoing.ts";
import { Questions } from "./questions.ts";
import { RowReads } from "./row-reads.ts";
import { guiltOf } from "./suspicion.ts";
import type { RecordedTurn } from "./traffic.ts";
import type { StepsRoom } from "./turn-steps.ts";
import { TurnSteps } from "./turn-steps.ts";
import { loadEntropy, ownTurn, recordedTurn, turnOf } from "./turn-chance.ts";

/** What a life needs from its agent. */
export interface IncarnationHost {
  readonly id: string;
  readonly vault: Vault;
  readonly pool: CellPool;
  readonly clock: Clock;
  readonly steps: StepsRoom;
  /** What the chance of an agent's first state begins with; another each time. */
  firstSeed(): number;
  /** Answers a question of a running turn. Never rejects. */
  ask(question: Asked): Promise<AskAnswer>;
  /** Prepares one entry of a turn's outbox. Never throws for what it says. */
  outgoing(place: TurnPlace, entry: Outbound): Outgoing;
  /** Tells what agent code logged there. */
  log(place: FaultPlace, lines: readonly GuestLog[]): void;
  /** A turn is complete; called before it is durable. */
  turned(turn: RecordedTurn): void;
  /** A turn that ended well is durable: its reply leaves. `epoch`: of its life; undefined where that is over. */
  answered(message: Message, turn: RecordedTurn, epoch: number | undefined): void;
  /** The turn is durable and its reply is out, or withheld. */
  published(turn: RecordedTurn): void;
  /** Nothing is in flight, or one less than before. */
  advanced(): void;
  /** The life ends, or had ended, and with it this message, in work or not durable; its callers are told next. */
  failed(message: Message, reason: ExitReason): void;
  /** Its cell is to be replaced: the agent moves. True when it did. */
  relocate(life: Incarnation): Promise<boolean>;
  /** The life of this epoch is over, however it ended: what it held outside may go. */
  over(epoch: number): void;
  /** What a guest with these grants is shown. */
  surface(grants: HostGrants | undefined): string;
  /** The life is over. `returned` goes back to the mailbox, in order; `failed` is the message it died of. */
  ended(life: Incarnation, reason: ExitReason, returned: readonly Message[], failed: Message | undefined): void;
}

/** What to load, and where. */
export interface IncarnationOptions {
  readonly branch: Branch;
  readonly artifact: Artifact;
  readonly profile: Profile;
  /** With whom it may share a cell; absent: with all who name no domain. */
  readonly domain?: string | undefined;
  readonly limits: IsolateLimits;
  readonly durability: Durability;
  /** What `ctx.text` is. */
  readonly text: string;
  /** What `ctx.host` shows; "" where nothing is granted. */
  readonly host: string;
  /** What `ctx.used` may sum up to before the agent hands over. */
  readonly contextBudget?: number | undefined;
  /** Absent: seeded. */
  readonly random?: "real" | undefined;
  /** In a cell of its own: it has cost several. */
  readonly isAlone: boolean;
  /** Behind all others: its turns overran their time. */
  readonly isHeldBack?: boolean | undefined;
}

/** A life in an isolate. Made by `load`; takes messages once its agent has made it current. */
export class Incarnation implements LiveTenant {
  readonly options: IncarnationOptions;
  readonly #host: IncarnationHost;
  #resident: Resident | undefined;
  #loaded: Loaded | undefined;
  #epoch = 0;
  #turns = 0;
  #lastCommit: Commit | undefined;
  #callIds: CallIds | undefined;
  #isOver = false;
  /** What a turn ended this life for, until its commit is durable; what comes behind that turn returns to the mailbox. */
  #exit: ExitReason | undefined;
  #heapBytes = 0;
  readonly #inflight: Message[] = [];
  readonly #questions: Questions;
  readonly #reads: RowReads;
  readonly #steps: TurnSteps;

  private constructor(host: IncarnationHost, options: IncarnationOptions) {
    this.#host = host;
    this.options = options;
    this.#questions = this.#makeQuestions();
    this.#steps = this.#makeSteps();
    this.#reads = new RowReads({ view: options.branch, inflight: this.#inflight, resident: () => this.#resident });
  }

  /**
   * Places the code in a cell with the branch's state. It loads there while this resolves; messages may be handed over at
   * once and run behind the load. Rejects when no cell can be had.
   */
  static async place(host: IncarnationHost, options: IncarnationOptions): Promise<Incarnation> {
    const life = new Incarnation(host, options);
    life.#resident = await host.pool[options.isAlone ? "placeApart" : "place"](options, life, {
      agent: host.id,
      artifact: options.artifact,
      limits: options.limits,
      text: options.text,
      host: options.host,
      entropy: loadEntropy(options.random),
      life: lifeOf(options.branch, options.contextBudget),
      state: stateEntries(options.branch),
      onAsk: (question) => life.#questions.put(question),
      onRead: (read) => life.#reads.put(read),
      onTaken: () => life.#reads.serve(),
      onLogged: (logs) => host.log(life.#place("load"), logs),
    });
    return life;
  }

  /**
   * Places and waits until the code is loaded. Nothing is written and no message is taken yet.
   * Rejects with the sandbox's error (SANDBOX_LOAD_FAILED, SANDBOX_CELL_LOST, ...) and leaves nothing behind.
   */
  static async load(host: IncarnationHost, options: IncarnationOptions): Promise<Incarnation> {
    const life = await Incarnation.place(host, options);
    try {
      await life.ready();
      return life;
    } catch (error) {
      life.discard();
      throw error;
    }
  }

  /** Resolves when the code is loaded. Rejects with the sandbox's error. */
  async ready(): Promise<void> {
    if (this.#resident === undefined) throw new Error("not placed");
    this.#loaded = await placedLoad(this.#resident.loaded, this.options.artifact);
    this.#heapBytes = this.#loaded.heapBytes;
  }

  /** Whether the code is loaded. */
  get isLoaded(): boolean {
    return this.#loaded !== undefined;
  }
  get loaded(): Loaded {
    if (this.#loaded === undefined) throw new Error("not loaded");
    return this.#loaded;
  }
  get cellId(): string {
    return this.#resident?.cell.id ?? "";
  }
  get cellPid(): number | undefined {
    return this.#resident?.cell.pid;
  }
  get heapBytes(): number {
    return this.#heapBytes;
  }
  get epoch(): number {
    return this.#epoch;
  }
  /** Loaded, nothing in flight, and not about to end. */
  get isIdle(): boolean {
    return this.isLoaded && this.#inflight.length === 0 && this.#exit === undefined;
  }
  get inflight(): number {
    return this.#inflight.length;
  }
  /** The message in flight that matches. */
  find(matches: (message: Message) => boolean): Message | undefined {
    return this.#inflight.find(matches);
  }
  get isOver(): boolean {
    return this.#isOver;
  }
  /** The newest commit of this life; a later life must wait until it is settled. */
  get lastCommit(): Commit | undefined {
    return this.#lastCommit;
  }

  /** From here on only this life may write to the branch. */
  fence(): number {
    this.#epoch = this.options.branch.fence();
    return this.#epoch;
  }

  /** Runs a turn of the runtime's own (init, migrate, stop) and returns the changes it made. Throws when it threw. */
  async runOwn(kind: "init" | "migrate" | "stop", text: string, nowMs: number): Promise<Op[]> {
    const resident = this.#resident;
    if (resident === undefined) throw new Error("not loaded");
    const chance = { random: this.options.random, seed: () => this.#host.firstSeed() };
    const outcome = await resident.run(ownTurn({ id: ++this.#turns, kind, text, nowMs }, chance));
    switch (outcome.kind) {
      case "done":
        this.#host.log(this.#place(kind), outcome.logs);
        return draftOps(outcome);
      case "threw":
        this.#host.log(this.#place(kind), outcome.logs);
        throw handlerError(this.#place(kind), outcome.fault);
      case "exceeded":
        throw new SandboxError(outcome.code, `${this.#host.id}.${kind}: ${outcome.message}`);
      case "lost":
        throw lostError(this.#place(kind), { name: "cell_lost", message: outcome.message });
    }
  }

  /** Hands a message to the isolate; a call whose id was committed before gets its recorded reply instead. */
  run(message: Message): void {
    const resident = this.#resident;
    if (resident === undefined || this.#isOver) throw new Error("this life takes no messages");
    const known = message.callId === undefined ? undefined : recordedReply(this.options.branch, message.callId);
    if (known !== undefined) return this.#repeat(message, known);
    message.progress = "running";
    message.turn = ++this.#turns;
    beginRun(message);
    this.#inflight.push(message);
    // Resident.run never rejects; its outcome is the whole story.
    void resident.run(turnOf(message, this.options.random)).then((outcome) => this.#settle(message, outcome));
  }

  /** Writes state changes, code records or snapshots in this life's name. Throws what the vault throws. */
  commit(actions: readonly Action[], durability: Durability, note?: Uint8Array): Commit {
    const options = note === undefined ? { durability } : { durability, note };
    this.#lastCommit = this.#host.vault.commit(actions, options);
    return this.#lastCommit;
  }

  /** Ends the calls that its turns have open, so that a turn that waits can come to its end. */
  callOff(why: string): void {
    for (const message of this.#inflight) callOff(message, why);
  }

  /** Ends this life for a reason given from outside. The message being worked on fails, the others return. */
  end(reason: ExitReason): void {
    const first = this.#exit === undefined ? this.#inflight[0] : undefined;
    this.#end(reason, first);
  }

  /**
   * Ends this life because its code could not be loaded; what was handed to it returns. When the cell was lost, the process
   * must be gone before the suspects are known: an agent that costs a cell by loading is charged for it.
   */
  async fail(error: unknown): Promise<void> {
    const code = (error as { readonly code?: unknown }).code; // a property that may not be there
    const exit = code === "SANDBOX_CELL_LOST" ? await this.#resident?.cell.exited : undefined;
    if (exit === undefined) return this.#end(errorReason(error), undefined);
    const isGuilty = exit.suspects.includes(this.#host.id);
    const name = isGuilty ? "cell_lost_suspect" : "cell_lost";
    this.#end({ ...errorReason(error), name, ...guiltOf(exit, isGuilty) }, undefined);
  }

  /** Lets the isolate go without a word: a life that never took messages, or has none in flight. */
  discard(): void {
    this.#isOver = true;
    this.#leave();
  }

  onCellDue(): Promise<boolean> {
    return this.#host.relocate(this);
  }

  onCellLost(exit: CellExit): void {
    // `ready` rejects, or nobody is interested any more, or it is ending already.
    if (this.#loaded === undefined || this.#isOver || this.#exit !== undefined) return;
    const isSuspect = exit.suspects.includes(this.#host.id);
    const first = this.#inflight[0];
    if (isSuspect && first !== undefined) first.cellsLost += 1;
    const failed = first !== undefined && endsWithCell(first, isSuspect) ? first : undefined;
    const name = isSuspect ? "cell_lost_suspect" : "cell_lost";
    const message = `cell ${exit.reason}: ${exit.detail}`;
    this.#end({ name, code: "SANDBOX_CELL_LOST", message, ...guiltOf(exit, isSuspect) }, failed);
  }

  #settle(message: Message, outcome: Outcome): void {
    if (this.#isOver || this.#exit !== undefined) return; // the message was failed or returned when this life ended, or will be
    switch (outcome.kind) {
      case "done":
        return this.#done(message, outcome);
      case "threw":
        return this.#threw(message, outcome);
      case "exceeded": {
        this.#host.log(this.#place(message.method), outcome.logs ?? []);
        const error = limitError(this.#place(message.method), outcome);
        const text = `${message.method}: ${outcome.message}`;
        return this.#end({ name: "limit", code: outcome.code, message: text }, message, error);
      }
      case "lost":
        // A lost cell is reported once, by onCellLost, which knows the suspects; a life whose load failed ends by `fail`.
        if (outcome.code === "SANDBOX_CELL_LOST" || this.#loaded === undefined) return;
        // The guest broke the protocol or cannot go on: the cell gave its isolate up.
        return this.#end(
          { name: "fault", code: outcome.code, message: `${message.method}: ${outcome.message}` },
          message,
        );
    }
  }

  #done(message: Message, outcome: Extract<Outcome, { readonly kind: "done" }>): void {
    this.#inflight.shift();
    this.#heapBytes = outcome.meter.heapBytes;
    this.#host.log(this.#place(message.method), outcome.logs);
    const turn = this.#record(message, { ok: true, reply: outcome.reply }, outcome.meter.cpuMs);
    const place = { agent: this.#host.id, branch: this.options.branch, epoch: this.#epoch, message };
    const sent = outcome.outbox.map((entry) => this.#host.outgoing(place, entry));
    const exit = sent.find((outgoing) => outgoing.exit !== undefined)?.exit;
    const fail = (error: unknown): void => {
      for (const { undo } of sent) undo?.();
      this.#storageFailed(message, error);
    };
    try {
      const actions = this.#actionsOf(place, outcome, sent); // reads the vault
      if (actions.length > 0) this.commit(actions, this.options.durability, noteOf(message));
    } catch (error) {
      return fail(error);
    }
    this.#host.turned(turn);
    this.#exit = exit;
    this.#gate(() => {
      this.#host.answered(message, turn, this.#isOver ? undefined : this.#epoch);
      for (const { leave } of sent) leave?.();
      this.#host.published(turn);
      if (exit !== undefined) this.#end(exit, undefined);
    }, fail);
    this.#advance(message);
  }

  #threw(message: Message, outcome: Extract<Outcome, { readonly kind: "threw" }>): void {
    this.#heapBytes = outcome.meter.heapBytes;
    const place = this.#place(message.method);
    this.#host.log(place, outcome.logs);
    if (message.kind === "cast") return this.#end(faultReason(place, outcome.fault), message);
    this.#inflight.shift();
    const { name, message: text } = outcome.fault;
    const turn = this.#record(message, { ok: false, name, message: text }, outcome.meter.cpuMs);
    this.#host.turned(turn);
    const error = handlerError(place, outcome.fault);
    this.#gate(
      () => {
        settleMessage(message, { error });
        this.#host.published(turn);
      },
      (failure) => this.#storageFailed(message, failure),
    );
    this.#advance(message);
  }

  /** A turn is over; the next one may put its questions and read its rows. */
  #advance(message: Message): void {
    callOff(message, "the turn that asked is over");
    this.#steps.over();
    this.#questions.advance();
    this.#reads.over(message.turn);
    this.#host.advanced();
  }

  /** The reply of a turn that is committed leaves as any other: when everything before it is durable. */
  #repeat(message: Message, reply: string): void {
    this.#gate(
      () => settleMessage(message, { text: reply }),
      (error) => this.#storageFailed(message, error),
    );
  }

  #actionsOf(
    place: TurnPlace,
    outcome: Extract<Outcome, { readonly kind: "done" }>,
    sent: readonly Outgoing[],
  ): Action[] {
    const { message } = place;
    const branch = this.options.branch.id;
    const actions: Action[] = [];
    const ops = draftOps(outcome);
    ops.push(...this.#steps.ops(message), ...sent.flatMap(({ ops }) => ops ?? []));
    if (message.callId !== undefined && leavesTrace(message, { ops, sent })) {
      this.#callIds ??= new CallIds(this.options.branch);
      ops.push(...this.#callIds.record(message.callId, outcome.reply));
    }
    if (ops.length > 0) actions.push({ type: "write", branch, ops, epoch: this.#epoch });
    for (const outgoing of sent) actions.push(...outgoing.actions);
    if (message.claims !== undefined) actions.push(...message.claims(place));
    return actions;
  }

  #record(message: Message, result: RecordedTurn["result"], cpuMs: number): RecordedTurn {
    return recordedTurn(message, { result, cpuMs, beforeSeq: this.options.branch.head });
  }

  /** The output gate: `release` once everything this life wrote so far is durable. */
  #gate(release: () => void, fail: (error: unknown) => void): void {
    const commit = this.#lastCommit;
    if (commit === undefined || commit.isDurable) return release();
    // Both outcomes are handled; what `release` throws is our own bug and must surface.
    void commit.durable.then(release, fail);
  }

  #storageFailed(message: Message, error: unknown): void {
    if (message.progress === "waiting") return; // it was in work as this life ended, and is run again
    this.#fail(message, errorReason(error), error instanceof Error ? error : new Error(String(error)));
    this.#end(errorReason(error), message);
  }

  #fail(message: Message, reason: ExitReason, error: Error): void {
    if (message.progress === "settled") return;
    this.#host.failed(message, reason);
    settleMessage(message, { error });
  }

  #makeQuestions(): Questions {
    return new Questions({
      inflight: this.#inflight,
      isOver: () => this.#isOver || this.#exit !== undefined,
      gate: (message, release) => this.#gate(release, (error) => this.#storageFailed(message, error)),
      isRepeatable: ({ verb, message }) =>
        verb === "call" || isStepVerb(verb) || isHostVerb(verb) || this.#steps.isInside(message),
      ask: (question) => (isStepVerb(question.verb) ? this.#steps.ask(question) : this.#ask(question)),
      answer: (turn, ask, answer) => this.#resident?.answer(turn, ask, answer),
    });
  }

  /** Never rejects. The answer is noted only when it reaches the run that asked. */
  async #ask(question: Asked): Promise<AskAnswer> {
    const { verb, text, message } = question;
    const answer = await askOnce(message, question, (nth) => this.#host.ask({ ...question, nth }));
    if (!this.#isOver) message.asks.push({ verb, text, answer });
    return answer;
  }

  #makeSteps(): TurnSteps {
    const { branch, limits, durability } = this.options;
    const { id, vault, clock, steps } = this.#host;
    return new TurnSteps({
      ...steps,
      agent: id,
      vault: vault.uuid,
      branch,
      limits,
      clock,
      epoch: () => this.#epoch,
      commit: (ops, note) =>
        this.commit([{ type: "write", branch: branch.id, ops, epoch: this.#epoch }], durability, note),
      failed: (message, error) => this.#storageFailed(message, error),
    });
  }

  #end(reason: ExitReason, failed: Message | undefined, error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const returned = this.#inflight.filter((message) => message !== failed && !isAbandoned(message));
    const asked = this.#inflight.splice(0);
    this.#steps.end();
    for (const message of returned) message.progress = "waiting";
    // What returns is run again and joins the calls that it has open.
    for (const message of asked) if (!returned.includes(message)) callOff(message, "the life that asked is over");
    if (failed !== undefined) this.#fail(failed, reason, error ?? lostError(this.#place(failed.method), reason));
    this.#leave();
    this.#host.ended(this, reason, returned, failed);
  }

  #leave(): void {
    if (this.#resident !== undefined) this.#host.pool.leave(this.#resident, this);
    this.#host.over(this.#epoch);
  }

  #place(method: string): FaultPlace {
    return { agent: this.#host.id, method, artifact: this.options.artifact };
  }
}
