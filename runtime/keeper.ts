/**
 * The words between an agent and whoever decides about its lives: its keeper, which runs the supervision core for it. A
 * top-level agent has a keeper of its own (`solo-keeper.ts`); a child of a supervisor is kept by that (`supervised-agent.ts`).
 *
 *   agent                                   keeper
 *     started ------------------------------->   a life is loaded
 *     exited(reason) ------------------------>   a life ended, or did not load, by the agent's own doing; the agent is held
 *     <------------------ launch | hold | park | settle
 *
 * An exit that is not charged never comes here: the agent is re-homed by itself. Types only.
 */
import type { AgentSpec } from "./agent-record.ts";
import type { ExitReason } from "./exit-reason.ts";

/** Who decides about an agent's lives. */
export interface Keeper {
  /** A life is loaded and serves. */
  started(): void;
  /** A life ended, or a start failed. What is to be done comes back through `Kept`, at once or later. */
  exited(reason: ExitReason): void;
  /** True where the agent may be given a life beside the keeper's decisions while it is held: by a swap or a restore. */
  readonly isFree: boolean;
  /** A life was made beside the keeper's decisions. False: it must not be, the agent is down. */
  adopt(): boolean;
  /** The owner wants the agent stopped: true when the agent may do so by itself, otherwise when it is done. */
  stop(reason: ExitReason): Promise<void> | "by_itself";
  /** The agent has stopped by itself. */
  retire(): void;
  /** The owner wants an agent that is down to start again. Resolves or returns when it is on its way. */
  revive(): Promise<void> | void;
  /** The agent is supervised by another spec from here on. */
  reconfigure(spec: AgentSpec): void;
}

/** An agent as its keeper sees it. */
export interface Kept {
  readonly id: string;
  /** Start a life: `now`, or when a message or a free place asks for it. Answered by `started` or `exited`. */
  launch(how: "now" | "lazily"): void;
  /** A start failed and is tried again later; messages wait. */
  hold(): void;
  /** It failed too often: down until it is revived. */
  park(reason: ExitReason): void;
  /** It is down for good; `isForgotten`: and no longer known, as temporary children are. */
  settle(reason: ExitReason, isForgotten: boolean): void;
}
