/**
 * What an experiment was asked to do. Pure: the words after the command in, a request out. A word it does not know is refused, as
 * is a budget without a unit: a run of the wrong length is a wrong figure.
 */
import { parseArgs } from "node:util";

/** When a seed's search ends: by time (the machine decides how far it gets) or by count (the same everywhere). */
export type Budget =
  | { readonly kind: "ms"; readonly ms: number }
  | { readonly kind: "evaluations"; readonly evaluations: number };

/** What to run. */
export interface ExperimentRun {
  readonly kind: "run";
  /** Every one is run and reported, none is chosen. */
  readonly seeds: readonly number[];
  /** For each seed. */
  readonly budget: Budget;
  /** A folder with what the experiment does not make by itself. */
  readonly data: string | undefined;
  readonly workers: number;
  /** Whether somebody said how many. */
  readonly areWorkersSaid: boolean;
  readonly isJson: boolean;
  /** A folder in which the run is kept, to be resumed. */
  readonly vault: string | undefined;
  /** Files for the events of each search, and for its report; with several searches each has its name in the file's. */
  readonly events: string | undefined;
  readonly report: string | undefined;
}

/** What the words mean. */
export type ExperimentRequest =
  | ExperimentRun
  | { readonly kind: "help" }
  | { readonly kind: "refused"; readonly message: string };

/** What is taken where nothing is said. */
export interface ArgumentDefaults {
  readonly seeds: readonly number[];
  readonly budget: Budget;
  readonly workers: number;
}

/** Seeds of one command. */
const SEEDS_MAX = 100;
/** Cells of one command. */
const WORKERS_MAX = 64;
const SEED_MAX = 0xffff_ffff;

const options = {
  seed: { type: "string" },
  seeds: { type: "string" },
  budget: { type: "string" },
  data: { type: "string" },
  workers: { type: "string" },
  vault: { type: "string" },
  events: { type: "string" },
  report: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Reads `argv` (without the names of Node and of the script). */
export function parseExperimentArguments(argv: readonly string[], defaults: ArgumentDefaults): ExperimentRequest {
  try {
    const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
    if (values.help) return { kind: "help" };
    if (values.seed !== undefined && values.seeds !== undefined) return refused("--seed and --seeds: say one of them");
    const said = values.seed ?? values.seeds;
    const seeds = said === undefined ? defaults.seeds : parseSeeds(said);
    if (seeds === undefined) return refused(`seeds are numbers like 7, 1,2,3 or 1..5 (at most ${SEEDS_MAX}): ${said}`);
    const budget = values.budget === undefined ? defaults.budget : parseBudget(values.budget);
    if (budget === undefined)
      return refused(`a budget is a time like 90s, 10m, 2h, or a count of evaluations like 20000e: ${values.budget}`);
    const workers = values.workers === undefined ? defaults.workers : count(values.workers, WORKERS_MAX);
    if (workers === undefined) return refused(`--workers takes a number from 1 to ${WORKERS_MAX}: ${values.workers}`);
    const { data, vault, events, report } = values;
    if ([data, vault, events, report].includes("")) return refused("a file or a folder has a name");
    const areWorkersSaid = values.workers !== undefined;
    return { kind: "run", seeds, budget, workers, areWorkersSaid, isJson: values.json, data, vault, events, report };
  } catch (error) {
    if (!isUsageError(error)) throw error;
    return refused(error.message.split("\n")[0] ?? "");
  }
}

/** `1..5` or `1,2,3`; each once. */
function parseSeeds(text: string): readonly number[] | undefined {
  const range = /^(\d{1,10})\.\.(\d{1,10})$/.exec(text);
  if (range === null) {
    const seeds = text.split(",").map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : -1));
    const areFine = seeds.every((seed) => seed >= 0 && seed <= SEED_MAX) && new Set(seeds).size === seeds.length;
    return areFine && seeds.length <= SEEDS_MAX ? seeds : undefined;
  }
  const from = Number(range[1]);
  const to = Number(range[2]);
  if (to < from || to > SEED_MAX || to - from >= SEEDS_MAX) return undefined;
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A time with its unit, or evaluations; `undefined` for anything else, nothing, and zero. */
export function parseBudget(text: string): Budget | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|e)$/.exec(text);
  const amount = Number(match?.[1]);
  if (match === null || amount === 0) return undefined;
  const unit = UNITS_MS[match[2] ?? ""];
  return unit === undefined ? { kind: "evaluations", evaluations: amount } : { kind: "ms", ms: amount * unit };
}

/** A budget as it is written on the command line. */
export function budgetText(budget: Budget): string {
  if (budget.kind === "evaluations") return `${budget.evaluations}e`;
  const unit = ["h", "m", "s"].find((unit) => budget.ms % (UNITS_MS[unit] ?? 1) === 0) ?? "ms";
  return `${budget.ms / (UNITS_MS[unit] ?? 1)}${unit}`;
}

function count(text: string, max: number): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? value : undefined;
}

function refused(what: string): ExperimentRequest {
  return { kind: "refused", message: `${what}\n--help says what there is.` };
}

function isUsageError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
