/**
 * A clock whose time moves because the test moves it. Timers fire in the order of their instants, those of one instant in
 * the order in which they were armed; a timer armed by another fires in the same move when its instant lies within it.
 */
import type { Clock, Timer } from "../../vault/index.ts";

interface ArmedTimer {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Wall and monotonic time that stand still until they are moved. */
export class SimulatedClock implements Clock {
  readonly #timers = new Set<ArmedTimer>();
  #wallMs: number;
  #monotonicMs = 0;

  /** `wallMs`: what the wall clock says at first, in milliseconds since 1970. */
  constructor(wallMs = 1_800_000_000_000) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that are armed and neither fired nor cancelled. */
  get armed(): number {
    return this.#timers.size;
  }

  /** No armed timer ever fires: the process that armed them is gone. */
  disarmAll(): void {
    this.#timers.clear();
  }

  /** Lets `ms` pass and fires what falls due on the way, each at its own instant. */
  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (let timer = this.#next(endMs); timer !== undefined; timer = this.#next(endMs)) {
      this.#timers.delete(timer);
      this.#moveTo(timer.atMs);
      timer.fire();
    }
    this.#moveTo(endMs);
  }

  /** Sets the wall clock, as an operator or NTP may at any time; monotonic time and timers do not notice. */
  jumpWallTo(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  #next(endMs: number): ArmedTimer | undefined {
    let first: ArmedTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && (first === undefined || timer.atMs < first.atMs)) first = timer;
    }
    return first;
  }

  #moveTo(atMs: number): void {
    this.#wallMs += atMs - this.#monotonicMs;
    this.#monotonicMs = atMs;
  }
}
