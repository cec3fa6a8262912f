/**
 * Runs programs on cases and scores what comes back. A fault of the runner or of the problem's own functions is nobody's score: it
 * ends the run with EVOLUTION_EVALUATOR_FAILED, and what was known before stays.
 *
 *   ask(program, 25) -> ask(program, 100) -> ask(program, 500) -> conclude
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../vault/index.ts";
import { EvolutionError } from "../errors.ts";
import { DESCRIPTOR_MAX } from "./archive.ts";
import { Turnstile, within } from "./bounded.ts";
import type { CaseFailure, Evaluation, Individual } from "./individual.ts";
import { behaviourText, shownOutcome } from "./outcome-text.ts";
import type { Case, Problem } from "./problem.ts";
import type { CallOutcome, ProgramRun, ProgramRunner, RunDetail } from "./program-runner.ts";

/** Failures that mutators are told of. */
const FAILURES_MAX = 8;

/** A program that is being asked. */
export interface Asked {
  readonly id: string;
  readonly text: string;
  readonly scores: number[];
  readonly outcomes: CallOutcome[];
  readonly failures: CaseFailure[];
  fuel: number;
  /** It does not load. */
  isUnfit: boolean;
}

/** What an evaluator works with. */
export interface EvaluatorParts {
  readonly problem: Problem;
  readonly runner: Pick<ProgramRunner, "run">;
  readonly fuel: number;
  readonly evaluationMs: number;
  /** Programs in work at once. */
  readonly inWorkMax: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A program that was asked nothing yet. */
export function unasked(id: string, text: string): Asked {
  return { id, text, scores: [], outcomes: [], failures: [], fuel: 0, isUnfit: false };
}

/** See the header. */
export class Evaluator {
  readonly #parts: EvaluatorParts;
  readonly #turnstile: Turnstile;
  /** Whether the runner counts what programs pass; `undefined` until one that loads was run. */
  #isCounting: boolean | undefined;
  /** After the first fault nobody is asked any more. */
  #broken: EvolutionError | undefined;

  constructor(parts: EvaluatorParts) {
    this.#parts = parts;
    this.#turnstile = new Turnstile(parts.inWorkMax);
  }

  /**
   * Asks it the search cases up to `to` that it was not asked yet. One that does not load is not asked again. Rejects with
   * EVOLUTION_EVALUATOR_FAILED, or with the signal's reason.
   */
  async ask(asked: Asked, to: number): Promise<void> {
    const cases = this.#parts.problem.cases.slice(asked.scores.length, to);
    if (cases.length === 0 || asked.isUnfit) return;
    await this.#turnstile.pass(async () => {
      const run = await this.#run(asked, cases);
      if (run.outcomes[0]?.kind !== "unfit") this.#isCounting = run.coverage !== undefined;
      for (const [index, test] of cases.entries()) {
        const outcome = run.outcomes[index];
        if (outcome === undefined)
          throw this.#fault(asked, "the runner gave fewer outcomes than there were calls", { test });
        const score = await this.#score(asked, test, outcome);
        asked.scores.push(score);
        asked.outcomes.push(outcome);
        asked.fuel += run.fuelUsed[index] ?? 0;
        if (outcome.kind === "unfit") asked.isUnfit = true;
        if (score < 1 && asked.failures.length < FAILURES_MAX)
          asked.failures.push({ caseId: test.id, args: test.args, outcome: shownOutcome(outcome), score });
      }
    });
  }

  /** Runs the program once more, and tells of each of these cases what it passed; `undefined` where the runner cannot tell. */
  async detail({ id, text }: Pick<Individual, "id" | "text">, cases: readonly Case[]): Promise<RunDetail | undefined> {
    if (this.#isCounting === false) return undefined;
    return await this.#turnstile.pass(async () => (await this.#run(unasked(id, text), cases, true)).detail);
  }

  /** Mean score on other cases, which nothing is chosen by. */
  async held(id: string, text: string, cases: readonly Case[]): Promise<number> {
    const asked = unasked(id, text);
    return await this.#turnstile.pass(async () => {
      const { outcomes } = await this.#run(asked, cases);
      let sum = 0;
      for (const [index, test] of cases.entries())
        sum += await this.#score(asked, test, outcomes[index] ?? { kind: "fuel" });
      return sum / cases.length;
    });
  }

  /** What the asking said, when it is over. */
  conclude(asked: Asked): Evaluation {
    const { problem } = this.#parts;
    const { outcomes, failures, fuel } = asked;
    const scores = asked.isUnfit ? [] : asked.scores; // it was asked nothing that it could have answered
    const isWhole = scores.length === problem.cases.length;
    const hash = createHash("sha256");
    for (const outcome of outcomes) hash.update(`${behaviourText(outcome)}\n`);
    return {
      scores,
      score: scores.reduce((sum, score) => sum + score, 0) / problem.cases.length,
      fuel: scores.length === 0 ? 0 : fuel / scores.length,
      signature: hash.digest("hex").slice(0, 32),
      descriptor: isWhole ? this.#describe(asked) : [],
      failures,
    };
  }

  async #run(asked: Asked, cases: readonly Case[], isDetailed?: true): Promise<ProgramRun> {
    const { problem, runner, fuel, evaluationMs, clock, signal } = this.#parts;
    signal.throwIfAborted();
    if (this.#broken !== undefined) throw this.#broken;
    try {
      const program = { text: asked.text, entry: problem.entry };
      const work = runner.run(
        program,
        cases.map(({ args }) => args),
        { fuel, signal, isDetailed },
      );
      const late = (): Error => new Error(`no answer within ${evaluationMs} ms`);
      return await within(work, { clock, ms: evaluationMs, signal, late });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw this.#fault(asked, `the runner failed: ${messageOf(cause)}`, { cause });
    }
  }

  async #score(asked: Asked, test: Case, outcome: CallOutcome): Promise<number> {
    if (outcome.kind !== "returned" && outcome.kind !== "threw") return 0;
    const { problem, evaluationMs, clock, signal } = this.#parts;
    let score: number;
    try {
      const given = problem.score(test, outcome);
      const late = (): Error => new Error(`no score within ${evaluationMs} ms`);
      score = typeof given === "number" ? given : await within(given, { clock, ms: evaluationMs, signal, late });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw this.#fault(asked, `score failed: ${messageOf(cause)}`, { test, cause });
    }
    if (typeof score !== "number" || !(score >= 0 && score <= 1))
      throw this.#fault(asked, `score gave ${String(score)}, which is no number from 0 to 1`, { test });
    return score;
  }

  #describe(asked: Asked): readonly number[] {
    const { problem } = this.#parts;
    if (problem.describe === undefined) return [];
    let descriptor: readonly number[];
    try {
      descriptor = problem.describe(asked.text, asked.outcomes);
    } catch (cause) {
      throw this.#fault(asked, `describe failed: ${messageOf(cause)}`, { cause });
    }
    if (!Array.isArray(descriptor) || descriptor.length > DESCRIPTOR_MAX || !descriptor.every(Number.isFinite))
      throw this.#fault(asked, `describe must give up to ${DESCRIPTOR_MAX} finite numbers`, {});
    return descriptor;
  }

  #fault(
    { id }: Asked,
    what: string,
    { test, cause }: { readonly test?: Case; readonly cause?: unknown },
  ): EvolutionError {
    const where = test === undefined ? "" : ` on case ${test.id}`;
    const text = `${this.#parts.problem.name}: ${what} (program ${id.slice(0, 12)}${where}); mend it and run again: the run goes on where it ended`;
    const details = { program: id, ...(test === undefined ? {} : { case: test.id }) };
    this.#broken ??= new EvolutionError("EVOLUTION_EVALUATOR_FAILED", text, { details, cause });
    return this.#broken;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
