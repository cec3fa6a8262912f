/**
 * The evolution floor's one error class and its table of codes. A candidate that is rejected is not an error: it is a
 * decision, with its reason.
 */

/** Codes are public API: renaming one is a major change. */
export type EvolutionErrorCode =
  /** An option has the wrong type, is out of range or is unknown. `details.issues` names each. */
  | "EVOLUTION_OPTIONS_INVALID"
  /** Another arbiter judges for this runtime, and has not closed. */
  | "EVOLUTION_ARBITER_EXISTS"
  /** The arbiter, or the runner of programs, was closed. */
  | "EVOLUTION_CLOSED"
  /** Too many candidates wait for this agent. */
  | "EVOLUTION_QUEUE_FULL"
  /** No decision has this id. `details.nearest` names some that are like it. */
  | "EVOLUTION_DECISION_UNKNOWN"
  /** Too many measurements failed, or one was found to be broken: nothing is judged until `thaw(reason)`. */
  | "EVOLUTION_FROZEN"
  /** This decision promoted nothing, or what it promoted no longer runs. */
  | "EVOLUTION_ROLLBACK_REFUSED"
  /** A model gave no answer: refused, unreachable, too late, or what came was none. `cause` says which. */
  | "EVOLUTION_MODEL_FAILED"
  /** So many questions failed one after the other that no model is asked any more. */
  | "EVOLUTION_MODEL_FAILING"
  /** As many calls to models were made as are allowed. */
  | "EVOLUTION_MODEL_CALLS_SPENT"
  /** The next question may need more tokens than are left. */
  | "EVOLUTION_MODEL_TOKENS_SPENT"
  /** The next question may cost more than is left. */
  | "EVOLUTION_MODEL_MONEY_SPENT"
  /** No answer is recorded for this question; the message names the recorded one that is nearest. */
  | "EVOLUTION_CASSETTE_MISMATCH"
  /** A file of recorded answers cannot be read or written, is full, or has a damaged line. */
  | "EVOLUTION_CASSETTE_INVALID"
  /** The problem's own functions, or what runs its programs, threw, gave no number, or never answered. The run can be resumed. */
  | "EVOLUTION_EVALUATOR_FAILED"
  /** A mutator threw again and again; `cause` is its last error. The run can be resumed. */
  | "EVOLUTION_MUTATOR_FAILED"
  /** None of the seed programs can be run. */
  | "EVOLUTION_SEED_UNFIT"
  /** What is kept under this run's name was searched with another problem or other options. `details.differs` names what. */
  | "EVOLUTION_RUN_MISMATCH"
  /** What is kept of the run does not repeat: a mutator, a score or a runner that is not the same each time. */
  | "EVOLUTION_REPLAY_DIVERGED"
  /** The log of a search cannot be written. `details.path` is its file; `cause` says why. The run can be resumed. */
  | "EVOLUTION_LOG_FAILED"
  /** A file names no problem to search on: it is missing, does not load, or exports none. `details.path` is the file. */
  | "EVOLUTION_PROBLEM_INVALID"
  /** An experiment was not given its data. `details.files` names what is missing; the message, where it comes from. */
  | "EVOLUTION_DATA_MISSING"
  /** A file of an experiment's data is not what it should be. `details` has the file and the line. */
  | "EVOLUTION_DATA_INVALID";

/** Why a candidate was not promoted, as a program reads it: `code` of a decision. Public API as well. */
export type VerdictCode =
  /** The text is no TypeScript module, or needs what it must not pull in. */
  | "EVOLUTION_COMPILE_FAILED"
  /** It has a construct that is not let run. */
  | "EVOLUTION_STATIC_FORBIDDEN"
  /** Text or bundle is larger than a candidate may be. */
  | "EVOLUTION_SOURCE_TOO_LARGE"
  /** Its default export is no agent. */
  | "EVOLUTION_NO_AGENT"
  /** It lacks methods that are in use. */
  | "EVOLUTION_METHODS_MISSING"
  /** It is what runs already. */
  | "EVOLUTION_SAME_CODE"
  /** The same code was rejected before; the reason names the decision. */
  | "EVOLUTION_TOMBSTONE"
  /** It does not load within its limits. */
  | "EVOLUTION_LOAD_FAILED"
  /** Its `migrate` threw, took too long, or is missing. */
  | "EVOLUTION_MIGRATE_FAILED"
  /** What it writes is not what it reads after a reload, or keys vanish. */
  | "EVOLUTION_STATE_LOST"
  /** A hostile message brings it down and not the champion. */
  | "EVOLUTION_ATTACK_SUCCEEDED"
  /** An answer differs where it must be equal. */
  | "EVOLUTION_ANSWER_DIFFERS"
  /** It fails more often than the champion. */
  | "EVOLUTION_HARM"
  /** It needs more CPU time than allowed. */
  | "EVOLUTION_TOO_SLOW"
  /** It uses, or will use, too much memory. */
  | "EVOLUTION_MEMORY"
  /** Too few turns to say anything. */
  | "EVOLUTION_NO_TRAFFIC"
  /** The evidence was not enough when its time or its turns were over. */
  | "EVOLUTION_BUDGET_OVER"
  /** The agent was stopped or dropped meanwhile. */
  | "EVOLUTION_AGENT_GONE"
  /** The agent rests after a roll-back; the reason says until when. */
  | "EVOLUTION_QUARANTINED"
  /** The agent had as many promotions as one period allows. */
  | "EVOLUTION_PROMOTIONS_SPENT"
  /** Another version runs than the one it was tried against. */
  | "EVOLUTION_STALE"
  /** The runtime or the arbiter ended meanwhile. */
  | "EVOLUTION_INTERRUPTED"
  /** A stage threw, or said what is no verdict: a bug of its own. */
  | "EVOLUTION_STAGE_FAILED"
  /** The swap itself failed; the version before serves. */
  | "EVOLUTION_SWAP_FAILED"
  /** The measurement failed: no blame. */
  | "EVOLUTION_MEASUREMENT_BROKEN";

/** An error of the evolution floor. `details` is plain data that can be logged. */
export class EvolutionError extends Error {
  override readonly name = "EvolutionError";
  readonly code: EvolutionErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: EvolutionErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
