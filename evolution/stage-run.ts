/**
 * One stage of one trial: within its budget, and ended when the trial is. What a stage says is taken as it is, unless it came
 * too late, the stage itself broke, or what it said is no verdict.
 *
 *   run --says--> verdict
 *    |--budget over--> signal --says--> fail stays fail, all else is inconclusive
 *    |--trial ended--> signal --says--> void: whoever ended the trial knows why
 *    `--nothing for SIGNAL_GRACE_MS after the signal--> given up: void
 */
import type { Clock } from "../vault/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { Finding, Stage, StageVerdict, Trial } from "./stage.ts";
import { SIGNAL_GRACE_MS } from "./stage.ts";
import { parseSaid } from "./stage-options.ts";
import { Progress } from "./progress.ts";

/** What all stages of a trial share. */
export interface TrialParts extends Omit<Trial, "signal" | "progress" | "candidate" | "findings"> {
  candidate: Artifact | undefined;
  findings: readonly Finding[];
}

/** How a stage went. */
export interface StageRun {
  readonly said: StageVerdict;
  readonly durationMs: number;
  /** It goes on, unheard: it must not be run a second time beside itself. */
  readonly isGivenUp: boolean;
}

/** Runs a stage. `ending` is aborted when the trial is over, with a verdict as its reason. Never rejects. */
export async function runStage(
  stage: Stage,
  trial: TrialParts,
  around: { readonly ending: AbortSignal; readonly told: (figures: Readonly<Record<string, number>>) => void },
): Promise<StageRun> {
  const { clock } = trial;
  const started = clock.monotonicMs();
  const budget = new AbortController();
  const timer = stage.budgetMs === undefined ? undefined : clock.after(stage.budgetMs, () => budget.abort());
  const signal = AbortSignal.any([around.ending, budget.signal]);
  const progress = new Progress(clock, around.told);
  const patience = new Patience(clock, signal);
  try {
    const said = await Promise.race([saying(stage, asTrial(trial, signal, progress)), patience.over]);
    const isGivenUp = said === undefined;
    const durationMs = clock.monotonicMs() - started;
    if (around.ending.aborted) return { said: around.ending.reason as StageVerdict, durationMs, isGivenUp }; // see TrialWatch
    return { said: said === undefined ? deaf(stage) : late(said, budget.signal.aborted), durationMs, isGivenUp };
  } finally {
    timer?.cancel();
    patience.end();
    progress.end();
  }
}

/** What the stage says; a stage that breaks, or says what is no verdict, has measured nothing. */
async function saying(stage: Stage, trial: Trial): Promise<StageVerdict> {
  try {
    return parseSaid(await stage.run(trial));
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { verdict: "void", reason: `the stage itself broke: ${text}`, code: "EVOLUTION_STAGE_FAILED" };
  }
}

/** The trial as one stage sees it: with a signal of its own, and one candidate for all. */
function asTrial(trial: TrialParts, signal: AbortSignal, progress: Progress): Trial {
  return {
    ...trial,
    signal,
    progress: (figures) => progress.tell(figures),
    get candidate() {
      return trial.candidate;
    },
    set candidate(candidate) {
      trial.candidate = candidate;
    },
    get findings() {
      return trial.findings;
    },
    set findings(findings) {
      trial.findings = findings;
    },
  };
}

function deaf(stage: Stage): StageVerdict {
  const reason = `its budget of ${stage.budgetMs} ms was over, and ${SIGNAL_GRACE_MS} ms later it had not ended`;
  return { verdict: "void", reason, code: "EVOLUTION_BUDGET_OVER" };
}

/** Evidence for harm is evidence whenever it comes; a pass after the end of the budget is none. */
function late(said: StageVerdict, isLate: boolean): StageVerdict {
  if (!isLate || said.verdict === "fail" || said.verdict === "void") return said;
  return { ...said, verdict: "inconclusive", code: said.code ?? "EVOLUTION_BUDGET_OVER" };
}

/** Waits for a stage that was told to end. */
class Patience {
  readonly over: Promise<undefined>;
  readonly #signal: AbortSignal;
  readonly #begin: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.over = promise;
    this.#signal = signal;
    this.#begin = () => {
      const timer = clock.after(SIGNAL_GRACE_MS, () => resolve(undefined));
      this.#cancel = () => timer.cancel();
    };
    if (signal.aborted) this.#begin();
    else signal.addEventListener("abort", this.#begin, { once: true });
  }

  end(): void {
    this.#signal.removeEventListener("abort", this.#begin);
    this.#cancel?.();
  }
}
