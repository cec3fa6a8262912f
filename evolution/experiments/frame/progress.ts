/** The line that tells how a search goes: rate, best, what is left. At most one in so many milliseconds, or tests drown in them. */
import type { Budget } from "./arguments.ts";
import type { ProgressUpdate } from "./experiment.ts";

/** Between two lines. */
const INTERVAL_MS = 2_000;

/** Decides when to tell. `nowMs` is any clock that only goes forward. */
export class ProgressLine {
  readonly #seed: number;
  readonly #budget: Budget;
  readonly #startedMs: number;
  #toldMs: number;

  constructor(options: { readonly seed: number; readonly budget: Budget; readonly nowMs: number }) {
    this.#seed = options.seed;
    this.#budget = options.budget;
    this.#startedMs = options.nowMs;
    this.#toldMs = options.nowMs;
  }

  /** The line to print, when it is time for one. */
  next({ evaluations, best }: ProgressUpdate, nowMs: number): string | undefined {
    if (nowMs - this.#toldMs < INTERVAL_MS) return undefined;
    this.#toldMs = nowMs;
    const seconds = (nowMs - this.#startedMs) / 1_000;
    const rate = evaluations / seconds;
    const left = secondsLeft(this.#budget, evaluations, seconds);
    return `seed ${this.#seed}  ${seconds.toFixed(0)} s  ${evaluations} runs  ${rate.toFixed(0)}/s  best ${best}  ${left.toFixed(0)} s left`;
  }
}

function secondsLeft(budget: Budget, evaluations: number, seconds: number): number {
  if (budget.kind === "ms") return Math.max(0, budget.ms / 1_000 - seconds);
  return evaluations === 0 ? Number.NaN : Math.max(0, ((budget.evaluations - evaluations) * seconds) / evaluations);
}
