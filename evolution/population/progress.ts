/**
 * How a search is doing, for whoever looks on: measured, so never the same twice.
 */
import type { Clock } from "../../vault/index.ts";
import type { SearchBudget } from "../population-options.ts";

/** What a search says of itself. */
export interface SearchProgress {
  readonly generation: number;
  readonly evaluations: number;
  /** Programs that were run per second, over the last few seconds. */
  readonly perSecond: number;
  /** The best mean score. */
  readonly best: number;
  readonly usd: number;
  /** What is left of the budget; absent where there is none. */
  readonly remaining: SearchBudget;
  /** True while what was done before is repeated from the journal. */
  readonly isReplay: boolean;
}

const TELL_EVERY_MS = 250;
/** How far back the rate looks. */
const WINDOW_MS = 5_000;

/** What is told, but for what is measured. */
export type Counted = Pick<SearchProgress, "generation" | "evaluations" | "best" | "usd" | "isReplay">;

/** Tells it now and then. */
export class ProgressTeller {
  readonly #clock: Clock;
  readonly #budget: SearchBudget;
  readonly #tell: (progress: SearchProgress) => void;
  readonly #startedMs: number;
  #toldMs = -Infinity;
  /** Evaluations at moments within the window, the oldest first. Bounded: one for each telling. */
  #marks: { readonly atMs: number; readonly evaluations: number }[] = [];

  constructor(clock: Clock, budget: SearchBudget, tell: (progress: SearchProgress) => void) {
    this.#clock = clock;
    this.#budget = budget;
    this.#tell = tell;
    this.#startedMs = clock.monotonicMs();
  }

  /** Tells it if the last time is long enough ago, or `isEnd`. */
  told(counted: Counted, isEnd = false): void {
    const nowMs = this.#clock.monotonicMs();
    if (!isEnd && nowMs - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#marks = this.#marks.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS);
    this.#marks.push({ atMs: nowMs, evaluations: counted.evaluations });
    this.#tell({
      ...counted,
      perSecond: this.#rate(counted.evaluations, nowMs),
      remaining: this.#remaining(counted, nowMs),
    });
  }

  #rate(evaluations: number, nowMs: number): number {
    const first = this.#marks[0];
    const beganMs = first?.atMs === nowMs ? this.#startedMs : (first?.atMs ?? nowMs);
    const before = first?.atMs === nowMs ? 0 : (first?.evaluations ?? 0);
    return nowMs > beganMs ? ((evaluations - before) * 1_000) / (nowMs - beganMs) : 0;
  }

  #remaining({ evaluations, generation, usd }: Counted, nowMs: number): SearchBudget {
    const { evaluations: most, generations, ms, usd: usdMax } = this.#budget;
    return {
      ...(most === undefined ? {} : { evaluations: Math.max(0, most - evaluations) }),
      ...(generations === undefined ? {} : { generations: Math.max(0, generations - generation) }),
      ...(ms === undefined ? {} : { ms: Math.max(0, ms - (nowMs - this.#startedMs)) }),
      ...(usdMax === undefined ? {} : { usd: Math.max(0, usdMax - usd) }),
    };
  }
}
