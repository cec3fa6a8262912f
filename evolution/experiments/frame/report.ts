/**
 * The report of an experiment: every seed, the median and the spread, and what others published under which protocol. Pure.
 */
import { budgetText, type Budget } from "./arguments.ts";
import type { Experiment, FigureKind, SeedReport } from "./experiment.ts";

/** One seed of a run. */
export interface SeedResult {
  readonly seed: number;
  readonly ms: number;
  readonly report: SeedReport;
}

/** A run of an experiment. */
export interface ExperimentReport {
  readonly experiment: string;
  readonly budget: string;
  readonly workers: number;
  readonly machine: string;
  /** Seeds that were asked for and not run: Ctrl-C came first. */
  readonly missing: readonly number[];
  /** The last seed was cut short. */
  readonly isCutShort: boolean;
  readonly seeds: readonly SeedResult[];
  readonly figures: Readonly<Record<string, Spread>>;
}

/** How a figure varies over the seeds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value, the mean of the two middle ones where their number is even; NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** Puts a run together. */
export function experimentReport(
  experiment: Experiment,
  run: {
    readonly budget: Budget;
    readonly workers: number;
    readonly machine: string;
    readonly asked: readonly number[];
    readonly isCutShort: boolean;
    readonly seeds: readonly SeedResult[];
  },
): ExperimentReport {
  const done = new Set(run.seeds.map(({ seed }) => seed));
  return {
    experiment: experiment.name,
    budget: budgetText(run.budget),
    workers: run.workers,
    machine: run.machine,
    missing: run.asked.filter((seed) => !done.has(seed)),
    isCutShort: run.isCutShort,
    seeds: run.seeds,
    figures: Object.fromEntries(experiment.figures.map((kind) => [kind.id, spreadOf(kind, run.seeds)])),
  };
}

function spreadOf({ id }: FigureKind, seeds: readonly SeedResult[]): Spread {
  const values = seeds.map(({ report }) => report.figures[id] ?? Number.NaN);
  return { median: medianOf(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The report as text. */
export function renderExperiment(experiment: Experiment, report: ExperimentReport): string {
  return [
    `${experiment.name}: ${experiment.what}`,
    `${report.machine}, ${report.workers} workers, budget ${report.budget} per seed`,
    "",
    ...seedLines(experiment.figures, report),
    ...report.seeds.flatMap(({ seed, report }) => ["", `seed ${seed}`, ...report.notes.map((note) => `  ${note}`)]),
    "",
    ...experiment.published.map(({ who, value, protocol }) => `published  ${who}: ${value} (${protocol})`),
    ...experiment.caveats.map((caveat) => `note       ${caveat}`),
    ...cutLines(report),
    "",
  ].join("\n");
}

function seedLines(kinds: readonly FigureKind[], { seeds, figures }: ExperimentReport): readonly string[] {
  return kinds.flatMap((kind) => {
    const values = seeds.map(({ seed, report }) => `seed ${seed}: ${figureText(kind, report.figures[kind.id])}`);
    const spread = figures[kind.id];
    const summary =
      seeds.length < 2
        ? ""
        : `  median ${figureText(kind, spread?.median)}, from ${figureText(kind, spread?.min)} to ${figureText(kind, spread?.max)}`;
    const all = values.length === 0 ? "none" : values.join(", ");
    return [`${kind.title} (${kind.better} is better)`, `  ${all}`, ...(summary === "" ? [] : [summary])];
  });
}

function figureText({ digits, unit }: FigureKind, value: number | undefined): string {
  const text = value === undefined || Number.isNaN(value) ? "none" : value.toFixed(digits);
  return unit === "" || text === "none" ? text : `${text} ${unit}`;
}

function cutLines({ missing, isCutShort, seeds }: ExperimentReport): readonly string[] {
  return [
    ...(isCutShort && seeds.length > 0 ? ["stopped    the last seed did not have its whole budget"] : []),
    ...(missing.length > 0 ? [`stopped    not run: seeds ${missing.join(", ")}`] : []),
  ];
}
