/**
 * The evolution floor's one error class and its table of codes. A candidate that is rejected is not an error: it is a
 * decision, with its reason.
 */

/** Codes are public API: renaming one is a major change. */
export type EvolutionErrorCode =
  /** An option has the wrong type, is out of range or is unknown. `details.issues` names each. */
  | "EVOLUTION_OPTIONS_INVALID"
  /** The arbiter was closed. */
  | "EVOLUTION_CLOSED"
  /** Too many candidates wait for this agent. */
  | "EVOLUTION_QUEUE_FULL"
  /** No decision has this id. */
  | "EVOLUTION_DECISION_UNKNOWN";

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
