/**
 * What a search tells, in an order that repeats for a seed: plain data, no times, so two logs of one run are equal line by line.
 */
import type { ArmReport } from "./bandit.ts";

/** Why a proposal was not run. */
export type RefusedProposal =
  /** The parent itself. */
  | "same"
  /** It was run or refused before. */
  | "seen"
  /** A model changed the same parent in nearly the same words before. */
  | "alike"
  /** It changes what must not change. */
  | "outside"
  /** Its edits overlap or leave the text. */
  | "torn"
  /** Its text is too long. */
  | "too_large";

/** One thing that was decided. */
export type SearchEvent =
  | {
      readonly type: "run.started";
      readonly runId: string;
      readonly problem: string;
      readonly seed: number;
      readonly cases: number;
      readonly islands: number;
      readonly populationPerIsland: number;
      readonly mutators: readonly string[];
    }
  /** A program was run: in a log, its text and its line of descent. */
  | {
      readonly type: "individual.evaluated";
      readonly id: string;
      readonly parents: readonly string[];
      readonly mutator: string;
      readonly note?: string;
      readonly island: number;
      readonly generation: number;
      readonly slot: number;
      readonly text: string;
      /** Mean over all cases. */
      readonly score: number;
      /** How many cases it was asked: fewer than all where the cascade ended it. */
      readonly asked: number;
      readonly fuel: number;
      readonly usd: number;
      readonly isBest: boolean;
    }
  /** A slot drew proposals that were not run. */
  | {
      readonly type: "proposal.refused";
      readonly mutator: string;
      readonly island: number;
      readonly generation: number;
      readonly slot: number;
      readonly why: Readonly<Partial<Record<RefusedProposal, number>>>;
    }
  | {
      readonly type: "mutator.failed";
      readonly mutator: string;
      readonly generation: number;
      readonly slot: number;
      readonly message: string;
    }
  /** What the mutator may cost is spent, or too many of its questions failed: the search goes on without it. */
  | {
      readonly type: "mutator.retired";
      readonly mutator: string;
      readonly generation: number;
      readonly slot: number;
      /** EVOLUTION_MODEL_CALLS_SPENT, _TOKENS_SPENT, _MONEY_SPENT or EVOLUTION_MODEL_FAILING. */
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly type: "island.migrated";
      readonly generation: number;
      readonly island: number;
      readonly ids: readonly string[];
    }
  | { readonly type: "island.restarted"; readonly generation: number; readonly island: number; readonly id: string }
  | {
      readonly type: "generation.ended";
      readonly generation: number;
      readonly evaluations: number;
      readonly proposals: number;
      readonly usd: number;
      readonly bestId: string;
      readonly bestScore: number;
      /** Mean score per island. */
      readonly means: readonly number[];
      readonly cells: number;
      readonly mutators: readonly ArmReport[];
      /** Of all that the run knows by now. */
      readonly hash: string;
    }
  | { readonly type: "run.ended"; readonly why: RunEnd; readonly generation: number; readonly hash: string };

/** Why a search ended. */
export type RunEnd =
  /** The best program's score is the goal. */
  | "goal"
  | "evaluations"
  | "generations"
  | "ms"
  | "usd"
  /** Nothing new is proposed any more. */
  | "exhausted"
  /** No mutator is left: the caps of each are spent. Whoever calls again with larger ones goes on with the last. */
  | "spent"
  | "aborted";
