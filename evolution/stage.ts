/**
 * A stage of the road from source text to proven code: something that looks at a candidate and says pass, fail,
 * inconclusive or void. The arbiter runs a list of them in order and stops at the first that does not pass.
 */
import type { AgentControl, CurrentCode } from "../runtime/index.ts";
import type { Artifact, Outcome } from "../sandbox/index.ts";
import type { Difference, Verdict } from "./decision.ts";
import type { ParsedArbiterOptions, ParsedProposal } from "./options.ts";

/** A candidate on its way. */
export interface Trial {
  readonly proposal: ParsedProposal;
  readonly control: AgentControl;
  readonly champion: { readonly artifact: Artifact; readonly current: CurrentCode };
  readonly options: ParsedArbiterOptions;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Set by the compile stage; later stages need it. */
  candidate: Artifact | undefined;
}

/** What a stage says. */
export interface StageVerdict {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly figures?: Readonly<Record<string, number>>;
  readonly difference?: Difference;
}

/** One stage. `run` must not reject for the candidate's faults: those are verdicts. */
export interface Stage {
  readonly name: string;
  run(trial: Trial): Promise<StageVerdict>;
}

/** The candidate; stages after compile may rely on it. */
export function candidateOf(trial: Trial): Artifact {
  if (trial.candidate === undefined) throw new Error("a stage before compile asked for the candidate");
  return trial.candidate;
}

/**
 * Faults of the machine or the vault say nothing about the candidate. Nor does wall time alone: a loop exceeds its CPU time,
 * whoever exceeds only the wall clock was kept waiting by a busy machine.
 */
const VOID_CODES: ReadonlySet<string> = new Set([
  "SANDBOX_CELL_START_FAILED",
  "SANDBOX_LAYER_MISSING",
  "SANDBOX_WALL_EXCEEDED",
]);

/** Whether an outcome says nothing about the candidate. */
export function isVoidOutcome(outcome: Outcome): boolean {
  return outcome.kind === "exceeded" && VOID_CODES.has(outcome.code);
}

/** What an error during a trial means for the candidate. */
export function verdictOfError(error: unknown, doing: string): StageVerdict {
  const code = (error as { readonly code?: unknown }).code; // a property that may not be there
  const message = error instanceof Error ? error.message : String(error);
  if (typeof code !== "string") throw error; // a bug of ours is neither the candidate's fault nor a verdict
  const isVoid = VOID_CODES.has(code) || code.startsWith("VAULT_");
  return { verdict: isVoid ? "void" : "fail", reason: `${doing}: ${message}` };
}

/** One word for how a turn ended, for a verdict's reason. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "done":
      return "answered";
    case "threw":
      return `threw ${outcome.fault.name}: ${outcome.fault.message}`;
    case "exceeded":
      return `${outcome.code}: ${outcome.message}`;
    case "lost":
      return `${outcome.code}: ${outcome.message}`;
  }
}
