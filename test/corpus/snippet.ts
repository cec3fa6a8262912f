/**
 * What an entry of the corpus is: hostile or faulty code for an agent, what may come of it, and why it is there. Data only;
 * run.ts runs them against a real runtime.
 *
 * The code is the body of `async attack(ctx, arg)`, or with `place: "module"` the top of the agent's module. What it may
 * answer is the text "contained": code that looks for a way out answers with anything else when it finds one.
 */

/** How an attack may end: with the answer "contained", or with the error of this code. */
export type Ending =
  | "contained"
  /** The handler threw; the agent lives. */
  | "RUNTIME_HANDLER_THREW"
  | "SANDBOX_ASKS_EXCEEDED"
  | "SANDBOX_COMPILE_FAILED"
  | "SANDBOX_CPU_EXCEEDED"
  | "SANDBOX_DISPOSED"
  | "SANDBOX_HEAP_EXCEEDED"
  | "SANDBOX_LOAD_FAILED"
  | "SANDBOX_MESSAGE_TOO_LARGE"
  | "SANDBOX_METHOD_UNKNOWN"
  | "SANDBOX_NOTE_TOO_LARGE"
  | "SANDBOX_OUTBOX_EXCEEDED"
  | "SANDBOX_READS_EXCEEDED"
  | "SANDBOX_REPLY_TOO_LARGE"
  | "SANDBOX_ROW_KEY_INVALID"
  | "SANDBOX_ROW_TOO_LARGE"
  | "SANDBOX_STATE_READONLY"
  | "SANDBOX_STATE_TOO_LARGE"
  | "SANDBOX_STEPS_EXCEEDED"
  | "SANDBOX_STEP_NESTED"
  | "SANDBOX_STEP_TIMEOUT"
  | "SANDBOX_TABLE_NAME_INVALID"
  | "SANDBOX_TIMER_INVALID"
  | "SANDBOX_TOPIC_NAME_INVALID"
  | "SANDBOX_TURN_STALLED"
  | "SANDBOX_VALUE_UNCLONABLE"
  | "SANDBOX_WALL_EXCEEDED"
  | "SANDBOX_WRITES_EXCEEDED"
  /** Nothing but the end of its cell could stop it; the others of the cell are at home again. */
  | "SANDBOX_CELL_LOST";

/** A hostile snippet. */
export interface Snippet {
  /** Unique in the corpus. */
  readonly name: string;
  readonly code: string;
  /** Default `handler`. */
  readonly place?: "handler" | "module";
  readonly expect: readonly Ending[];
  /** What it goes for. */
  readonly why: string;
  /** `any`: whatever data it answers with is as good as "contained"; there is nothing in it that it should not have. */
  readonly answer?: "any";
  /** Takes half a second and more, or costs a cell: the bench runs it, `npm test` does not. */
  readonly isSlow?: boolean;
}

/** A family of the corpus, by the name that the figures carry. */
export interface Family {
  readonly name: string;
  readonly snippets: readonly Snippet[];
}

/** Time ran out: on the CPU, or on the clock of a machine that had no CPU to give. */
export const OUT_OF_TIME: readonly Ending[] = ["SANDBOX_CPU_EXCEEDED", "SANDBOX_WALL_EXCEEDED"];
