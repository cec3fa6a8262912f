/**
 * The head of one order of timers: knows what falls due next, waits for it, and hands over what is due.
 *
 *   ~timers: | handed over | floor --> next due ... later ... |        one clock timer is armed, for the next
 *
 * Invariants
 * 1. What stands before the floor was handed over or is gone: neither opening nor firing looks at it again.
 * 2. A timer is handed over only once what set it is durable.
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
  /** This timer is due. May be told twice. */
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
    try {
      this.#handOver();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#waitUntil(Infinity); // the vault tells of its damage itself; it may be mended by the next look
    }
  }

  #handOver(): void {
    const nowMs = this.#host.nowMs();
    const due: { readonly agent: string; readonly id: string }[] = [];
    const floor = this.#floor;
    this.#floor = behindAll(this.#prefix);
    for (const [key] of this.#host.branch()?.range({ prefix: this.#prefix, from: floor }) ?? []) {
      if (this.#host.isPending(key)) continue;
      const { dueMs, agent, id } = readOrderKey(key);
      if (dueMs > nowMs || due.length === TAKEN_PER_LOOK) {
        this.#floor = key;
        this.#waitUntil(Math.max(dueMs, nowMs));
        break;
      }
      due.push({ agent, id });
    }
    // Only now, because what is handed over may be used at once, and put another timer before the floor.
    for (const { agent, id } of due) this.#host.due(agent, id);
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

/** The first text behind all that begin with `prefix`. */
function behindAll(prefix: string): string {
  return `${prefix.slice(0, -1)};`; // ";" comes behind ":"
}
