/**
 * What is told of a failure when it is over. Types only.
 */

/** What became of messages. */
export interface MessageTally {
  /** Their callers were told that they did not happen. */
  readonly failed: number;
  /** Kept among the dead letters. */
  readonly setAside: number;
  /** Went back to the mailbox and run in the next life. */
  readonly returned: number;
}

/** One agent that a failure touched. */
export interface TouchedAgent {
  readonly agent: string;
  /** How its life ended. */
  readonly reason: string;
  /** From its exit to the next life that is loaded, or to the moment it was given up, in ms; all together, where it ended again. */
  readonly downMs: number;
  /** `pending`: neither, as the report was made. */
  readonly end: "back" | "parked" | "stopped" | "dropped" | "pending";
  /** Lives that ended, those that did not load included. */
  readonly exits: number;
  /** The version of the code that ran. */
  readonly hash: string;
  /** The methods its lives ended over. */
  readonly methods: readonly string[];
  /** The rungs that were taken to bring it back, and under which names its state of before stands. */
  readonly rungs: readonly { readonly rung: string; readonly before?: string }[];
}

/** What one failure did. */
export interface FailureReport {
  /** Rises by one from 1 for the life of a runtime. */
  readonly id: number;
  readonly kind: "cell" | "agent" | "storage";
  /** Why: the cell's or the agent's exit reason, or the vault's code. */
  readonly cause: string;
  readonly message: string;
  /** Who may have caused it: agents that were inside the guest as the cell died, or that ended over a message of theirs. */
  readonly suspects: readonly string[];
  readonly agents: readonly TouchedAgent[];
  /** From the first exit to the last agent that was back or given up, in ms. */
  readonly durationMs: number;
  /** `acknowledged`: agents that came back without a commit that had been acknowledged; never anything but 0. */
  readonly lost: MessageTally & { readonly acknowledged: number };
}
