/**
 * Topics and timers on a real vault, with agents whose turns end as the test says: committed, thrown, lost with their cell, or
 * undone by the disk. Time moves because the test moves it, and a crash of the process is a new set of objects on the same vault.
 */
import { encode } from "../../sandbox/index.ts";
import { packSubscription } from "../../sandbox/publication.ts";
import { packTimer } from "../../sandbox/timer.ts";
import type { Action, Branch, Vault } from "../../vault/index.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { EventStream } from "../../runtime/events.ts";
import type { PlanariaEvent } from "../../runtime/events.ts";
import type { Caller, Letter, Message } from "../../runtime/message.ts";
import { messageOf, settleMessage } from "../../runtime/message.ts";
import { OutgoingVerbs } from "../../runtime/outgoing.ts";
import type { Outgoing } from "../../runtime/outgoing.ts";
import { Timers } from "../../runtime/timers.ts";
import { Topics } from "../../runtime/topics.ts";
import { TurnWrites } from "../../runtime/turn-writes.ts";
import type { SimulatedClock } from "./simulated-clock.ts";
import { bytes } from "./temp-vault.ts";

/** How a turn ends. */
export type TurnEnd = "done" | "threw" | "lost" | "undone";

/** What an agent handled, in order; kept in its branch, in the turn's own commit. */
export interface Handled {
  readonly method: string;
  readonly text: string;
  /** Its turn threw: it was set aside, with its claims. */
  readonly isAside: boolean;
  /** Its turn moved nothing: the subscription or timer that it came from was gone. */
  readonly isStray: boolean;
  readonly atMs: number;
}

/** What may be bounded. */
export interface LabLimits {
  readonly mailboxMax?: number;
  readonly timersMax?: number;
  readonly subscriptionsMax?: number;
  readonly messageBytesMax?: number;
  readonly retain?: number;
  readonly topicsMax?: number;
}

/** Longest pause of a feed. */
const PAUSE_MS = 60_000;
/** Nothing moves any more when nothing moved for so many pauses. */
const IDLE_ROUNDS = 3;

/** See the header. */
export class LaterLab {
  readonly vault: Vault;
  readonly clock: SimulatedClock;
  readonly limits: Required<LabLimits>;
  /** All events of all lives of the process. */
  readonly told: PlanariaEvent[] = [];
  readonly #agents = new Map<string, LabAgent>();
  events!: EventStream;
  outgoing!: OutgoingVerbs;
  topics!: Topics;
  timers!: Timers;

  constructor(vault: Vault, clock: SimulatedClock, limits: LabLimits = {}) {
    this.vault = vault;
    this.clock = clock;
    const unbounded = { mailboxMax: 1_000, timersMax: 1_000, subscriptionsMax: 50, messageBytesMax: 1 << 20 };
    this.limits = { ...unbounded, retain: 1_000, topicsMax: 1_000, ...limits };
    this.start();
  }

  /** The process begins, or begins again: nothing is remembered but what the vault holds. */
  start(): void {
    const { vault, clock, limits } = this;
    for (const agent of this.#agents.values()) agent.forgetAll();
    this.events = new EventStream(() => clock.now());
    this.events.subscribe(({ event }) => void this.told.push(event));
    this.outgoing = new OutgoingVerbs(this.events);
    const host = {
      vault,
      clock,
      events: this.events,
      outgoing: this.outgoing,
      durability: "memory" as const,
      deliver: (id: string, letter: Letter, caller: Caller) => this.agent(id).accept(letter, caller),
      withdraw: (id: string, message: Message) => this.agent(id).withdraw(message),
    };
    this.topics = new Topics({
      ...host,
      retain: limits.retain,
      countMax: limits.topicsMax,
      bytesMax: 1 << 20,
      messageBytesMax: () => limits.messageBytesMax,
      subscriptionsMax: () => limits.subscriptionsMax,
    });
    this.timers = new Timers({ ...host, timersMax: () => limits.timersMax });
    this.topics.open();
    this.timers.open();
  }

  /** The runtime is closed in order, and opened again. */
  reopen(): void {
    this.timers.close();
    this.topics.close();
    this.start();
  }

  /** The process is killed and begins again. */
  crash(): void {
    // What is gone with a process: its timers. Its objects are left as they are, and nobody calls them again.
    this.clock.disarmAll();
    this.start();
  }

  /** Writes of a commit that a test puts together itself. */
  writes(): TurnWrites {
    return new TurnWrites();
  }

  /** The agent of this name; it is up at first. */
  agent(id: string): LabAgent {
    const known = this.#agents.get(id);
    if (known !== undefined) return known;
    if (this.vault.head(id) === undefined) this.vault.create({ name: id });
    const agent = new LabAgent(id, this);
    this.#agents.set(id, agent);
    return agent;
  }

  /** Lets everybody who is up work until nothing moves any more; time passes until nobody pauses. */
  async settle(): Promise<void> {
    for (let round = 0, idle = 0; round < 10_000; round++) {
      let isBusy = false;
      for (const agent of this.#agents.values()) while (agent.isUp && agent.step("done")) isBusy = true;
      await tick();
      idle = isBusy ? 0 : idle + 1;
      if (idle === IDLE_ROUNDS) return;
      if (!isBusy) this.clock.advance(PAUSE_MS);
    }
    throw new Error("it never comes to rest");
  }
}

/** An agent without a cell. */
export class LabAgent {
  readonly id: string;
  readonly #lab: LaterLab;
  #mailbox: Message[] = [];
  #turns = 0;
  isUp = true;
  /** Words that killed too often are set aside at the door. */
  refuses: (letter: Letter) => boolean = () => false;

  constructor(id: string, lab: LaterLab) {
    this.id = id;
    this.#lab = lab;
  }

  get waiting(): number {
    return this.#mailbox.length;
  }

  get branch(): Branch {
    const branch = this.#lab.vault.head(this.id);
    if (branch === undefined) throw new Error(`${this.id} is gone`);
    return branch;
  }

  /** All that its turns handled, in order. */
  handled(): readonly Handled[] {
    return [...this.branch.range({ prefix: "x:" })].map(
      ([, value]) => JSON.parse(Buffer.from(value).toString()) as Handled,
    );
  }

  accept(letter: Letter, caller: Caller): Message {
    if (this.refuses(letter)) this.#refuse(letter);
    if (!this.isUp) throw new RuntimeError("RUNTIME_AGENT_DOWN", "down");
    if (this.#mailbox.length >= this.#lab.limits.mailboxMax) throw new RuntimeError("RUNTIME_MAILBOX_FULL", "full");
    const message = messageOf(letter, { nowMs: this.#lab.clock.now(), seed: ++this.#turns });
    message.callers.add(caller);
    this.#mailbox.push(message);
    return message;
  }

  withdraw(message: Message): boolean {
    const index = message.callers.size === 0 ? this.#mailbox.indexOf(message) : -1;
    if (index >= 0) this.#mailbox.splice(index, 1);
    return index >= 0;
  }

  /** Takes no messages: those that wait fail. */
  down(): void {
    this.isUp = false;
    for (const message of this.#mailbox.splice(0))
      settleMessage(message, { error: new RuntimeError("RUNTIME_AGENT_DOWN", "down") });
  }

  /** Starts (again). */
  up(): void {
    this.isUp = true;
    this.#lab.events.emit({ type: "agent.started", agent: this.id, cell: "c", hash: "h", epoch: 1, durationMs: 0 });
  }

  forgetAll(): void {
    this.#mailbox = [];
    this.isUp = true;
  }

  /** A turn of its own, that sends. */
  sends(...outbox: readonly (readonly [verb: string, text: string])[]): void {
    this.#turn(this.#message("own", "~-1"), outbox, undefined);
  }

  /** Publishes values in one turn. */
  publish(topic: string, ...values: readonly unknown[]): void {
    this.sends(...values.map((value) => ["publish", encode({ topic, value }, { bytesMax: 1 << 20 })] as const));
  }

  subscribe(topic: string, after?: number): void {
    this.sends(["subscribe", packSubscription({ topic, method: "heard", after })]);
  }

  /** Sets a timer that brings `id` as its argument. */
  after(id: string, afterMs: number): void {
    this.sends(["after", packTimer({ kind: "after", id, afterMs, method: "rang", text: id })]);
  }

  cron(id: string, pattern: string, timeZone = "UTC"): void {
    this.sends(["cron", packTimer({ kind: "cron", id, pattern, timeZone, method: "rang", text: id })]);
  }

  /** Hands so many messages to the isolate, ahead of their turns: nobody can take them back. */
  hand(count: number): void {
    for (const message of this.#mailbox.slice(0, count)) message.progress = "running";
  }

  /** Works on the oldest message. False when there is none. */
  step(end: TurnEnd): boolean {
    const message = this.#mailbox[0];
    if (message === undefined || !this.isUp) return false;
    if (end === "lost") return this.#livesEnd(); // it returns to the mailbox, where it is
    this.#mailbox.shift();
    message.progress = "running";
    if (end === "done") this.#turn(message, [], false);
    else this.#fail(message, end);
    return true;
  }

  /** Those that were handed to the isolate return to the mailbox. */
  #livesEnd(): true {
    for (const message of this.#mailbox) message.progress = "waiting";
    return true;
  }

  #refuse(letter: Letter): never {
    const message = messageOf(letter, { nowMs: this.#lab.clock.now(), seed: 0 });
    const actions = message.claims?.() ?? [];
    this.#lab.vault.commit([this.#line(message, true, actions.length === 0), ...actions]);
    throw new RuntimeError("RUNTIME_MESSAGE_QUARANTINED", "these words are set aside");
  }

  /** The life ends: those that wait return to the mailbox, and the next life comes up. */
  #fail(message: Message, end: "threw" | "undone"): void {
    this.#livesEnd();
    if (end === "threw") this.#turn(message, [], true);
    else settleMessage(message, { error: new RuntimeError("RUNTIME_AGENT_DOWN", "the commit was undone") });
    queueMicrotask(() => queueMicrotask(() => this.up()));
  }

  /** Commits the turn: what it handled, what it sends, what it claims. A turn that threw commits its claims alone. */
  #turn(message: Message, outbox: readonly (readonly [string, string])[], isAside: boolean | undefined): void {
    const { vault, outgoing } = this.#lab;
    const { branch } = this;
    const place = { agent: this.id, branch, epoch: branch.epoch, message };
    const sent: Outgoing[] = outbox.map(([verb, text]) => outgoing.prepare(place, { verb, text }));
    const claims = message.claims?.(isAside === true ? undefined : place) ?? [];
    const actions = [...sent.flatMap((each) => each.actions), ...claims];
    if (isAside !== undefined) actions.unshift(this.#line(message, isAside, claims.length === 0));
    if (actions.length > 0) vault.commit(actions);
    if (isAside === true)
      return settleMessage(message, { error: new RuntimeError("RUNTIME_HANDLER_THREW", "it threw") });
    settleMessage(message, { text: "~-1" });
    for (const { leave } of sent) leave?.();
  }

  /** The action that notes what was handled. */
  #line({ method, text }: Message, isAside: boolean, isStray: boolean): Action {
    const { branch } = this;
    const line: Handled = { method, text, isAside, isStray, atMs: this.#lab.clock.now() };
    const key = `x:${String([...branch.range({ prefix: "x:" })].length).padStart(8, "0")}`;
    return { type: "write", branch: branch.id, ops: [{ put: key, value: bytes(JSON.stringify(line)) }] };
  }

  #message(method: string, text: string): Message {
    return messageOf({ kind: "call", method, text }, { nowMs: this.#lab.clock.now(), seed: ++this.#turns });
  }
}

/** Everything that was promised so far has happened. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
