/**
 * The words between a supervisor and a child, agent or supervisor alike. Types only.
 */
import type { ExitReason } from "./exit-reason.ts";
import type { TreeNode } from "./tree.ts";

/** What a child tells its supervisor of one start: `failed`, or `started` and later `exited`. */
export interface StartReport {
  started(): void;
  /** `error`: what stopped it, where there is one. */
  failed(reason: ExitReason, error?: unknown): void;
  exited(reason: ExitReason): void;
}

/** How a child stays down. */
export interface Settling {
  /** Its supervisor knows it no more. */
  readonly isForgotten: boolean;
}

/** A child as its supervisor sees it. */
export interface SupervisedChild<Plan> {
  readonly path: string;
  /** Starts it (again). Never throws; `report` says what became of it, for this start alone. */
  start(plan: Plan, report: StartReport): void;
  /** Ends it: in order, or at once. The report says when. */
  signal(reason: "shutdown" | "kill"): void;
  /** It has ended, and its supervisor means to start it again. */
  hold(): void;
  /** It has ended and is not started again, unless somebody asks. Returns how many agents are down by that. */
  settle(reason: ExitReason, how: Settling): number;
  describe(): TreeNode;
}
