/**
 * A mutator: proposes changes of one program. It remembers nothing: what it proposes follows from the ground it is given alone,
 * so a search that is resumed, or has more workers, proposes the same.
 */
import type { Random } from "../../runtime/index.ts";
import type { CaseFailure, Individual } from "../population/individual.ts";
import type { TextRange } from "../population/problem.ts";
import type { Edit } from "./edit.ts";

/** Where a proposal comes from. */
export type MutatorKind = "ast" | "crossover" | "numeric" | "llm" | "replay";

/** Which parts of a program ran, case by case. */
export interface Coverage {
  /** What each counter counts, in the parent's text. Blocks may lie in one another. */
  readonly blocks: readonly TextRange[];
  /** One for each case, or for several that all passed or all failed. `counts`: how often each block ran. */
  readonly runs: readonly { readonly hasPassed: boolean; readonly counts: ArrayLike<number> }[];
}

/** What a mutator works on. */
export interface MutationGround {
  readonly parent: Individual;
  /** For crossover. */
  readonly mates: readonly Individual[];
  /** Good programs, shown to models. */
  readonly inspirations: readonly Individual[];
  /** Of the parent. */
  readonly failures: readonly CaseFailure[];
  readonly coverage?: Coverage | undefined;
  /** The only chance there is: one stream for each call of `propose`. */
  readonly random: Random;
  /** What of the parent's text may change: no edit touches anything else. */
  readonly evolvable: readonly TextRange[];
  /** How many proposals of this mutator for this parent there were before; default 0. */
  readonly proposed?: number | undefined;
}

/** What a proposal cost. */
export interface ProposalMeta {
  readonly model?: string;
  /** Names the request in a cassette. */
  readonly promptHash?: string;
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly usd?: number;
}

/** A child: edits on the parent's text, or a text of its own. */
export interface Proposal {
  readonly edits: readonly Edit[] | { readonly full: string };
  /** In a few words, for people; `numeric` reads its step from it. */
  readonly note?: string;
  readonly meta?: ProposalMeta;
}

/** See the header. */
export interface Mutator {
  readonly id: string;
  readonly kind: MutatorKind;
  /** What it is expected to earn, beside the others that have one; absent: nothing is expected, so it is tried first. */
  readonly startWeight?: number | undefined;
  /**
   * Up to `count` proposals, all different; fewer where there are no more. Ends early when the signal aborts. May throw: its slot is
   * lost then; with EVOLUTION_MODEL_CALLS_SPENT, _TOKENS_SPENT, _MONEY_SPENT or EVOLUTION_MODEL_FAILING it is not asked any more.
   */
  propose(ground: MutationGround, count: number, signal: AbortSignal): AsyncIterable<Proposal>;
}
