/**
 * What a run of the demo found out: plain data, printed as it is by `--json`, and the claims it must bear out.
 */
import type { Difference, Verdict } from "../index.ts";
import type { LedgerCheck } from "./ledger.ts";
import type { PhaseReport } from "./tally.ts";
import type { Fate } from "./versions.ts";

/** One stage of the arbiter on one version. */
export interface StageResult {
  readonly stage: string;
  readonly verdict: Verdict;
  readonly durationMs: number;
  readonly reason: string;
  /** Measured in this stage: counts, milliseconds, ratios. */
  readonly figures: Readonly<Record<string, number>>;
}

/** What became of one version. */
export interface TrialResult {
  readonly name: string;
  readonly idea: string;
  readonly expected: Fate;
  readonly actual: Fate | "interrupted";
  readonly stages: readonly StageResult[];
  /** The stage that stopped it, or probation; `null` when nothing did. */
  readonly stoppedBy: string | null;
  readonly reason: string;
  /** The first answer that differed. */
  readonly difference: Difference | null;
  /** From the proposal to the last word on it. */
  readonly totalMs: number;
  /** How long the librarian could start no request during the promotion. */
  readonly pauseMs: number | null;
  readonly probationTurns: number | null;
  /** From the failure on probation to the old version serving. */
  readonly rollbackMs: number | null;
  /** The client's requests while it was on trial. */
  readonly meanwhile: PhaseReport;
}

/** The same questions before and after. */
export interface Speedup {
  readonly questions: number;
  readonly beforeP50Ms: number;
  readonly afterP50Ms: number;
  /** How many times faster. */
  readonly ratio: number;
}

/** A cell was killed under load. */
export interface CellKill {
  readonly pid: number;
  readonly newPid: number;
  /** From the signal to the first answer to a request sent after it. */
  readonly nextAnswerMs: number;
  readonly meanwhile: PhaseReport;
  readonly notes: LedgerCheck;
}

/** A whole runtime was killed while it was keeping notes. */
export interface RuntimeKill {
  readonly pid: number;
  readonly aliveMs: number;
  /** Notes that the killed runtime had acknowledged. */
  readonly acknowledged: number;
  readonly cells: number;
  /** Its cells that were still there when the demo gave up waiting for their end. */
  readonly cellsSurviving: number;
  readonly cellsGoneMs: number;
  readonly reopenMs: number;
  /** From the call to `Runtime.open` to the first answer. */
  readonly nextAnswerMs: number;
  /** All notes of the whole run. */
  readonly notes: LedgerCheck;
}

/** The whole run. */
export interface DemoResult {
  readonly ok: boolean;
  readonly claims: readonly Claim[];
  readonly durationMs: number;
  readonly corpus: { readonly files: number; readonly bytes: number; readonly notes: number };
  readonly trials: readonly TrialResult[];
  readonly speedup: Speedup;
  readonly cellKill: CellKill;
  readonly runtimeKill: RuntimeKill;
  /** Verdicts that the librarian remembers at the end. */
  readonly verdictsRemembered: number;
  readonly phases: readonly PhaseReport[];
  readonly total: PhaseReport;
}

/** Something the demo says, and whether this run bore it out. */
export interface Claim {
  readonly claim: string;
  readonly holds: boolean;
  readonly measured: string;
}

/** Everything that must hold, judged on the figures of this run. */
export function claimsOf(result: Omit<DemoResult, "ok" | "claims">): readonly Claim[] {
  const { trials, speedup, cellKill, runtimeKill, total } = result;
  return [
    ...trials.map(fateClaim),
    {
      claim: "the version with the index is faster",
      holds: speedup.ratio > 1,
      measured: `${speedup.ratio.toFixed(1)} times`,
    },
    { claim: "no request was lost", holds: total.lost === 0, measured: `${total.lost} of ${total.asked}` },
    missingClaim("a killed cell", cellKill.notes, cellKill.notes.acknowledged),
    missingClaim("a killed runtime", runtimeKill.notes, runtimeKill.acknowledged),
    {
      claim: "no cell outlived its runtime",
      holds: runtimeKill.cells > 0 && runtimeKill.cellsSurviving === 0,
      measured: `${runtimeKill.cellsSurviving} of ${runtimeKill.cells}`,
    },
  ];
}

function fateClaim({ name, expected, actual, stoppedBy }: TrialResult): Claim {
  const how = stoppedBy === null ? "" : ` by ${stoppedBy}`;
  const measured = actual === expected ? how.trim() : `${spoken[actual]}${how}`;
  return { claim: `${name}: ${spoken[expected]}`, holds: actual === expected, measured };
}

/** Proves something only if whatever was killed had acknowledged something. */
function missingClaim(after: string, { acknowledged, missing }: LedgerCheck, acknowledgedByKilled: number): Claim {
  const holds = acknowledgedByKilled > 0 && missing === 0;
  return { claim: `no acknowledged note is missing after ${after}`, holds, measured: `${missing} of ${acknowledged}` };
}

/** A fate in a sentence. */
export const spoken: Readonly<Record<TrialResult["actual"], string>> = {
  rejected: "refused",
  rolled_back: "rolled back",
  confirmed: "promoted and confirmed",
  interrupted: "promoted, its probation interrupted",
};
