/**
 * The one error class of the sandbox floor and the table of its codes. A code is public API: callers switch on it,
 * never on the message. The message says what happened, to whom, which limit and what to do.
 */

/** Every way in which the sandbox refuses or fails. */
export type SandboxErrorCode =
  /** The module does not compile. `details.errors` lists file, line, column and text of each complaint. */
  | "SANDBOX_COMPILE_FAILED"
  /** The compiled module is larger than an artifact may be. */
  | "SANDBOX_ARTIFACT_TOO_LARGE"
  /** The module, or something it imports, does not exist. */
  | "SANDBOX_MODULE_MISSING"
  /** A value cannot be written as text. `details.path` says where it sits. */
  | "SANDBOX_VALUE_UNCLONABLE"
  /** An encoded value is longer than its limit. */
  | "SANDBOX_MESSAGE_TOO_LARGE"
  /** A text that claims to be an encoded value is not one. */
  | "SANDBOX_MESSAGE_MALFORMED"
  /** The agent has no method of that name. */
  | "SANDBOX_METHOD_UNKNOWN"
  /** The handler wrote to the state in a method declared `reads: true`. */
  | "SANDBOX_STATE_READONLY"
  /** A reply is longer than its limit. */
  | "SANDBOX_REPLY_TOO_LARGE"
  /** The encoded state of the agent is longer than its limit. */
  | "SANDBOX_STATE_TOO_LARGE"
  /** A turn asked the outside more often than it may. */
  | "SANDBOX_ASKS_EXCEEDED"
  /** A turn runs more durable steps than it may, or their results are larger than it may record. */
  | "SANDBOX_STEPS_EXCEEDED"
  /** A step was begun inside another step, or while the function of another one runs. */
  | "SANDBOX_STEP_NESTED"
  /** A try of a step took longer than its `timeoutMs`. */
  | "SANDBOX_STEP_TIMEOUT"
  /** The note of a hand-over is longer than it may be. */
  | "SANDBOX_NOTE_TOO_LARGE"
  /** A turn sent more messages than it may. */
  | "SANDBOX_OUTBOX_EXCEEDED"
  /** A table's name is not 1 to 63 letters, digits and "_", or begins with a digit. */
  | "SANDBOX_TABLE_NAME_INVALID"
  /** A topic's name is not 1 to 128 letters, digits and . _ : / -, or does not begin with a letter or digit. */
  | "SANDBOX_TOPIC_NAME_INVALID"
  /** A timer's time, pattern or name is none that a timer can have. */
  | "SANDBOX_TIMER_INVALID"
  /** A row's key is not 1 to 446 bytes of well-formed text. */
  | "SANDBOX_ROW_KEY_INVALID"
  /** A row's encoded value is longer than its limit. */
  | "SANDBOX_ROW_TOO_LARGE"
  /** A turn read from its tables more often than it may. */
  | "SANDBOX_READS_EXCEEDED"
  /** A turn wrote more to its tables than it may. */
  | "SANDBOX_WRITES_EXCEEDED"
  /** A handler awaits something that nothing can settle any more. */
  | "SANDBOX_TURN_STALLED"
  /** The module was evaluated but is no agent definition, or threw while being evaluated. */
  | "SANDBOX_LOAD_FAILED"
  /** The isolate went over its heap limit and is gone. */
  | "SANDBOX_HEAP_EXCEEDED"
  /** A turn used more CPU time than its budget; the isolate is gone. */
  | "SANDBOX_CPU_EXCEEDED"
  /** A turn took longer than its wall time; the isolate is gone. */
  | "SANDBOX_WALL_EXCEEDED"
  /** The isolate was thrown away on request; what was queued did not run. */
  | "SANDBOX_DISPOSED"
  /** The cell process ended; `Cell.exited` says why. */
  | "SANDBOX_CELL_LOST"
  /** The cell did not become ready. */
  | "SANDBOX_CELL_START_FAILED"
  /** The cell holds as many isolates as it may. */
  | "SANDBOX_CELL_FULL"
  /** The configuration requires a layer of isolation that this machine does not have. */
  | "SANDBOX_LAYER_MISSING"
  /** A program that an agent may run cannot be started: it, a folder or an argument of it can be none. */
  | "SANDBOX_JOB_START_FAILED"
  /** Bytes on the pipe that no honest peer sends. */
  | "SANDBOX_FRAME_INVALID"
  /** A text of the guest protocol that no honest guest sends. */
  | "SANDBOX_ENVELOPE_INVALID"
  /** A limit that is missing, not a number, or outside its range. `details.limit` names it. */
  | "SANDBOX_LIMIT_INVALID"
  /** A turn, answer or placement that breaks the rules of its caller: a reused id, an answer to nothing. */
  | "SANDBOX_REQUEST_INVALID";

/** What an error carries beside its code and message. */
export interface SandboxErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class of this floor. Switch on `code`; `details` is plain data. */
export class SandboxError extends Error {
  readonly code: SandboxErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: SandboxErrorCode, message: string, options: SandboxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SandboxError";
    this.code = code;
    this.details = options.details ?? {};
  }
}
