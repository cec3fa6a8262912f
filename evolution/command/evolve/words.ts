/** The words of `planaria evolve`: what was typed in, options of a search out. Pure. */
import { budgetText, parseBudget, type Budget } from "../../experiments/frame/arguments.ts";
import type { SearchBudget } from "../../population-options.ts";
import { Misused } from "../vault-verb.ts";

/** As commander hands them over. */
export interface TypedWords {
  readonly seed?: string;
  readonly budget?: string;
  readonly workers?: string;
  readonly islands?: string;
  readonly vault?: string;
  readonly run?: string;
  readonly events?: string;
  readonly report?: string;
  readonly out?: string;
  readonly json?: true;
}

/** What they mean; what was not said is left out, and has the default of `evolve`. */
export interface EvolveWords {
  readonly budget: SearchBudget;
  readonly budgetText: string;
  readonly seed: number;
  readonly workers?: number;
  readonly islands?: number;
  readonly vault?: string;
  readonly runId?: string;
}

/** Enough to see what a problem is like. */
const BUDGET: Budget = { kind: "ms", ms: 60_000 };
const SEED = 1;
const SEED_MAX = 0xffff_ffff;
const WORKERS_MAX = 64;
const ISLANDS_MAX = 64;

/** Reads the words. Throws Misused with the word and what it takes. */
export function wordsOf(typed: TypedWords): EvolveWords {
  const named = ["vault", "run", "events", "report", "out"] as const;
  const empty = named.find((name) => typed[name] === "");
  if (empty !== undefined) throw new Misused(`--${empty} has no name behind it`);
  const budget = typed.budget === undefined ? BUDGET : parseBudget(typed.budget);
  if (budget === undefined)
    throw new Misused(
      `--budget takes a time like 90s, 10m, 2h, or programs to run like 20000e, and more than none: ${typed.budget}`,
    );
  if (typed.run !== undefined && typed.vault === undefined)
    throw new Misused("--run names a run in a vault: say which with --vault <folder>");
  return {
    budget: budget.kind === "ms" ? { ms: budget.ms } : { evaluations: budget.evaluations },
    budgetText: budgetText(budget),
    seed: typed.seed === undefined ? SEED : number("seed", typed.seed, { min: 0, max: SEED_MAX }),
    ...(typed.workers === undefined ? {} : { workers: number("workers", typed.workers, { min: 1, max: WORKERS_MAX }) }),
    ...(typed.islands === undefined ? {} : { islands: number("islands", typed.islands, { min: 1, max: ISLANDS_MAX }) }),
    ...(typed.vault === undefined ? {} : { vault: typed.vault }),
    ...(typed.run === undefined ? {} : { runId: typed.run }),
  };
}

function number(word: string, text: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value < min || value > max) throw new Misused(`--${word} takes a number from ${min} to ${max}: ${text}`);
  return value;
}

/** The command that goes on with a run: what was typed, and the names it was kept under. Each part as a shell takes it. */
export function resumeCommand(file: string, typed: TypedWords): string {
  const words = Object.entries(typed).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
  return ["planaria", "evolve", file, ...words].map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
