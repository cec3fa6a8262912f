/**
 * The door for options of a population search: every default with its unit and its reason.
 */
import { z } from "zod";
import type { Journal } from "../runtime/index.ts";
import type { Clock } from "../vault/index.ts";
import { systemClock } from "../vault/index.ts";
import { EvolutionError } from "./errors.ts";
import { defaultMutators } from "./mutation/default-mutators.ts";
import type { Mutator } from "./mutation/mutator.ts";
import { formHash } from "./mutation/normal-form.ts";
import type { SearchEvent } from "./population/events.ts";
import type { IslandRule } from "./population/island.ts";
import type { Problem } from "./population/problem.ts";
import type { ProgramRunner } from "./population/program-runner.ts";
import type { SearchProgress } from "./population/progress.ts";

/** When a search ends by itself. At least one of them; whichever comes first. */
export interface SearchBudget {
  /** Programs that are run; equal ones count once. */
  readonly evaluations?: number | undefined;
  readonly generations?: number | undefined;
  /** Wall time of this call, in ms. What is unfinished by then does not count: the result is that of the last whole generation. */
  readonly ms?: number | undefined;
  /** Looked at between two generations: the last one may spend more. Mutators that cost money have caps of their own. */
  readonly usd?: number | undefined;
}

/** Options of `evolve`. */
export interface EvolveOptions {
  readonly problem: Problem;
  /** Who proposes; each id once. Default: `defaultMutators()`, all that ask no model. */
  readonly mutators?: readonly Mutator[] | undefined;
  readonly budget: SearchBudget;
  /** Default 4. */
  readonly islands?: number | undefined;
  /** How the islands choose, in turn. Default lexicase, greedy, novelty, crossover. */
  readonly rules?: readonly IslandRule[] | undefined;
  /** Members per island, and children per island and generation. Default 16. */
  readonly populationPerIsland?: number | undefined;
  /** All chance begins with it. Default 1. */
  readonly seed?: number | undefined;
  /** Cells that run programs. Default 2. Changes nothing but the time. */
  readonly workers?: number | undefined;
  /** Steps of one call: function entries and turns of loops. Default 200,000. */
  readonly fuel?: number | undefined;
  /**
   * Names what a program says, however it is written: two of one form are one program, and only the first is run; `undefined`: it has
   * none. Default: its syntax tree, with variables renamed and constants worked out.
   */
  readonly formOf?: ((text: string) => string | undefined) | undefined;
  /** The search ends when the best program's mean score is this. Default 1. */
  readonly goal?: number | undefined;
  /** Folder of a vault of its own, where the run is kept: whoever calls again with the same options goes on where it ended. */
  readonly vault?: string | undefined;
  /** A journal to keep it in instead, of a runtime that is open (`runtime.journal`). */
  readonly journal?: Journal | undefined;
  /** Names the run in its vault. Default: the problem's name. */
  readonly runId?: string | undefined;
  /** Runs the programs; it stays open. Default: cells of this call's own. */
  readonly runner?: Pick<ProgramRunner, "run"> | undefined;
  /** How long one program's calls, or one score, may take before the evaluator counts as broken, in ms. Default 60 s. */
  readonly evaluationMs?: number | undefined;
  /** Told at most four times a second, and at the end. */
  readonly onProgress?: ((progress: SearchProgress) => void) | undefined;
  /** Told everything that is decided, in an order that repeats for a seed. Plain data: one line of JSON each. */
  readonly onEvent?: ((event: SearchEvent) => void) | undefined;
  /** Aborted: the search ends soon, with the last whole generation. It can be resumed. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** `EvolveOptions` with defaults filled in. */
export interface ParsedEvolveOptions {
  readonly problem: Problem;
  readonly mutators: readonly Mutator[];
  readonly budget: SearchBudget;
  readonly islands: number;
  readonly rules: readonly IslandRule[];
  readonly populationPerIsland: number;
  readonly seed: number;
  readonly workers: number;
  readonly fuel: number;
  readonly formOf: (text: string) => string | undefined;
  readonly goal: number;
  readonly vault: string | undefined;
  readonly journal: Journal | undefined;
  readonly runId: string;
  readonly runner: Pick<ProgramRunner, "run"> | undefined;
  readonly evaluationMs: number;
  readonly onProgress: (progress: SearchProgress) => void;
  readonly onEvent: (event: SearchEvent) => void;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
}

const DEFAULTS = {
  islands: 4, // with 16 members each: more than fifty programs at once
  populationPerIsland: 16,
  seed: 1,
  workers: 2,
  fuel: 200_000, // a few milliseconds of compiled code
  goal: 1,
  evaluationMs: 60_000,
} as const;

/** An island that is alone is the one with the widest record on test suites. */
const RULES: readonly IslandRule[] = ["lexicase", "greedy", "novelty", "crossover"];

/** Characters of a program. What is longer is not proposed. */
export const PROGRAM_CHARACTERS_MAX: number = 1 << 18;

const own = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === "function", { error: "must be a function" });
const thing = <T>(what: string): z.ZodType<T> =>
  z.custom<T>((value) => typeof value === "object" && value !== null, { error: `must be ${what}` });
const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);

const caseSchema = z.strictObject({ id: z.string().min(1).max(200), args: z.array(z.unknown()).readonly() });
const casesSchema = z.array(caseSchema).min(1).max(100_000).readonly();
const rangeSchema = z.strictObject({ start: z.number().int().min(0), end: z.number().int().min(0) });

// Not strict: a problem may be an instance of a class of its own.
const problemSchema = z.object({
  name: z.string().min(1).max(200),
  seeds: z
    .array(
      z
        .string()
        .max(PROGRAM_CHARACTERS_MAX, { error: `a program has at most ${PROGRAM_CHARACTERS_MAX} characters` })
        .refine((text) => text.trim() !== "", { error: "an empty program is no seed: give the text to begin with" }),
    )
    .min(1)
    .max(10_000),
  entry: z.string().min(1).max(200),
  cases: casesSchema,
  held: casesSchema.optional(),
  score: own<Problem["score"]>(),
  describe: own<NonNullable<Problem["describe"]>>().optional(),
  evolvable: z.array(rangeSchema).max(1_000).optional(),
});

const budgetSchema = z
  .strictObject({
    evaluations: count(1e9).optional(),
    generations: count(1e9).optional(),
    ms: z.number().positive().max(2_000_000_000).optional(), // what a timer can wait for
    usd: z.number().positive().max(1e6).optional(),
  })
  .refine((budget) => Object.values(budget).some((value) => value !== undefined), {
    error: "a search needs an end: evaluations, generations, ms or usd",
  });

const schema = z.strictObject({
  problem: z.unknown(),
  mutators: z
    .array(thing<Mutator>("a mutator"))
    .min(1, { error: "nobody would propose anything: name a mutator, or leave the option out" })
    .max(1_000)
    .optional(),
  budget: budgetSchema,
  islands: count(64).optional(),
  rules: z
    .array(z.enum(["greedy", "lexicase", "novelty", "crossover"]))
    .min(1)
    .max(64)
    .optional(),
  populationPerIsland: count(1_024).optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  workers: count(64).optional(),
  fuel: count(1e9).optional(),
  formOf: own<ParsedEvolveOptions["formOf"]>().optional(),
  goal: z.number().positive().max(1).optional(),
  vault: z.string().min(1).optional(),
  journal: thing<Journal>("a journal").optional(),
  runId: z.string().min(1).max(100).optional(),
  runner: thing<Pick<ProgramRunner, "run">>("a runner").optional(),
  evaluationMs: count(86_400_000).optional(),
  onProgress: own<ParsedEvolveOptions["onProgress"]>().optional(),
  onEvent: own<ParsedEvolveOptions["onEvent"]>().optional(),
  signal: z.instanceof(AbortSignal).optional(),
  clock: thing<Clock>("a clock").optional(),
});

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function parseEvolveOptions(input: EvolveOptions): ParsedEvolveOptions {
  const result = schema.safeParse(input);
  if (!result.success) throw invalid(result.error.issues);
  const { data } = result;
  const seen = problemSchema.safeParse(data.problem);
  if (!seen.success) throw invalid(seen.error.issues.map((issue) => ({ ...issue, path: ["problem", ...issue.path] })));
  const { problem } = input; // as it was given: its functions may need their `this`
  const issues = contradictions(input, problem);
  if (issues.length > 0) throw invalid(issues);
  return {
    problem,
    mutators: data.mutators ?? defaultMutators(),
    budget: data.budget,
    islands: data.islands ?? DEFAULTS.islands,
    rules: data.rules ?? RULES,
    populationPerIsland: data.populationPerIsland ?? DEFAULTS.populationPerIsland,
    seed: data.seed ?? DEFAULTS.seed,
    workers: data.workers ?? DEFAULTS.workers,
    fuel: data.fuel ?? DEFAULTS.fuel,
    formOf: data.formOf ?? formHash,
    goal: data.goal ?? DEFAULTS.goal,
    vault: data.vault,
    journal: data.journal,
    runId: data.runId ?? problem.name.slice(0, 100),
    runner: data.runner,
    evaluationMs: data.evaluationMs ?? DEFAULTS.evaluationMs,
    onProgress: data.onProgress ?? (() => undefined),
    onEvent: data.onEvent ?? (() => undefined),
    signal: data.signal,
    clock: data.clock ?? systemClock,
  };
}

/** Options that are right one by one, and not together. */
function contradictions({ vault, journal, mutators = [] }: EvolveOptions, problem: Problem): readonly Issue[] {
  const issues: Issue[] = [];
  const say = (path: readonly string[], message: string): void => void issues.push({ path, message });
  if (vault !== undefined && journal !== undefined) say(["journal"], "give a vault or a journal, not both");
  const ids = mutators.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) say(["mutators"], `two mutators are called ${twice}`);
  for (const key of ["cases", "held"] as const) {
    const known = new Set<string>();
    for (const { id } of problem[key] ?? []) {
      if (known.has(id)) say(["problem", key], `two cases are called ${id}`);
      known.add(id);
    }
  }
  const { evolvable = [], seeds } = problem;
  if (evolvable.length > 0 && seeds.length > 1)
    say(["problem", "evolvable"], "ranges are places of one text: give one seed with them");
  const ordered = evolvable.toSorted((a, b) => a.start - b.start);
  for (const [index, { start, end }] of ordered.entries()) {
    if (start > end || end > (seeds[0]?.length ?? 0) || start < (ordered[index - 1]?.end ?? 0))
      say(["problem", "evolvable"], `${start}..${end} is empty from behind, leaves the seed or overlaps another range`);
  }
  return issues;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function invalid(found: readonly Issue[]): EvolutionError {
  const issues = found.map(({ path, message }) => ({ path: path.map(String).join("."), message }));
  const lines = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return new EvolutionError("EVOLUTION_OPTIONS_INVALID", `evolve: ${lines.join("; ")}`, { details: { issues } });
}
