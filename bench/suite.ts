/**
 * What a suite is and what it hands back. The harness runs suites and prints their results; a suite measures and prints
 * nothing. Every figure comes from samples, and every sample is something that happened in this run.
 */
import type { Summary } from "./statistics.ts";
import { ratioOfMedians, summarize } from "./statistics.ts";

/** Units a figure may have. */
export type Unit = "ms" | "µs" | "calls/s" | "acks/s" | "KiB" | "MiB" | "×";

/** One measurement. */
export interface Figure {
  /** A sentence fragment that says what was timed or counted, from when to when. */
  readonly what: string;
  readonly unit: Unit;
  readonly summary: Summary;
}

/** Two measurements that took turns in this run, as a ratio of their medians. */
export interface Ratio {
  readonly what: string;
  readonly value: number;
}

/** A promise that is kept or not. */
export interface Bar {
  readonly what: string;
  /** What was measured, in the words of `limit`. */
  readonly value: string;
  readonly limit: string;
  readonly isMet: boolean;
}

/** What a suite found. */
export interface Findings {
  readonly figures: readonly Figure[];
  readonly ratios: readonly Ratio[];
  readonly bars: readonly Bar[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
}

/** Named loops that are compared with each other. */
export type Tasks = Readonly<Record<string, () => Promise<unknown>>>;

/** What the harness lends to a suite. */
export interface Tools {
  /** Fewer samples, for a glance; the bars are judged all the same. */
  readonly isQuick: boolean;
  /** The user's copy of test262, for suites that compare with it. */
  readonly test262: string | undefined;
  /** Says what is being measured now, to whoever watches. */
  progress(this: void, text: string): void;
  /** Times small tasks in turns and returns the duration of every single run, in milliseconds. */
  micro(
    tasks: Tasks,
    options: { readonly rounds: number; readonly sliceMs: number },
  ): Promise<Record<string, number[]>>;
}

/** A subject that is measured: one file, `bench/<name>.ts`. */
export type Suite = (tools: Tools) => Promise<Findings>;

/** A figure of durations that were sampled in milliseconds, told in the unit in which they read best. */
export function duration(what: string, samplesMs: readonly number[], unit: "ms" | "µs" = "ms"): Figure {
  const samples = unit === "ms" ? samplesMs : samplesMs.map((ms) => ms * 1_000);
  return { what, unit, summary: summarize(samples) };
}

/** A figure of anything else. */
export function figure(what: string, unit: Unit, samples: readonly number[]): Figure {
  return { what, unit, summary: summarize(samples) };
}

/** A ratio of two sets of samples that took turns. */
export function ratio(what: string, samples: readonly number[], base: readonly number[]): Ratio {
  return { what, value: ratioOfMedians(samples, base) };
}

/** What must be reached, and what is hoped for: the aim is named beside the bar and not judged. */
export interface Limit {
  readonly bar: number;
  readonly aim?: number;
}

/** A bar on the p99 of a figure in milliseconds: it is met below the limit. */
export function barBelowMs({ what, summary }: Figure, limit: number | Limit): Bar {
  const { p99, count } = summary;
  const { bar, aim } = limitOf(limit);
  const value = `p99 ${p99.toFixed(1)} ms of ${count}`;
  return { what, value, limit: `under ${bar} ms${aimOf(aim, " ms")}`, isMet: p99 < bar };
}

/** A bar on the median of a duration, whatever its unit: it is met up to the limit, in milliseconds. */
export function barMedianMs({ what, unit, summary }: Figure, limit: Limit): Bar {
  const ms = unit === "µs" ? summary.median / 1_000 : summary.median;
  const value = `median ${ms.toFixed(3)} ms of ${summary.count}`;
  return { what, value, limit: `within ${limit.bar} ms${aimOf(limit.aim, " ms")}`, isMet: ms <= limit.bar };
}

/** A bar on the worst sample of a figure in milliseconds: it is met up to the limit. */
export function barWorstMs({ what, summary }: Figure, limit: Limit): Bar {
  const value = `worst ${summary.max.toFixed(1)} ms of ${summary.count}`;
  return { what, value, limit: `within ${limit.bar} ms${aimOf(limit.aim, " ms")}`, isMet: summary.max <= limit.bar };
}

/** A bar on a ratio: it is met up to the limit. */
export function barWithin({ what, value }: Ratio, limit: number | Limit): Bar {
  const { bar, aim } = limitOf(limit);
  return { what, value: times(value), limit: `within ${bar}×${aimOf(aim, "×")}`, isMet: value <= bar };
}

/** A bar on a ratio that is to be large: it is met from the limit on. */
export function barAtLeast({ what, value }: Ratio, limit: Limit): Bar {
  const { bar, aim } = limit;
  return { what, value: times(value), limit: `at least ${bar}×${aimOf(aim, "×")}`, isMet: value >= bar };
}

/** A ratio as it is printed: two decimals, as long as they count. */
export function times(value: number): string {
  return `${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2)}×`;
}

function limitOf(limit: number | Limit): Limit {
  return typeof limit === "number" ? { bar: limit } : limit;
}

function aimOf(aim: number | undefined, unit: string): string {
  return aim === undefined ? "" : `, aim ${aim}${unit}`;
}

/** The findings of the parts of a suite, one after the other. */
export function joined(parts: readonly Findings[]): Findings {
  return {
    figures: parts.flatMap(({ figures }) => figures),
    ratios: parts.flatMap(({ ratios }) => ratios),
    bars: parts.flatMap(({ bars }) => bars),
    notes: parts.flatMap(({ notes }) => notes),
  };
}
