/**
 * What a user holds: a reference to an agent by name. It stays valid across restarts, swaps of code and reopened vaults.
 */
import type { AnyAgentDefinition, ArgumentOf, MethodsOf, ReplyOf } from "../sandbox/index.ts";
import type { Point, Snapshot } from "../vault/index.ts";
import type { CallOptions } from "./call-options.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { ExitNotice } from "./monitors.ts";

/** True for a reference without a type of its own: any method, any argument, an unknown reply. */
type IsUntyped<Def extends AnyAgentDefinition> = string extends MethodsOf<Def> ? true : false;

/** What follows the method's name: its argument, left out where the handler takes none, and how long to wait. */
export type CallArguments<Def extends AnyAgentDefinition, Method extends MethodsOf<Def>> =
  IsUntyped<Def> extends true
    ? [arg?: unknown, options?: CallOptions]
    : undefined extends ArgumentOf<Def, Method>
      ? [arg?: ArgumentOf<Def, Method>, options?: CallOptions]
      : [arg: ArgumentOf<Def, Method>, options?: CallOptions];

/** What a method answers. */
export type CallReply<Def extends AnyAgentDefinition, Method extends MethodsOf<Def>> =
  IsUntyped<Def> extends true ? unknown : ReplyOf<Def, Method>;

/** One line of an agent's past, newest first in `history()`. */
export interface HistoryLine {
  readonly seq: number;
  readonly timeMs: number;
  readonly kind: string;
  readonly label?: string;
  /** The method whose turn wrote it. */
  readonly method?: string;
  /** State keys it wrote. */
  readonly keys: readonly string[];
  /** Tables it wrote rows of. */
  readonly tables?: readonly string[];
  /** Of a hand-over (`kind` "handover"): the note, and what had been used. Kept for the newest 100. */
  readonly note?: unknown;
  readonly used?: number;
}

/** An agent's figures. */
export interface AgentInfo {
  readonly id: string;
  readonly status: "asleep" | "starting" | "up" | "restarting" | "parked" | "down";
  /** Why it is down or parked. */
  readonly reason?: ExitReason;
  readonly cell: string | undefined;
  readonly cellPid: number | undefined;
  readonly heapBytes: number;
  readonly heapLimitBytes: number;
  readonly mailbox: number;
  readonly restarts: number;
  readonly hash: string | undefined;
  readonly version: number | undefined;
  readonly profile: "trusted" | "hardened" | undefined;
  readonly seq: number;
  readonly epoch: number;
}

/** A reference to an agent, typed by its definition. */
export interface AgentRef<Def extends AnyAgentDefinition = AnyAgentDefinition> {
  readonly id: string;
  /**
   * Request and reply. Resolves after the turn's writes are durable. Rejects with RUNTIME_HANDLER_THREW, SANDBOX_HEAP_EXCEEDED,
   * SANDBOX_CPU_EXCEEDED, SANDBOX_WALL_EXCEEDED, SANDBOX_CELL_LOST, RUNTIME_CALL_TIMEOUT, RUNTIME_MAILBOX_FULL, RUNTIME_AGENT_DOWN,
   * SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE, VAULT_COMMIT_FAILED; each says whether the turn happened.
   */
  call<Method extends MethodsOf<Def>>(
    method: Method,
    ...rest: CallArguments<Def, Method>
  ): Promise<CallReply<Def, Method>>;
  /** A message without reply: accepted into the mailbox, or refused by throwing RUNTIME_MAILBOX_FULL or RUNTIME_AGENT_DOWN. */
  cast<Method extends MethodsOf<Def>>(method: Method, ...rest: CallArguments<Def, Method>): void;
  /** A new agent on a copy-on-write branch of this one, now or as it was. Costs the same for any size of state. */
  fork(options: { readonly id: string; readonly at?: Point }): Promise<AgentRef<Def>>;
  /** Names the present state. On disk when it resolves. */
  snapshot(label: string): Promise<Snapshot>;
  /** What was written and named, newest first, as far back as the log reaches. */
  history(options?: { readonly limit?: number }): Promise<readonly HistoryLine[]>;
  /** Makes an earlier state, and the code of then, current. Recorded, so it can be undone: the state before is named. */
  restore(at: Point): Promise<void>;
  /** Orderly stop: the message in work is finished, or fails once `shutdownMs` are over, and `stop` runs. Not restarted. */
  stop(reason?: string): Promise<void>;
  /** Ends the isolate at once, as a crash would. Its supervisor restarts it. */
  kill(): Promise<void>;
  /**
   * Sends an exit signal, as OTP's `exit/2`. An agent that does not trap exits ends for this reason at once, unless it is
   * `normal`; one whose definition has `exit` is told instead, with `from: ""`. `kill` ends anybody, for the reason `killed`.
   * Its supervisor decides what follows. Nothing happens to an agent that is down or unknown. Throws RUNTIME_OPTIONS_INVALID.
   */
  exit(reason: string): void;
  /** Starts a parked or stopped agent again. */
  revive(): Promise<void>;
  /** Calls `listener` at every exit; returns the way to stop. An error that it throws is its owner's and surfaces as uncaught. */
  monitor(listener: (notice: ExitNotice) => void): () => void;
  info(): Promise<AgentInfo>;
}

/** The reason an owner gives for a stop. */
export function shutdownReason(message: string): ExitReason {
  return { name: "shutdown", message };
}
