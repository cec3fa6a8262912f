/**
 * A stage of the road from source text to proven code: something that looks at a candidate and says pass, fail,
 * inconclusive or void. The arbiter runs a list of them in order and stops at the first that does not pass.
 */
import type { AgentControl, CurrentCode, RecordedTurn } from "../runtime/index.ts";
import type { Artifact, Outcome } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";
import type { Difference, EvidenceLine, StateDifference, Verdict } from "./decision.ts";
import type { ParsedArbiterOptions, ParsedProposal } from "./options.ts";

/** A candidate on its way. */
export interface Trial {
  /** Id of the decision that this will be. */
  readonly id: string;
  readonly proposal: ParsedProposal;
  readonly control: AgentControl;
  readonly champion: { readonly artifact: Artifact; readonly current: CurrentCode };
  readonly options: ParsedArbiterOptions;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly clock: Clock;
  /** Which live trial of this agent it is, counted from 1: for strict spending of alpha. */
  readonly number: number;
  /** K of e-BH: of how many candidates the proposer chose this one. */
  readonly candidatesTried: number;
  /** All chance of this trial begins with it. */
  readonly seed: number;
  /**
   * Aborted when the arbiter closes, the agent is stopped or dropped, or this stage's budget is over. A stage then ends soon with
   * what it has: inconclusive. One that goes on for `SIGNAL_GRACE_MS` is given up, and what it says later counts for nothing.
   */
  readonly signal: AbortSignal;
  /** Says how far it is: an event `candidate.progress`, at most four a second; the newest figures are the ones told. */
  readonly progress: (figures: Readonly<Record<string, number>>) => void;
  /** The agent's recorded turns, oldest first. */
  readonly traffic: () => readonly RecordedTurn[];
  /** Messages that brought earlier candidates down. */
  readonly attacks: () => readonly Attack[];
  /** Keeps one for every later candidate. On disk when it resolves. */
  readonly keepAttack: (attack: Pick<Attack, "messages" | "found">) => Promise<void>;
  /** Set by the compile stage; later stages need it. */
  candidate: Artifact | undefined;
  /** What was seen in the candidate's code, set by the stage that compiles it. */
  findings: readonly Finding[];
}

/** What is seen in code before it runs. */
export interface Finding {
  readonly rule: string;
  /** `forbidden` fails; `note` is told. */
  readonly severity: "forbidden" | "note";
  /** Of the TypeScript text; both from 1. */
  readonly line: number;
  readonly column: number;
  /** What it is, and what to do instead. */
  readonly text: string;
}

/** Messages that brought a candidate down: every later one meets them. */
export interface Attack {
  /** Hash of agent and messages. */
  readonly id: string;
  readonly agent: string;
  readonly messages: readonly {
    readonly kind: "call" | "cast";
    readonly method: string;
    /** Encoded argument. */
    readonly text: string;
    /** What the world says in answer to the handler's questions, in order for each subject; what is not here is refused. */
    readonly answers?: readonly {
      /** What is asked: its verb, and which capability or step. */
      readonly subject: string;
      /** Encoded value; absent: this one is refused. */
      readonly text?: string;
    }[];
  }[];
  readonly found: { readonly decision?: string; readonly timeMs: number; readonly what: string };
}

/** What a stage says: plain data; what is none of this measures nothing (EVOLUTION_STAGE_FAILED). */
export interface StageVerdict {
  readonly verdict: Verdict;
  readonly reason: string;
  /** A `VerdictCode`, or a code of your own; stable. */
  readonly code?: string;
  readonly figures?: Readonly<Record<string, number>>;
  readonly difference?: Difference;
  readonly notes?: readonly string[];
  readonly evidence?: readonly EvidenceLine[];
  readonly stateDiff?: readonly StateDifference[];
}

/** One stage. `run` must not reject for the candidate's faults: those are verdicts. */
export interface Stage {
  readonly name: string;
  /** How long it may take, in ms; absent: as long as it takes. */
  readonly budgetMs?: number;
  /** It looks at live turns: a trial that comes to it spends one of the agent's live trials. */
  readonly isLive?: boolean;
  run(trial: Trial): Promise<StageVerdict>;
}

/** How long a stage whose signal was aborted may take to end, in ms. */
export const SIGNAL_GRACE_MS = 5_000;

/** The candidate; stages after compile may rely on it. */
export function candidateOf(trial: Trial): Artifact {
  if (trial.candidate === undefined) throw new Error("a stage before compile asked for the candidate");
  return trial.candidate;
}

/**
 * Faults of the machine or the vault say nothing about the candidate. Nor does wall time alone: a loop exceeds its CPU time,
 * whoever exceeds only the wall clock was kept waiting by a busy machine.
 */
export const VOID_CODES: ReadonlySet<string> = new Set([
  "SANDBOX_CELL_START_FAILED",
  "SANDBOX_LAYER_MISSING",
  "SANDBOX_WALL_EXCEEDED",
  "RUNTIME_SIMULATION_FAILED", // the user's own function
]);

/** Whether an outcome says nothing about the candidate. */
export function isVoidOutcome(outcome: Outcome): boolean {
  return outcome.kind === "exceeded" && VOID_CODES.has(outcome.code);
}

/** The champion's own shadow failed: whatever that was, it says nothing about the candidate. */
export class ControlFault extends Error {
  override readonly name = "ControlFault";

  constructor(cause: Error) {
    super(`the running version's own shadow: ${cause.message}`, { cause });
  }
}

/** What an error during a trial means for the candidate. Throws what is a bug of ours. */
export function verdictOfError(error: unknown, doing: string): StageVerdict {
  const message = error instanceof Error ? error.message : String(error);
  const reason = `${doing}: ${message}`;
  if (error instanceof ControlFault) return { verdict: "void", reason };
  const code = codeOf(error);
  if (code === undefined) throw error; // neither the candidate's fault nor a verdict
  // Why a swap changed nothing is its cause: the candidate does not load or migrate, or there was no cell for it.
  const why = code === SWAP_FAILED ? codeOf(error instanceof Error ? error.cause : undefined) : code;
  if (why === undefined) return { verdict: "fail", reason };
  const isVoid = VOID_CODES.has(why) || why.startsWith("VAULT_") || (why.startsWith("RUNTIME_") && why !== SWAP_FAILED);
  return { verdict: isVoid ? "void" : "fail", reason };
}

const SWAP_FAILED = "RUNTIME_SWAP_FAILED";

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
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
