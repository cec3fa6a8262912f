/**
 * Time, handed in. Nothing below the runtime reads a clock or arms a timer but through this interface, so a test can
 * move time by hand. The system's clock is made in `system-clock.ts`.
 */

/** A timer that was armed and can be taken back. */
export interface Timer {
  /** Takes the timer back; harmless when it already fired. */
  cancel(): void;
}

/** Wall time, monotonic time and timers. */
export interface Clock {
  /** Wall time in milliseconds since 1970. May jump; never used to measure or to order. */
  now(): number;
  /** Milliseconds from an arbitrary origin that never go back, with sub-millisecond digits. */
  monotonicMs(): number;
  /** Calls `fire` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, fire: () => void): Timer;
}
