/**
 * The head of one order of timers: knows what falls due next, waits for it, and hands over what is due.
 *
 *   ~timers: | handed over | floor --> next due ... later ... |        one clock timer is armed, for the next
 *
 * Invariants
 * 1. What stands before the floor was handed over or is gone: neither opening nor firing looks at it again.
 * 2. A timer is handed over only once what set it is durable.
 * 3. Damage hides only what stands in it, and that is read again each minute.
 */
import type { Branch, Clock, Timer } from "../vault/index.ts";
import { isRefusal } from "./feed.ts";
import type { TimerKind } from "./timer-record.ts";
import { orderPrefix, readOrderKey } from "./timer-record.ts";

/** What an order needs. */
export interface TimerOrderHost {
  readonly kind: TimerKind;
  readonly clock: Clock;
  /** The time that due times of this order are compared with, in ms. */
  readonly nowMs: () => number;
  /** Undefined before the first timer of the vault was set. */
  readonly branch: () => Branch | undefined;
  /** True while the commit that set this timer is not durable: it is told by `added` then. */
  readonly isPending: (key: string) => boolean;
  /** This timer is due. May be told twice. Throws nothing that the vault refuses. */
  readonly due: (agent: string, id: string) => void;
}

/** Most timers handed over before others get a turn of the event loop. */
const TAKEN_PER_LOOK = 1_000;
/** Waits are cut at this: the wall clock may have been set meanwhile, and Node's timers end at 24.8 days. */
const WAIT_MS_MAX = 60_000;

/** See the header. */
export class TimerOrder {
  readonly #host: TimerOrderHost;
  readonly #prefix: string;
  #floor: string;
  #wait: { readonly timer: Timer; readonly untilMs: number } | undefined;
  /** Where a read failed first; it is read again when the timer fires. */
  #unread: { readonly timer: Timer; from: string } | undefined;
  #isClosed = false;

  constructor(host: TimerOrderHost) {
    this.#host = host;
    this.#prefix = orderPrefix(host.kind);
    this.#floor = this.#prefix;
  }

  /** Hands over what is due, and waits for the next. */
  look(): void {
    if (this.#isClosed) return;
    this.#wait?.timer.cancel();
    this.#wait = undefined;
    const nowMs = this.#host.nowMs();
    const due: { readonly agent: string; readonly id: string }[] = [];
    while (!this.#readOn(nowMs, due));
    // Only now, because what is handed over may be used at once, and put another timer before the floor.
    for (const { agent, id } of due) this.#host.due(agent, id);
  }

  /** Reads from the floor on, and moves it with each key. False where damage was met, and the floor is behind it now. */
  #readOn(nowMs: number, due: { readonly agent: string; readonly id: string }[]): boolean {
    try {
      this.#read(nowMs, due);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#readAgain(this.#floor);
      const behind = behindDamage(error);
      if (behind === undefined || behind <= this.#floor) return true;
      this.#floor = behind;
      return false;
    }
  }

  #read(nowMs: number, due: { readonly agent: string; readonly id: string }[]): void {
    const from = this.#floor;
    for (const [key] of this.#host.branch()?.range({ prefix: this.#prefix, from }) ?? []) {
      if (!this.#host.isPending(key)) {
        const { dueMs, agent, id } = readOrderKey(key);
        if (dueMs > nowMs || due.length === TAKEN_PER_LOOK) {
          this.#floor = key;
          return this.#waitUntil(Math.max(dueMs, nowMs));
        }
        due.push({ agent, id });
      }
      this.#floor = justBehind(key);
    }
    this.#floor = behindAll(this.#prefix);
  }

  /** What cannot be read here may be mended in a while: the vault tells of its damage itself. */
  #readAgain(from: string): void {
    if (this.#unread !== undefined) {
      if (from < this.#unread.from) this.#unread.from = from;
      return;
    }
    const timer = this.#host.clock.after(WAIT_MS_MAX, () => {
      const again = this.#unread?.from ?? this.#prefix;
      this.#unread = undefined;
      if (again < this.#floor) this.#floor = again;
      this.look();
    });
    this.#unread = { timer, from };
  }

  /** A timer stands here now, durably. */
  added(key: string): void {
    if (key < this.#floor) this.#floor = key;
    const { dueMs } = readOrderKey(key);
    if (dueMs <= this.#host.nowMs()) this.look();
    else if (this.#wait === undefined || dueMs < this.#wait.untilMs) this.#waitUntil(dueMs);
  }

  /** What stands here may have changed anywhere: a commit was undone. */
  reset(): void {
    this.#floor = this.#prefix;
    this.look();
  }

  /** Hands over nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#wait?.timer.cancel();
    this.#unread?.timer.cancel();
  }

  #waitUntil(untilMs: number): void {
    if (this.#isClosed) return;
    this.#wait?.timer.cancel();
    const waitMs = Math.min(Math.max(0, untilMs - this.#host.nowMs()), WAIT_MS_MAX);
    const timer = this.#host.clock.after(waitMs, () => {
      this.#wait = undefined;
      this.look();
    });
    this.#wait = { timer, untilMs };
  }
}

/** The first key that can be read behind damage; undefined where nobody can say, or there is none. */
function behindDamage({ details }: { readonly details: Readonly<Record<string, unknown>> }): string | undefined {
  const keys = details["keys"];
  const to = typeof keys === "object" && keys !== null && "to" in keys ? keys.to : undefined;
  return typeof to === "string" ? to : undefined;
}

/** The first text behind this one. */
function justBehind(key: string): string {
  return `${key}\0`;
}

/** The first text behind all that begin with `prefix`. */
function behindAll(prefix: string): string {
  return `${prefix.slice(0, -1)};`; // ";" comes behind ":"
}
