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
  | "load_failed"
  /** It ended itself, or was told to, for a reason of its own that stands in `message`: a failure. */
  | "exit";

/** Why an agent ended. */
export interface ExitReason {
  readonly name: ExitName;
  /** The code of the error behind it, where there is one. */
  readonly code?: string;
  readonly message: string;
  /** The agent whose end it followed, because the two were linked. */
  readonly from?: string;
  /** Of a suspect: its cell was not ended from outside. */
  readonly isProven?: true;
  /** The guest's stack, mapped to the agent's TypeScript. */
  readonly stack?: string;
}

/** What an agent, or the program, gave as a reason: `normal`, `shutdown` and `shutdown:<why>` are orderly ends, all else is a failure. */
export function exitReasonOf(text: string): ExitReason {
  if (text === "normal") return { name: "normal", message: "it was done" };
  if (text === "shutdown" || text.startsWith("shutdown:")) return { name: "shutdown", message: text };
  return { name: "exit", message: text };
}

/** Why somebody is killed: what was said, or the reason itself. */
export function killReason(cause: string | ExitReason): ExitReason {
  return typeof cause === "string" ? { name: "killed", message: cause } : cause;
}

/** The one word for a reason that agents are told: what `exitReasonOf` was given, or the runtime's own name for it. */
export function reasonText({ name, message }: ExitReason): string {
  if (name === "exit") return message;
  return name === "shutdown" && message.startsWith("shutdown:") ? message : name;
}

/** The reason for an agent that follows another one, `from`, because they were linked. A suspect's guilt is its own. */
export function linkedReason(reason: ExitReason, from: string): ExitReason {
  return { ...reason, name: reason.name === "cell_lost_suspect" ? "fault" : reason.name, from };
}

/** True for what a transient child is restarted after. */
export function isAbnormal(reason: ExitReason): boolean {
  return reason.name !== "normal" && reason.name !== "shutdown";
}

/** True when the exit is the agent's own doing: a restart after it costs intensity, as in OTP also after a normal end. */
export function isCharged(reason: ExitReason): boolean {
  return reason.name !== "cell_lost" && reason.name !== "storage";
}
