/**
 * Simulated traffic for the tests of the statistics: seeded draws, many runs, and what may be concluded from a share
 * of them.
 */
import assert from "node:assert/strict";
import { seededRandom } from "../../../runtime/random.ts";
import { binomialTail } from "../../../evolution/statistics/special.ts";

/** `SEED=<number>` repeats a run; without it all runs are the same one. */
export const SEED = Number(process.env["SEED"] ?? 20_240_229);

/** A seeded stream of draws. `purpose` tells the streams of one test apart. */
export class Draws {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(purpose: number) {
    this.#random = seededRandom((SEED + Math.imul(purpose, 0x9e37_79b1)) >>> 0);
  }

  /** Between 0 and 1, both excluded. */
  uniform(): number {
    return (this.#random.next32() + 0.5) / 0x1_0000_0000;
  }

  /** True with this probability. */
  is(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

/** The first step, from 1 to `stepsMax`, at which `step` says true; Infinity for none. */
export function firstStep(stepsMax: number, step: (number: number) => boolean): number {
  for (let number = 1; number <= stepsMax; number++) if (step(number)) return number;
  return Infinity;
}

/** The results of `runs` runs. */
export function repeated(runs: number, run: () => number): readonly number[] {
  return Array.from({ length: runs }, run);
}

/** How many are finite, of 1. */
export function share(results: readonly number[]): number {
  return results.filter(Number.isFinite).length / results.length;
}

/** The same for reading. */
export function percent(results: readonly number[]): string {
  return `${(100 * share(results)).toFixed(2)} %`;
}

/** The middle one; Infinity counts as the largest. */
export function median(results: readonly number[]): number {
  return results.toSorted((a, b) => a - b)[Math.floor(results.length / 2)] ?? Number.NaN;
}

/** The mean of finite numbers. */
export function mean(results: readonly number[]): number {
  return results.reduce((sum, result) => sum + result, 0) / results.length;
}

/**
 * Alarms at the limit's own rate are a binomial number. The share is refused when so many or more would come in fewer
 * than one of 10,000 repetitions of the test at exactly that rate.
 */
export function assertAlarmsWithin(limit: number, results: readonly number[]): void {
  const alarms = results.filter(Number.isFinite).length;
  const chance = binomialTail(alarms, results.length, limit);
  assert.ok(chance > 1e-4, `${alarms} alarms in ${results.length} runs: at ${limit} that has probability ${chance}`);
}

/** The figure is within this share of the expected one: 0.15 is 15 % either way. */
export function assertNear(actual: number, expected: number, tolerance: number): void {
  const isNear = Math.abs(actual - expected) <= tolerance * Math.abs(expected);
  assert.ok(isNear, `${actual} is not within ${tolerance * 100} % of ${expected}`);
}

/** Two doubles agree to `digits` digits, relative to 1 where they are smaller. */
export function assertSame(actual: number, expected: number, digits = 12): void {
  if (actual === expected) return;
  const gap = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
  assert.ok(gap < 10 ** -digits, `${actual} is not ${expected} (gap ${gap})`);
}
