/**
 * Virtual time: instants come one after the other, as fast as the machine can, and timers of one instant fire in an order
 * drawn by chance. Wall time may jump; monotonic time and timers do not notice.
 */
import type { Chance } from "../support/chance.ts";
import type { Clock, Timer } from "../../vault/index.ts";

interface Armed {
  readonly atMs: number;
  readonly tie: number;
  readonly no: number;
  fire: (() => void) | undefined;
}

const WALL_MS = 1_800_000_000_000;
const TIES = 1 << 20;

/** See the header. */
export class VirtualClock implements Clock {
  readonly #chance: Chance;
  readonly #heap: Armed[] = [];
  #nowMs = 0;
  #wallOffsetMs = WALL_MS;
  #count = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  now(): number {
    return Math.floor(this.#wallOffsetMs + this.#nowMs); // as Date.now does
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const timer: Armed = { atMs, tie: this.#chance.below(TIES), no: this.#count++, fire };
    this.#push(timer);
    return { cancel: () => void (timer.fire = undefined) };
  }

  /** Sets the wall clock forward or back. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Fires the next timer that falls due by `untilMs`. False when there is none: it is `untilMs` then. */
  step(untilMs: number): boolean {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= untilMs; first = this.#heap[0]) {
      this.#pop();
      const { fire } = first;
      if (fire === undefined) continue;
      this.#nowMs = first.atMs;
      first.fire = undefined;
      fire();
      return true;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return false;
  }

  #push(timer: Armed): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: Armed, b: Armed): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.tie === b.tie ? a.no < b.no : a.tie < b.tie;
}
