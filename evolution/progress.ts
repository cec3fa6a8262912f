/**
 * How far a stage is, at most four times a second: whoever counts thousands of turns need not count events as well. The
 * newest figures are never lost, only told later.
 */
import type { Clock, Timer } from "../vault/index.ts";

/** Between two tellings, in ms. */
const EVERY_MS = 250;

type Figures = Readonly<Record<string, number>>;

/** Tells figures in their own time. */
export class Progress {
  readonly #clock: Clock;
  readonly #told: (figures: Figures) => void;
  #toldMs = Number.NEGATIVE_INFINITY;
  #waiting: Figures | undefined;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(clock: Clock, told: (figures: Figures) => void) {
    this.#clock = clock;
    this.#told = told;
  }

  /** These are the newest figures. */
  tell(figures: Figures): void {
    if (this.#isOver) return;
    this.#waiting = figures;
    const restMs = this.#toldMs + EVERY_MS - this.#clock.monotonicMs();
    if (restMs <= 0) this.#now();
    else this.#timer ??= this.#clock.after(restMs, () => this.#now());
  }

  /** Tells what still waits, and nothing after that. */
  end(): void {
    this.#now();
    this.#isOver = true;
  }

  #now(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const figures = this.#waiting;
    this.#waiting = undefined;
    if (figures === undefined) return;
    this.#toldMs = this.#clock.monotonicMs();
    this.#told(figures);
  }
}
