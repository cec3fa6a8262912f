/**
 * Slow turns, counted: a mean of logarithms does not see what is rare and large. A turn is slow when it takes more CPU time than
 * the champion's 99th percentile over its newest turns, with what `cpuRatioMax` allows on top.
 *
 * 1. The threshold comes from turns before the one it judges, so for an equal candidate each side is slow as often as the other.
 * 2. Bounded: a window of the champion's costs, sorted again now and then.
 */
import { addHarm, emptyHarm } from "../statistics/harm.ts";
import type { HarmState } from "../statistics/harm.ts";

/** The champion's turns behind the threshold. */
const WINDOW = 500;
/** Before this many nothing is called slow. */
const WINDOW_MIN = 100;
/** Turns between two thresholds. */
const EVERY = 25;
const QUANTILE = 0.99;
/** Below this a turn is never slow, in ms: a collection or a page fault would decide. */
const SLOW_MS_MIN = 1;

/** What is known of slow turns. Plain data; replaced, but for its window, which moves along. */
export interface SlowState {
  readonly harm: HarmState;
  /** The champion's newest costs in ms; a ring. */
  readonly window: readonly number[];
  readonly turns: number;
  /** In ms; Infinity until there are enough turns. */
  readonly thresholdMs: number;
}

/** Nothing seen yet. */
export function emptySlow(): SlowState {
  return { harm: emptyHarm(), window: [], turns: 0, thresholdMs: Number.POSITIVE_INFINITY };
}

/** One more pair of costs. `ratioMax`: times the champion's cost a candidate may take. Pure. */
export function addSlow(
  state: SlowState,
  costs: { readonly shadowMs: number; readonly championMs: number },
  ratioMax: number,
): SlowState {
  const { thresholdMs } = state;
  const harm = addHarm(state.harm, {
    didShadowFail: costs.shadowMs > thresholdMs,
    didChampionFail: costs.championMs > thresholdMs,
  });
  const turns = state.turns + 1;
  const window =
    state.window.length < WINDOW
      ? [...state.window, costs.championMs]
      : state.window.with(turns % WINDOW, costs.championMs);
  const isDue = window.length >= WINDOW_MIN && turns % EVERY === 0;
  return { harm, window, turns, thresholdMs: isDue ? thresholdOf(window, ratioMax) : thresholdMs };
}

function thresholdOf(window: readonly number[], ratioMax: number): number {
  const sorted = window.toSorted((a, b) => a - b);
  const quantile = sorted[Math.ceil(sorted.length * QUANTILE) - 1] ?? 0;
  return Math.max(SLOW_MS_MIN, quantile * Math.max(1, ratioMax));
}
