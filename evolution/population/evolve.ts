/**
 * `evolve`: searches for better programs. The shell around `Search`: it asks mutators and cells, keeps the journal, watches the
 * budget, and decides nothing else.
 *
 *   plan ──> propose (a few ahead) ──> first cases (bounded) ──> cascade ──> commit ──> journal
 *     ^                                                                                   |
 *     `-----------------------------------------------------------------------------------'
 *
 * Invariants
 * 1. Equal options give equal results and equal hashes, with any number of workers, and in any number of pieces: a run that is killed
 *    and begun again ends as if nothing had been.
 * 2. Only whole generations count for what comes behind them. Time ends a run, and decides nothing in it. A budget of evaluations
 *    may cut the last one: the result has what was run, and a larger budget makes that generation whole first.
 * 3. Whatever ends it early (a fault, a signal, a kill) leaves what was kept; who calls again goes on there.
 */
import { createHash } from "node:crypto";
import { Journal } from "../../runtime/index.ts";
import { encode } from "../../sandbox/index.ts";
import { Vault, VAULT_SETTINGS } from "../../vault/index.ts";
import type { Clock } from "../../vault/index.ts";
import { EvolutionError } from "../errors.ts";
import { parseEvolveOptions } from "../population-options.ts";
import type { EvolveOptions, ParsedEvolveOptions, SearchBudget } from "../population-options.ts";
import type { Elite } from "./archive.ts";
import { Evaluator } from "./evaluator.ts";
import type { RunEnd, SearchEvent } from "./events.ts";
import { Generation } from "./generation.ts";
import type { Individual } from "./individual.ts";
import { ProgressTeller } from "./progress.ts";
import { Proposer } from "./proposer.ts";
import { openRunner } from "./run/runner.ts";
import type { RunIdentity } from "./run-journal.ts";
import { RunJournal } from "./run-journal.ts";
import { Search } from "./search.ts";
import { Spectra } from "./spectra.ts";

/** What a search found. */
export interface EvolveResult {
  readonly runId: string;
  readonly best: Individual;
  /** The first parents, as they were run. */
  readonly seeds: readonly Individual[];
  /** Mean score of the best on the held cases, where there are some. */
  readonly held: number | undefined;
  /** The best of each kind, in the order of their cells. */
  readonly archive: readonly Elite[];
  /** Each program that does some case best. */
  readonly holders: readonly Individual[];
  /** The populations, island by island, the best first. */
  readonly islands: readonly (readonly Individual[])[];
  /** Of everything that was known after each generation. */
  readonly hash: string;
  readonly why: RunEnd;
  readonly generations: number;
  /** Programs that were run. */
  readonly evaluations: number;
  /** Proposals that were looked at; those that were not new were not run. */
  readonly proposals: number;
  readonly usd: number;
}

/** Proposals in a row without a new program: the search has seen what its mutators know. */
const STALE_PROPOSALS_MAX = 20_000;
/** Programs in work per worker: enough that none waits for the Guardian. */
const IN_WORK_PER_WORKER = 4;
/** No id of a program begins like this. */
const FORM = "=";
/** Bytes of one case's arguments, or of all seeds. */
const IDENTITY_BYTES_MAX = 1 << 28;

/**
 * Searches until the goal or a budget is reached, and resolves with what was found. With a vault or a journal a run of the same name is
 * resumed: it repeats what is kept without asking mutators or cells, and goes on; a larger budget is the same run. Rejects with
 * EVOLUTION_OPTIONS_INVALID, EVOLUTION_RUN_MISMATCH, EVOLUTION_SEED_UNFIT, EVOLUTION_EVALUATOR_FAILED,
 * EVOLUTION_MUTATOR_FAILED, EVOLUTION_REPLAY_DIVERGED, and what opening a vault rejects with. A signal that is aborted is no error
 * once the seeds were run; before, it rejects with the signal's reason.
 */
export async function evolve(options: EvolveOptions): Promise<EvolveResult> {
  const parsed = parseEvolveOptions(options);
  await using stack = new AsyncDisposableStack();
  const journal = new RunJournal(await journalOf(parsed, stack), parsed.problem.cases);
  const kept = journal.identify(identityOf(parsed));
  requireSame(kept, identityOf(parsed), parsed.runId);
  const runner = parsed.runner ?? stack.use(await openRunner({ workers: parsed.workers }));
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  if (parsed.budget.ms !== undefined) {
    const timer = parsed.clock.after(parsed.budget.ms, () => ending.abort(TIME_OVER));
    stack.defer(() => timer.cancel());
  }
  const signal = parsed.signal === undefined ? ending.signal : AbortSignal.any([parsed.signal, ending.signal]);
  const run = new Run({ options: parsed, journal, signal, runner });
  try {
    return await run.toEnd();
  } catch (error) {
    ending.abort(error); // nothing that was begun goes on
    await journal.flushed();
    throw error;
  }
}

/** Why the signal is aborted when the time is over. */
const TIME_OVER = new Error("the time of this search is over");

interface RunParts {
  readonly options: ParsedEvolveOptions;
  readonly journal: RunJournal;
  readonly signal: AbortSignal;
  readonly runner: NonNullable<ParsedEvolveOptions["runner"]>;
}

/** One call of `evolve`. */
class Run {
  readonly #options: ParsedEvolveOptions;
  readonly #journal: RunJournal;
  readonly #signal: AbortSignal;
  readonly #search: Search;
  /** For the held cases: it goes on when the time is over. */
  readonly #judge: Evaluator;
  readonly #generation: Generation;
  readonly #progress: ProgressTeller;
  #seeds: readonly Individual[] = [];

  constructor({ options, journal, signal, runner }: RunParts) {
    const { problem, mutators, fuel, evaluationMs, workers, clock, budget, onProgress, seed } = options;
    const inWorkMax = workers * IN_WORK_PER_WORKER;
    this.#options = options;
    this.#journal = journal;
    this.#signal = signal;
    this.#search = new Search(options);
    const evaluator = new Evaluator({ problem, runner, fuel, evaluationMs, inWorkMax, clock, signal });
    const untilAborted = options.signal ?? new AbortController().signal;
    this.#judge = new Evaluator({ problem, runner, fuel, evaluationMs, inWorkMax, clock, signal: untilAborted });
    const isNew = (program: Pick<Individual, "id" | "text">): boolean => this.#isNew(program);
    const spectra = new Spectra({ evaluator, problem });
    const coverageOf = (parent: Individual): ReturnType<Spectra["of"]> => spectra.of(parent);
    const proposer = new Proposer({ journal, mutators, clock, signal, coverageOf, isNew });
    this.#generation = new Generation({ evaluator, proposer, journal, seed, problem });
    this.#progress = new ProgressTeller(clock, budget, onProgress);
  }

  async toEnd(): Promise<EvolveResult> {
    const { runId, problem, seed, islands, populationPerIsland, mutators, budget } = this.#options;
    const search = this.#search;
    this.#tell({
      type: "run.started",
      runId,
      problem: problem.name,
      seed,
      cases: problem.cases.length,
      islands,
      populationPerIsland,
      mutators: mutators.map(({ id }) => id),
    });
    await this.#seed();
    let why = this.#whyEnd();
    while (why === undefined) why = (await this.#oneGeneration(budget)) ?? this.#whyEnd();
    await this.#journal.flushed();
    search.archive.freeze();
    this.#tell({ type: "run.ended", why, generation: search.generation, hash: search.hash });
    this.#tellProgress(true);
    return await this.#result(why);
  }

  /** Without seeds that were run there is no result at all. */
  async #seed(): Promise<void> {
    this.#journal.beginGeneration();
    const seeds = await this.#generation
      .seeds((program) => this.#isNew(program))
      .catch((error: unknown) => {
        if (error !== TIME_OVER) throw error;
        const text = "evolve: budget.ms: to run the seeds alone takes longer";
        throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", text, { cause: error });
      });
    if (seeds.every(({ scores }) => scores.length === 0)) throw this.#unfit(seeds);
    this.#seeds = seeds;
    const events = this.#search.seeded(seeds);
    await this.#journal.endGeneration(this.#search.generation, this.#search.hash);
    this.#tellAll(events);
  }

  /** The cheap look first: most of what is not new is the same text. */
  #isNew({ id, text }: Pick<Individual, "id" | "text">): boolean {
    const { seen } = this.#search;
    if (!seen.add(id)) return false;
    const form = this.#options.formOf(text);
    return form === undefined || seen.add(`${FORM}${form}`);
  }

  async #oneGeneration(budget: SearchBudget): Promise<RunEnd | undefined> {
    const search = this.#search;
    const left = (budget.evaluations ?? Infinity) - search.evaluations;
    this.#journal.beginGeneration();
    try {
      const slots = search.plan();
      const filled = await this.#generation.fill(slots, search.generation + 1, left);
      this.#signal.throwIfAborted();
      if (filled.length === 0) return "spent";
      const events = search.commit(filled);
      const isWhole = filled.length === slots.length;
      const children = filled.filter(({ child }) => child !== undefined).length;
      if (isWhole) await this.#journal.endGeneration(search.generation, search.hash);
      else await this.#journal.cutGeneration(children, search.hash);
      this.#tellAll(events);
      if (!isWhole) return this.#whyEnd() ?? "spent";
    } catch (error) {
      if (!this.#signal.aborted || error !== this.#signal.reason) throw error;
      return this.#signal.reason === TIME_OVER ? "ms" : "aborted";
    }
    return undefined;
  }

  /** What is on record is told. */
  #tellAll(events: readonly SearchEvent[]): void {
    for (const event of events) this.#tell(event);
    this.#tellProgress(false);
  }

  #whyEnd(): RunEnd | undefined {
    const { budget, goal } = this.#options;
    const { best, evaluations, generation, usd, staleProposals } = this.#search;
    if (best.score >= goal) return "goal";
    if (evaluations >= (budget.evaluations ?? Infinity)) return "evaluations";
    if (generation >= (budget.generations ?? Infinity)) return "generations";
    if (usd >= (budget.usd ?? Infinity)) return "usd";
    if (staleProposals >= STALE_PROPOSALS_MAX) return "exhausted";
    return this.#signal.aborted ? (this.#signal.reason === TIME_OVER ? "ms" : "aborted") : undefined;
  }

  async #result(why: RunEnd): Promise<EvolveResult> {
    const { runId, problem } = this.#options;
    const { best, archive, holders, islands, hash, generation, evaluations, proposals, usd } = this.#search;
    const { held = [] } = problem;
    const isHeldAsked = held.length > 0 && this.#options.signal?.aborted !== true;
    return {
      runId,
      best,
      seeds: this.#seeds,
      held: isHeldAsked ? await this.#judge.held(best.id, best.text, held) : undefined,
      archive: archive.elites(),
      holders: holders.members(),
      islands: islands.map((members) => members.map(({ individual }) => individual)),
      hash,
      why,
      generations: generation,
      evaluations,
      proposals,
      usd,
    };
  }

  #unfit(seeds: readonly Individual[]): EvolutionError {
    const reason = seeds[0]?.failures.map(({ outcome }) => ("reason" in outcome ? outcome.reason : outcome.kind))[0];
    return new EvolutionError(
      "EVOLUTION_SEED_UNFIT",
      `${this.#options.problem.name}: no seed can be run (${reason ?? "unknown"}); give one that has a function ${this.#options.problem.entry}`,
      { details: { seeds: seeds.map(({ id }) => id) } },
    );
  }

  #tell(event: SearchEvent): void {
    this.#options.onEvent(event);
  }

  #tellProgress(isEnd: boolean): void {
    const { generation, evaluations, best, usd } = this.#search;
    this.#progress.told({ generation, evaluations, best: best.score, usd, isReplay: this.#journal.isReplay }, isEnd);
  }
}

/** Where the run is kept; a vault that is opened for it is closed with the stack. */
async function journalOf(
  { vault: path, journal, runId, clock }: ParsedEvolveOptions,
  stack: AsyncDisposableStack,
): Promise<Journal | undefined> {
  if (path === undefined) return journal;
  const vault = await openVault(path, clock);
  stack.defer(() => vault.close());
  return await Journal.open(vault, `population:${runId}`);
}

function openVault(path: string, clock: Clock): Promise<Vault> {
  return Vault.open({ path, clock, durability: "disk", onEvent: () => undefined, ...VAULT_SETTINGS });
}

/** What must be the same for a run to go on. Not the budget, not the workers. */
function identityOf(options: ParsedEvolveOptions): RunIdentity {
  const { problem, mutators, islands, rules, populationPerIsland, seed, fuel } = options;
  const cases = createHash("sha256");
  for (const { id, args } of problem.cases) cases.update(`${id} ${textOf(args)}\n`);
  return {
    version: 2,
    problem: problem.name,
    entry: problem.entry,
    seeds: hashOf(problem.seeds),
    evolvable: hashOf(problem.evolvable ?? []),
    cases: cases.digest("hex").slice(0, 32),
    mutators: mutators.map(({ id }) => id).join(" "),
    rules: rules.join(" "),
    islands,
    populationPerIsland,
    seed,
    fuel,
  };
}

function textOf(value: unknown): string {
  return encode(value, { bytesMax: IDENTITY_BYTES_MAX });
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(textOf(value)).digest("hex").slice(0, 32);
}

function requireSame(kept: RunIdentity, wanted: RunIdentity, runId: string): void {
  const differs = Object.keys({ ...kept, ...wanted }).filter((key) => kept[key] !== wanted[key]);
  if (differs.length === 0) return;
  const list = differs.map((key) => `${key} (${kept[key]}, now ${wanted[key]})`).join(", ");
  throw new EvolutionError(
    "EVOLUTION_RUN_MISMATCH",
    `${runId} was begun with other ${list}; give it another runId, or go on with what it was begun with`,
    { details: { runId, differs } },
  );
}
