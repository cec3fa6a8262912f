/**
 * The search for a repair of one program. It can be paused after any number of trials and taken up again, so that many tasks share
 * one budget.
 *
 *     program --neighbours--> single edits, the likely ones first --> passes? done
 *                                  '-- improves? --> pool --> its neighbours, and what improved together
 *
 * Invariants
 * 1. The same problem and seed give the same trials in the same order, whatever the number of workers: results are taken in the
 *    order in which they were asked for.
 * 2. A text is tried once.
 * 3. Only `problem.guiding` guides.
 */
import { seededRandom, type Random } from "../../../runtime/index.ts";
import { areApart, applyEdits, type Edit } from "../../mutation/edit.ts";
import type { ProgramRunner } from "../../population/program-runner.ts";
import { neighboursOf, type Neighbour, type Suspicion } from "./neighbours.ts";
import { Pool, sum, type Parent, type Patch } from "./pool.ts";
import type { RepairProblem } from "./program.ts";
import { suspicionOf } from "./suspicion.ts";
import { FUEL_MAX, fuelFor, tryProgram, type TrialResult } from "./trial.ts";

/** Trials that are asked for together. The same for any number of workers, or results would differ. */
const BATCH = 32;
/** Failing cases that a neighbour is tried on first: who changes none of them is not tried on the others. */
const PROBES = 4;
/** Steps from the given program. */
const STEPS_MAX = 8;
/** Improving neighbours of one parent that are put together. */
const SIBLINGS_MAX = 12;
/** Programs that answer differently, but no better: where nothing improves, the search goes on from them. */
const DIFFERENT_MAX = 48;
/** Passing patches that are kept, to choose from. */
const PASSING_MAX = 256;
/** Single edits that are so much less likely than one that passes are not tried, where one is chosen among all that pass. */
const UNLIKELY = 0.03;
/** Trials beyond the first passing patch of several steps. */
const AFTERWARDS = 600;

/** A text to be tried, and where it comes from. */
interface Proposal {
  readonly text: string;
  readonly parent: Parent;
  readonly operators: readonly string[];
  readonly weight: number;
  /** On the parent's text. */
  readonly edits: readonly Edit[];
}

/** See the header. */
export class RepairSearch {
  readonly problem: RepairProblem;
  readonly #random: Random;
  /** `first`: done with the first patch that passes. `every`: all single edits are tried, to choose among those that pass. */
  readonly #mode: "first" | "every";
  readonly #pool: Pool;
  readonly #passing: Patch[] = [];
  readonly #seen = new Set<string>();
  readonly #siblings = new Map<Parent, Proposal[]>();
  readonly #different = new Map<string, Patch>();
  #unions: Proposal[] = [];
  #suspicion: Suspicion = () => 1;
  #original: Patch | undefined;
  #evaluations = 0;
  #turns = 0;
  #deadline = Infinity;
  #isExhausted = false;
  #isGivenDone = false;
  #fuel = FUEL_MAX;

  constructor(problem: RepairProblem, options: { readonly seed: number; readonly mode: "first" | "every" }) {
    this.problem = problem;
    this.#mode = options.mode;
    this.#pool = new Pool(options.mode === "first" ? "likeliest first" : "given first");
    this.#random = seededRandom(options.seed);
  }

  /** Programs that were run. */
  get evaluations(): number {
    return this.#evaluations;
  }

  /** Patches that pass every case, in the order in which they were found. */
  get passing(): readonly Patch[] {
    return this.#passing;
  }

  /** What the program did as it was given; `undefined` before the first trial. */
  get original(): Patch | undefined {
    return this.#original;
  }

  /** Nothing is left to try, or what was looked for is found. */
  get isOver(): boolean {
    if (this.#isExhausted || this.#evaluations >= this.#deadline) return true;
    return this.#mode === "first" && this.#passing.length > 0;
  }

  /** Tries up to about so many programs more. `mayGoOn` is asked between batches. */
  async advance(
    runner: ProgramRunner,
    options: { readonly evaluations: number; readonly signal: AbortSignal; readonly mayGoOn: () => boolean },
  ): Promise<void> {
    const end = this.#evaluations + options.evaluations;
    if (this.#original === undefined) await this.#begin(runner, options.signal);
    while (!this.isOver && this.#evaluations < end && options.mayGoOn()) {
      const batch = this.#nextBatch();
      if (batch.length > 0) await this.#tryBatch(runner, batch, options.signal);
    }
  }

  async #begin(runner: ProgramRunner, signal: AbortSignal): Promise<void> {
    const { text } = this.problem;
    const trial = await tryProgram(runner, this.problem, this.problem.guiding, { fuel: FUEL_MAX, signal });
    this.#suspicion = await suspicionOf(
      runner,
      this.problem,
      trial.grades.map((grade) => grade === 1),
      signal,
    );
    this.#fuel = fuelFor(trial.fuelUsed);
    this.#evaluations += 2;
    this.#seen.add(text);
    this.#original = { text, operators: [], weight: 1, trial };
    this.#pool.begin(this.#original);
  }

  #nextBatch(): readonly Proposal[] {
    const batch: Proposal[] = this.#mayUnite
      ? this.#unions.splice(0, BATCH).filter(({ text }) => this.#isNew(text))
      : [];
    if (batch.length > 0) return batch;
    const parent = this.#pool.choose(this.#turns++, this.#random);
    if (parent === undefined) {
      this.#goOnFromDifferent();
      return [];
    }
    parent.turns++;
    parent.neighbours ??= neighboursOf(parent.text, this.#ground(parent));
    while (batch.length < BATCH) {
      const neighbour = parent.neighbours[parent.tried++];
      if (neighbour === undefined || this.#isIdle(parent, neighbour)) break;
      if (this.#isNew(neighbour.text)) batch.push(proposalOf(parent, neighbour));
    }
    const next = parent.neighbours[parent.tried];
    if (next === undefined || this.#isIdle(parent, next)) this.#leave(parent);
    return batch;
  }

  /** A single edit so unlikely that nobody would choose it before one that passes. */
  #isIdle(parent: Parent, { weight }: Neighbour): boolean {
    const likeliest = Math.max(0, ...this.#passing.map(({ weight }) => weight));
    return parent.operators.length === 0 && weight < likeliest * UNLIKELY;
  }

  /** What improved together is one step more: where one patch is chosen among many, single edits come first. */
  get #mayUnite(): boolean {
    return this.#mode === "first" || this.#isGivenDone;
  }

  #ground({ text }: Parent): Parameters<typeof neighboursOf>[1] {
    const { within, hints } = this.problem;
    const grown = text.length - this.problem.text.length;
    return { within: { start: within.start, end: within.end + grown }, hints, suspicion: this.#suspicion };
  }

  #isNew(text: string): boolean {
    if (this.#seen.has(text)) return false;
    this.#seen.add(text);
    return true;
  }

  /** All its neighbours were tried. */
  #leave(parent: Parent): void {
    this.#pool.drop(parent);
    this.#siblings.delete(parent);
    if (parent.operators.length === 0) this.#isGivenDone = true;
    // Every single edit that counts is tried: what passes now is enough to choose from.
    if (parent.operators.length === 0 && this.#passing.length > 0) this.#isExhausted = true;
  }

  /** Nothing that improved is left: two steps may, where one does not. */
  #goOnFromDifferent(): void {
    if (this.#different.size === 0) this.#isExhausted = true;
    for (const patch of this.#different.values()) this.#pool.add(patch);
    this.#different.clear();
  }

  async #tryBatch(runner: ProgramRunner, batch: readonly Proposal[], signal: AbortSignal): Promise<void> {
    this.#evaluations += batch.length;
    const trials = await Promise.all(batch.map((proposal) => this.#try(runner, proposal, signal)));
    for (const [index, proposal] of batch.entries()) {
      const trial = trials[index];
      if (trial !== undefined) this.#take(proposal, trial);
    }
  }

  /** On what its parent fails first; `undefined` where nothing of that got better. */
  async #try(runner: ProgramRunner, { text, parent }: Proposal, signal: AbortSignal): Promise<TrialResult | undefined> {
    const { entry, guiding } = this.problem;
    const { cases } = guiding;
    const failing = cases.map((_, index) => index).filter((index) => (parent.trial.grades[index] ?? 0) < 1);
    const probes = failing.slice(0, PROBES);
    if (probes.length > 0 && cases.length > PROBES + 1) {
      const probed = probes.map((index) => cases[index]).filter((test) => test !== undefined);
      const first = await tryProgram(runner, { text, entry }, { cases: probed }, { fuel: this.#fuel, signal });
      const isBetter = first.grades.some((grade, at) => grade > (parent.trial.grades[probes[at] ?? 0] ?? 0) + 1e-9);
      const isDifferent =
        parent.operators.length === 0 && this.#different.size < DIFFERENT_MAX && sum(first.grades) > 0;
      if (!isBetter && !isDifferent) return undefined;
    }
    return await tryProgram(runner, { text, entry }, guiding, { fuel: this.#fuel, signal });
  }

  #take(proposal: Proposal, trial: TrialResult): void {
    const { parent, text, operators, weight } = proposal;
    const patch: Patch = { text, operators, weight, trial };
    if (trial.passed === trial.grades.length) return this.#takePassing(patch);
    if (operators.length >= STEPS_MAX) return;
    const { grades } = parent.trial;
    const isFlip = trial.grades.some((grade, index) => grade === 1 && (grades[index] ?? 0) < 1);
    const isBetter = isFlip || sum(trial.grades) > sum(grades) + 1e-9;
    if (isBetter) {
      this.#pool.add(patch);
      this.#unite(proposal);
    } else if (parent.operators.length === 0 && trial.signature !== parent.trial.signature) {
      const known = this.#different.get(trial.signature);
      if (known === undefined ? this.#different.size < DIFFERENT_MAX : known.weight < weight)
        this.#different.set(trial.signature, patch);
    }
  }

  #takePassing(patch: Patch): void {
    if (this.#passing.length < PASSING_MAX) this.#passing.push(patch);
    if (patch.operators.length > 1 && this.#deadline === Infinity) this.#deadline = this.#evaluations + AFTERWARDS;
  }

  /** With each neighbour of the same parent that improved something, too. */
  #unite(proposal: Proposal): void {
    const siblings = this.#siblings.get(proposal.parent) ?? [];
    this.#siblings.set(proposal.parent, siblings);
    for (const sibling of siblings) {
      if (!areApart(sibling.edits, proposal.edits)) continue;
      const edits = [...sibling.edits, ...proposal.edits];
      const operators = [...sibling.operators, ...proposal.operators.slice(proposal.parent.operators.length)];
      const weight = (sibling.weight * proposal.weight) / proposal.parent.weight;
      this.#unions.push({
        text: applyEdits(proposal.parent.text, edits),
        parent: proposal.parent,
        operators,
        weight,
        edits,
      });
    }
    if (siblings.length < SIBLINGS_MAX) siblings.push(proposal);
  }
}

function proposalOf(parent: Parent, { text, operator, edits, weight }: Neighbour): Proposal {
  return { text, parent, edits, operators: [...parent.operators, operator], weight: parent.weight * weight };
}
