/**
 * Durable timers of agents (`ctx.after`, `ctx.cron`, `ctx.cancel`): set, moved and used up in the commits of turns.
 *
 *   turn --after--> { its writes, the timer } in one commit --> TimerOrder --due--> Feed --message--> turn
 *                                                                { its writes, the due time's end } in one commit <--'
 *
 * Time: an `after` counts the time that passes while the runtime runs, whatever is done to the wall clock, and over the time
 * in which it did not run by the wall clock. A cron follows the wall clock: what that jumps over is late, and what it comes
 * to a second time was used already.
 *
 * Invariants
 * 1. Each due time is used once: by a turn that commits, or by a message that is set aside in one commit with it.
 * 2. Timers of an agent that is down wait in the vault; those of one that is dropped go with it.
 * 3. What a timer costs as it is set and as it fires does not depend on how many there are or were.
 */
import { SandboxError, isTimerId, unpackTimer } from "../sandbox/index.ts";
import type { TimerRequest } from "../sandbox/index.ts";
import type { Action, Branch, Durability, Vault } from "../vault/index.ts";
import { cronAfter, cronBefore } from "./cron.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import { Feed, attempt } from "./feed.ts";
import type { FeedHost } from "./feed.ts";
import type { ClaimPlace } from "./message.ts";
import type { Outgoing, OutgoingVerbs, TurnPlace } from "./outgoing.ts";
import { DueTimers } from "./timer-due.ts";
import type { TimerInfo, TimerQuery } from "./timer-list.ts";
import { listTimers } from "./timer-list.ts";
import { TimerOrder } from "./timer-order.ts";
import type { TimerKind, TimerRecord } from "./timer-record.ts";
import { kindOf, orderKey, removeAllOps, removeOps, setOps, timerCount, timerIn, useOps } from "./timer-record.ts";
import { TurnWrites } from "./turn-writes.ts";

/** What timers need. */
export interface TimersHost extends FeedHost {
  readonly vault: Vault;
  readonly events: EventStream;
  readonly outgoing: OutgoingVerbs;
  /** Of what is written without a turn. */
  readonly durability: Durability;
  /** How many timers this agent may have. */
  readonly timersMax: (agent: string) => number;
}

/** Due times of a cron that are still used when they come late; what is older is skipped. */
const LATE_DUES_MAX = 100;

/** The branch of all timers. */
const BRANCH = "~timers";

/** All durable timers of a runtime. */
export class Timers {
  readonly #host: TimersHost;
  readonly #orders: Readonly<Record<TimerKind, TimerOrder>>;
  /** What each kind's due times are compared with. */
  readonly #nowMs: Readonly<Record<TimerKind, () => number>>;
  /** Due timers, by agent. */
  readonly #due = new Map<string, { readonly timers: DueTimers; readonly feed: Feed<string> }>();
  /** Order keys whose commits are under way. */
  readonly #pending = new Set<string>();
  #stop: () => void = () => undefined;

  constructor(host: TimersHost) {
    this.#host = host;
    const { clock, outgoing } = host;
    const offsetMs = clock.now() - clock.monotonicMs();
    this.#nowMs = { after: () => offsetMs + clock.monotonicMs(), cron: () => clock.now() };
    this.#orders = { after: this.#order("after"), cron: this.#order("cron") };
    outgoing.provide("after", (place, text) => this.#set(place, unpackTimer("after", text)));
    outgoing.provide("cron", (place, text) => this.#set(place, unpackTimer("cron", text)));
    outgoing.provide("cancel", (place, id) => this.#cancel(place, id));
  }

  /** From here on timers fire. Reads only what is due. */
  open(): void {
    const { events } = this.#host;
    const { unsubscribe } = events.subscribe(({ event }) => {
      if (event.type === "agent.started") this.#due.get(event.agent)?.feed.resume();
      else if (event.type === "agent.dropped") this.#forget(event.agent);
      else if (event.type === "commit.failed") for (const order of Object.values(this.#orders)) order.reset();
    });
    this.#stop = unsubscribe;
    for (const order of Object.values(this.#orders)) order.look();
  }

  /** Nothing fires any more. */
  close(): void {
    this.#stop();
    for (const order of Object.values(this.#orders)) order.close();
    for (const { feed } of this.#due.values()) feed.close();
    this.#due.clear();
  }

  /** What falls due next, in order. */
  list(query: TimerQuery): readonly TimerInfo[] {
    return listTimers(this.#branch, query);
  }

  /** Takes a timer away; false where there is none of that name. Durable when it resolves. */
  async cancel(agent: string, id: string): Promise<boolean> {
    const branch = this.#branch;
    const timer = branch === undefined || !isTimerId(id) ? undefined : timerIn(branch, agent, id);
    if (branch === undefined || timer === undefined) return false;
    await this.#commit(branch, removeOps(branch, timer));
    this.#takeBack(agent);
    this.#host.events.emit({ type: "timer.cancelled", agent, timer: id });
    return true;
  }

  /** What is committed when this agent is dropped. */
  departure(agent: string): readonly Action[] {
    const branch = this.#branch;
    const ops = branch === undefined ? [] : removeAllOps(branch, agent);
    return branch === undefined || ops.length === 0 ? [] : [{ type: "write", branch: branch.id, ops }];
  }

  // ------------------------------------------------------------------ what turns send

  #set(place: TurnPlace, request: TimerRequest): Outgoing {
    const { agent } = place;
    const branch = this.#branch ?? this.#host.vault.create({ name: BRANCH, durability: "memory" }).branch;
    const writes = TurnWrites.of(place);
    const reads = writes.over(branch);
    if (timerIn(reads, agent, request.id) === undefined) this.#requireRoom(agent, timerCount(reads, agent));
    const timer = this.#timerOf(agent, request);
    const action = writes.write(branch, setOps(reads, timer));
    const key = orderKey(timer);
    this.#pending.add(key);
    const settled = (): void => void this.#pending.delete(key);
    const leave = (): void => {
      settled();
      this.#orders[kindOf(timer)].added(key);
    };
    return { actions: [action], undo: settled, leave };
  }

  #cancel(place: TurnPlace, id: string): Outgoing {
    if (!isTimerId(id)) throw new SandboxError("SANDBOX_ENVELOPE_INVALID", "a guest cancels what can be no timer");
    const { agent } = place;
    const branch = this.#branch;
    const writes = TurnWrites.of(place);
    const timer = branch === undefined ? undefined : timerIn(writes.over(branch), agent, id);
    if (branch === undefined || timer === undefined) return { actions: [] };
    const ops = removeOps(writes.over(branch), timer);
    // A commit that fails is told as `commit.failed`: the timer's order is looked through again then.
    return { actions: [writes.write(branch, ops)], leave: () => this.#takeBack(agent) };
  }

  #timerOf(agent: string, request: TimerRequest): TimerRecord {
    const { id, method, text } = request;
    if (request.kind === "after") {
      return { agent, id, method, text, dueMs: Math.ceil(this.#nowMs.after()) + request.afterMs };
    }
    const cron = { pattern: request.pattern, timeZone: request.timeZone };
    const dueMs = cronAfter(cron, this.#nowMs.cron());
    if (dueMs !== undefined) return { agent, id, method, text, dueMs, cron };
    const message = `"${cron.pattern}" (${cron.timeZone}) never falls due again`;
    throw new RuntimeError("RUNTIME_CRON_INVALID", message, { details: { agent, ...cron } });
  }

  #requireRoom(agent: string, count: number): void {
    const countMax = this.#host.timersMax(agent);
    if (count < countMax) return;
    const text = `${agent} has ${count} timers and may have no more (limits.timersMax); cancel some`;
    throw new RuntimeError("RUNTIME_TIMERS_EXCEEDED", text, { details: { agent, countMax } });
  }

  // ------------------------------------------------------------------ what falls due

  #order(kind: TimerKind): TimerOrder {
    return new TimerOrder({
      kind,
      clock: this.#host.clock,
      nowMs: () => this.#nowMs[kind](),
      branch: () => this.#branch,
      isPending: (key) => this.#pending.has(key),
      due: (agent, id) => this.#fallsDue(agent, id),
    });
  }

  #fallsDue(agent: string, id: string): void {
    if (this.#host.vault.head(agent) === undefined) return this.#sweep(agent);
    let due = this.#due.get(agent);
    if (due === undefined) {
      const timers: DueTimers = new DueTimers(agent, {
        branch: () => this.#branch,
        isDue: (timer) => timer.dueMs <= this.#nowMs[kindOf(timer)](),
        claims: (timer, turn) => this.#claims(timer, turn),
        waits: (timer) => this.#orders[kindOf(timer)].added(orderKey(timer)),
        caughtUp: (timer, lookedUntilMs) => this.#caughtUp(timer, lookedUntilMs),
      });
      due = { timers, feed: new Feed(agent, this.#host, timers) };
      this.#due.set(agent, due);
    }
    due.timers.add(id);
    due.feed.pump();
  }

  /** The end of a due time, if it still stands: a handler may have cancelled its own timer, or set it anew. */
  #claims({ agent, id, dueMs }: TimerRecord, turn: ClaimPlace | undefined): readonly Action[] {
    const branch = this.#branch;
    const writes = TurnWrites.of(turn);
    const now = branch === undefined ? undefined : timerIn(writes.over(branch), agent, id);
    if (branch === undefined || now?.dueMs !== dueMs) return [];
    return [writes.write(branch, useOps(writes.over(branch), now))];
  }

  /**
   * The timer as it is to be delivered: of the due times of a cron that passed while its agent or the runtime was down only
   * the newest count. `lookedUntilMs`, by id: up to when the due times of late crons were looked through. Throws what the
   * vault throws.
   */
  #caughtUp(timer: TimerRecord, lookedUntilMs: Map<string, number>): TimerRecord {
    const { agent, id, cron, dueMs } = timer;
    const nowMs = this.#nowMs.cron();
    const nextMs = cron === undefined ? undefined : cronAfter(cron, dueMs);
    const branch = this.#branch;
    if (cron === undefined || branch === undefined || nextMs === undefined || nextMs > nowMs) {
      lookedUntilMs.delete(id);
      return timer;
    }
    if (dueMs <= (lookedUntilMs.get(id) ?? Number.NEGATIVE_INFINITY)) return timer;
    lookedUntilMs.set(id, nowMs);
    const [oldestMs = dueMs] = cronBefore(cron, nowMs, LATE_DUES_MAX);
    if (oldestMs <= dueMs) return timer;
    const kept = { ...timer, dueMs: oldestMs };
    const told = { type: "timer.skipped", agent, timer: id, fromMs: dueMs, toMs: oldestMs } as const;
    // A commit that fails is told by the vault, and the due times are looked through again.
    void this.#commit(branch, setOps(branch, kept)).then(
      () => this.#host.events.emit(told),
      () => undefined,
    );
    return kept;
  }

  /** What is on its way and was not started is delivered only if it still stands. */
  #takeBack(agent: string): void {
    const feed = this.#due.get(agent)?.feed;
    feed?.restart();
    feed?.pump();
  }

  /** Timers of an agent that is gone go too; what cannot be taken away now, the next runtime finds. */
  #sweep(agent: string): void {
    this.#forget(agent);
    attempt(() => {
      const actions = this.departure(agent);
      if (actions.length > 0) this.#host.vault.commit(actions, { durability: "memory" });
    });
  }

  #forget(agent: string): void {
    this.#due.get(agent)?.feed.close();
    this.#due.delete(agent);
  }

  async #commit(branch: Branch, ops: ReturnType<typeof removeOps>): Promise<void> {
    const { vault, durability } = this.#host;
    await vault.commit([{ type: "write", branch: branch.id, ops }], { durability }).durable;
  }

  get #branch(): Branch | undefined {
    return this.#host.vault.head(BRANCH);
  }
}
