/**
 * Why an agent ended, in OTP's sense: `normal` and `shutdown` are not failures, everything else is abnormal and is
 * what a supervisor reacts to. `isCharged` is ours: a lost cell or a full disk is not the agent's fault, so it costs
 * no restart intensity.
 */

/** The name of an exit reason. */
export type ExitName =
  /** The agent was done. */
  | "normal"
  /** Its supervisor, or its owner, stopped it. */
  | "shutdown"
  /** It was killed by its owner. */
  | "killed"
  /** A handler threw where nobody would notice: in a cast, a timer or `init`. */
  | "fault"
  /** A limit was hit: heap, CPU time, wall time. */
  | "limit"
  /** Its cell died while this agent was running a turn in it: a suspect. */
  | "cell_lost_suspect"
  /** Its cell died for another reason. */
  | "cell_lost"
  /** The vault could not make its turn durable. */
  | "storage"
  /** Its code could not be loaded. */
  | "load_failed";

/** Why an agent ended. */
export interface ExitReason {
  readonly name: ExitName;
  /** The code of the error behind it, where there is one. */
  readonly code?: string;
  readonly message: string;
  /** The guest's stack, mapped to the agent's TypeScript. */
  readonly stack?: string;
}

/** True for what a transient child is restarted after. */
export function isAbnormal(reason: ExitReason): boolean {
  return reason.name !== "normal" && reason.name !== "shutdown";
}

/** True when the exit is the agent's own doing: a restart after it costs intensity, as in OTP also after a normal end. */
export function isCharged(reason: ExitReason): boolean {
  return reason.name !== "cell_lost" && reason.name !== "storage";
}
