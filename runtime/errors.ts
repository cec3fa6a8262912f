/**
 * The runtime's one error class and its table of codes. Errors of the lower floors (`SandboxError`, `VaultError`) reach
 * callers unchanged where the fault is theirs: a heap that was exceeded is SANDBOX_HEAP_EXCEEDED, a full disk is
 * VAULT_COMMIT_FAILED.
 */

/** Codes are public API: renaming one is a major change. */
export type RuntimeErrorCode =
  /** An option has the wrong type, is out of range or is unknown. `details.issues` names each. */
  | "RUNTIME_OPTIONS_INVALID"
  /** This Node is too old for isolated-vm. */
  | "RUNTIME_NODE_UNSUPPORTED"
  /** The runtime was closed, or is closing. */
  | "RUNTIME_CLOSED"
  /** `spawn` or `fork` with an id that is taken by a running agent. */
  | "RUNTIME_AGENT_EXISTS"
  /** No agent of this id is running or kept in the vault. */
  | "RUNTIME_AGENT_UNKNOWN"
  /** The agent is stopped, was killed while it worked on this message, or has ended for good. */
  | "RUNTIME_AGENT_DOWN"
  /** The agent failed too often within its period and was parked; `restartChild` tries again. */
  | "RUNTIME_INTENSITY_EXCEEDED"
  /** There is no code to start: the vault holds none, or the point in time lies before the first start. */
  | "RUNTIME_START_FAILED"
  /** The mailbox holds as many messages as it may. */
  | "RUNTIME_MAILBOX_FULL"
  /** These words ended their agent too often: `runtime.deadLetters({ agent })` keeps them, `revive()` lets them in again. */
  | "RUNTIME_MESSAGE_QUARANTINED"
  /** There is no dead letter of this number: it was replayed or dropped, or gave way to newer ones. */
  | "RUNTIME_DEAD_LETTER_UNKNOWN"
  /** The dead letters are as many as may be kept: the oldest was discarded. */
  | "RUNTIME_DEAD_LETTERS_FULL"
  /** The handler threw. Its writes were dropped, the agent lives. `details` has name, message and the mapped stack. */
  | "RUNTIME_HANDLER_THREW"
  /** No answer within `timeoutMs`. `details.mayHaveHappened` says whether the turn had been started. */
  | "RUNTIME_CALL_TIMEOUT"
  /** The caller's signal aborted the call. */
  | "RUNTIME_CALL_ABORTED"
  /** `ctx.stop` or `ctx.kill` for what is no subagent of this agent. */
  | "RUNTIME_CHILD_UNKNOWN"
  /** The agent has as many subagents as it may, or the tree it belongs to has; a dynamic supervisor has `maxChildren`. */
  | "RUNTIME_CHILDREN_EXCEEDED"
  /** A subagent of this agent would live more generations below the top than it may. */
  | "RUNTIME_DEPTH_EXCEEDED"
  /** The agent has as many links and monitors as it may. */
  | "RUNTIME_LINKS_EXCEEDED"
  /** `ctx.spawn` with a definition that the program did not give with `runtime.define`. */
  | "RUNTIME_DEFINITION_UNKNOWN"
  /** `supervise` with the name of a supervisor that runs. */
  | "RUNTIME_SUPERVISOR_EXISTS"
  /** There is no supervisor of this path. */
  | "RUNTIME_SUPERVISOR_UNKNOWN"
  /** The supervisor is down: it gave up, ended with a significant child, or was stopped. */
  | "RUNTIME_SUPERVISOR_DOWN"
  /** The supervisor has a child of this id, running or stopped. */
  | "RUNTIME_CHILD_EXISTS"
  /** Only a child that is stopped can be restarted or deleted. */
  | "RUNTIME_CHILD_RUNNING"
  /** The child is between two tries at a restart; `terminateChild` cancels them. */
  | "RUNTIME_CHILD_RESTARTING"
  /** The child, or one below it, did not come up. `cause` is its error. */
  | "RUNTIME_CHILD_START_FAILED"
  /** The call would close a ring of agents that wait for each other, or for itself. `details.ring` names it. */
  | "RUNTIME_CALL_CYCLE"
  /** The caller of this turn waits no more, so its turn may not ask anybody anything. Nothing was sent. */
  | "RUNTIME_DEADLINE_EXCEEDED"
  /** The agent asked for something nobody here provides (for example `ctx.propose` without an arbiter). */
  | "RUNTIME_CAPABILITY_MISSING"
  /** The agent was not granted this capability, or not for these arguments. */
  | "RUNTIME_CAPABILITY_DENIED"
  /** The arguments are not what the capability takes. */
  | "RUNTIME_CAPABILITY_INVALID"
  /** More calls than the grant's quota allows: in this turn, in this minute, or at once. */
  | "RUNTIME_CAPABILITY_QUOTA"
  /** The capability did not answer within its time limit. */
  | "RUNTIME_CAPABILITY_TIMEOUT"
  /** What the capability read or answers is longer than it may be. */
  | "RUNTIME_CAPABILITY_TOO_LARGE"
  /** What the capability needs is not there: a program, a network, a key, a package. */
  | "RUNTIME_CAPABILITY_UNAVAILABLE"
  /** The effect was begun before a crash, and nobody knows whether it happened: it is not tried again. */
  | "RUNTIME_CAPABILITY_OUTCOME_UNKNOWN"
  /** The capability failed. */
  | "RUNTIME_CAPABILITY_FAILED"
  /** The turn that asked is over. */
  | "RUNTIME_CAPABILITY_ABORTED"
  /** Candidate code could not take over (load, migration); the version before it still serves. */
  | "RUNTIME_SWAP_FAILED"
  /** `answerWith` for an agent that somebody answers for already. */
  | "RUNTIME_ANSWERER_EXISTS"
  /** A folder of definitions cannot be watched: it does not exist, is no folder, or may not be read. */
  | "RUNTIME_WATCH_FAILED"
  /** An agent's file says something that is no definition; `details.file` and, where it is known, `details.line`. */
  | "RUNTIME_DEFINITION_INVALID"
  /** What was given to `simulate` is no case; the message and `details.problem` name the place. */
  | "RUNTIME_CASE_INVALID"
  /** A cron pattern or its time zone cannot be read, or it never falls due. */
  | "RUNTIME_CRON_INVALID"
  /** The agent has as many durable timers as it may. */
  | "RUNTIME_TIMERS_EXCEEDED"
  /** The agent subscribes to as many topics as it may. */
  | "RUNTIME_SUBSCRIPTIONS_EXCEEDED"
  /** A guest named a topic that can be none. */
  | "RUNTIME_TOPIC_INVALID"
  /** The vault holds as many topics as it may. */
  | "RUNTIME_TOPICS_EXCEEDED"
  /** A program read a topic more slowly than its buffer is large, and asked to be ended then. */
  | "RUNTIME_SUBSCRIBER_OVERFLOWED"
  /** A shadow tried an effect for which no answer was recorded. */
  | "RUNTIME_EFFECT_REFUSED"
  /** What stands in for the world in a trial threw, or gave what is no encoded value, or one that is too long. */
  | "RUNTIME_SIMULATION_FAILED";

/** An error of the runtime. `details` is plain data that can be logged. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly code: RuntimeErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: RuntimeErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
