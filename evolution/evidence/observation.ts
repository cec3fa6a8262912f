/**
 * From a pair to what is counted of it: plain facts about both sides, and what needs no counting.
 *
 *   pair (texts, outcomes, effects) --observe--> failed? repeats? diverges? CPU, heap, fitness
 *
 * Linear in the size of the texts, whatever they are; a candidate wrote one of them.
 */
import type { RecordedTurn, ShadowTurn } from "../../runtime/index.ts";
import { differingEffects } from "../../runtime/index.ts";
import { isSameReply, isSameValue } from "../compare.ts";
import type { Difference } from "../decision.ts";
import type { Pair } from "../pairs/pair.ts";
import { describeOutcome, isVoidOutcome } from "../stage.ts";
import type { EvidenceSettings } from "./settings.ts";
import type { Ended } from "./users-view.ts";
import { UserFault, endedOf, failureOf, fitnessOf, guarded, judgedTurn } from "./users-view.ts";

/** How one side ran a turn. */
export interface Side {
  /** It threw, hit a limit, or answered what the user calls a failure. */
  readonly isFailed: boolean;
  /** It hit a limit or took its isolate with it. */
  readonly isCrashed: boolean;
  readonly isOutOfMemory: boolean;
  /** It ended as the live agent did: an equal reply once it is cleaned, or an error where there was one. */
  readonly isRepeated: boolean;
  /** It asked what the live agent did not ask in this turn, or ended well without asking what it did ask. */
  readonly isDiverging: boolean;
  /** CPU time in ms; `undefined` where no meter was read. */
  readonly cpuMs: number | undefined;
  /** Heap afterwards; `undefined` as above. */
  readonly heapBytes: number | undefined;
  /** 0 to 1, where the user has a `fitness` for this turn. */
  readonly fitness: number | undefined;
}

/** What a pair comes to. */
export interface Observation {
  /** A cell or the clock was at fault: the pair says nothing, and both states are to be made anew. */
  readonly isVoid: boolean;
  readonly candidate: Side;
  readonly control: Side;
  readonly isLiveFailed: boolean;
  /** The answer must be the live one: answers are compared, or nobody has a fitness for this turn. */
  readonly isExact: boolean;
  /** What the candidate wanted of the world and the control did not, or the reverse: the first verb. */
  readonly otherEffect: string | undefined;
  /** Both answers side by side, where the candidate's is not the live one. */
  readonly difference: Difference | undefined;
  /** How the candidate ended, in a few words. */
  readonly ending: string;
}

/** Looks at a pair. Throws UserFault where a function of the user's is at fault. */
export function observe(pair: Pair, settings: EvidenceSettings): Observation {
  const { turn, number } = pair;
  // The champion's answers first: a function that fails on those is at fault itself.
  const isLiveFailed = isFailedEnd(turn, turn.result, settings);
  const control = sideOf(turn, pair.control, settings);
  const candidate = candidateSide(turn, pair.candidate, settings);
  const { outcome } = pair.candidate;
  const ending = outcome.kind === "done" ? "a different answer" : describeOutcome(outcome);
  return {
    isVoid: isVoidPair(pair),
    candidate,
    control,
    isLiveFailed,
    isExact: settings.answers === "equal" || (settings.fitness !== undefined && control.fitness === undefined),
    otherEffect: differingEffects(pair.candidate.effects, pair.control.effects)[0]?.verb,
    difference: candidate.isRepeated ? undefined : differenceOf(turn, pair.candidate, number),
    ending,
  };
}

/** Whether a pair says nothing, because a cell, the clock or another shadow ended one of its turns. Both states are to be made anew. Pure. */
export function isVoidPair({ candidate, control, isOwnOverrun }: Pair): boolean {
  return isNobodysDoing(control) || (isNobodysDoing(candidate) && isOwnOverrun !== true);
}

/** Whether a turn in a shadow ended for reasons that lie outside of it: the machine, the clock, or another shadow in its cell. Pure. */
export function isNobodysDoing({ outcome, loss }: ShadowTurn): boolean {
  // Among others blame is no proof: it is tried again, alone.
  if (outcome.kind === "lost") return loss === undefined || !loss.isOwnDoing || !loss.isAlone;
  return isVoidOutcome(outcome);
}

/** Recorded and actual answer side by side. */
export function differenceOf(turn: RecordedTurn, { outcome }: ShadowTurn, number: number): Difference {
  const { result, method, text } = turn;
  const expected = result.ok ? result.reply : `${result.name}: ${result.message}`;
  const actual = outcome.kind === "done" ? outcome.reply : describeOutcome(outcome);
  return { method, argument: text, expected, actual, turn: number };
}

/** Whether an end counts as a failure: an error, or what the user's `isFailure` says. Throws UserFault. */
export function isFailedEnd(
  turn: RecordedTurn,
  ended: Ended,
  { isFailure }: Pick<EvidenceSettings, "isFailure">,
): boolean {
  if (!ended.ok) return true;
  const judged = isFailure === undefined ? undefined : judgedTurn(turn, ended);
  if (isFailure === undefined || judged === undefined) return false;
  return judged.error !== undefined || failureOf(isFailure, judged);
}

/** The user's fitness of an end; 0 for an error, which is not asked about; `undefined` where there is none. Throws UserFault. */
function fitnessOfEnd(
  turn: RecordedTurn,
  ended: Ended,
  { fitness }: Pick<EvidenceSettings, "fitness">,
): number | undefined {
  if (fitness === undefined) return undefined;
  const judged = judgedTurn(turn, ended);
  return judged.error === undefined ? fitnessOf(fitness, judged) : 0;
}

/** An answer that the user's functions cannot take, when they could take the champion's to the same turn, is a failure with fitness 0. */
function candidateSide(turn: RecordedTurn, ran: ShadowTurn, settings: EvidenceSettings): Side {
  try {
    return sideOf(turn, ran, settings);
  } catch (error) {
    if (!(error instanceof UserFault)) throw error;
    requireClean(turn, settings);
    const { fitness, ...rest } = settings;
    const plain = sideOf(turn, ran, { ...rest, fitness: undefined, isFailure: undefined, clean: undefined });
    return { ...plain, isFailed: true, ...(fitness === undefined ? {} : { fitness: 0 }) };
  }
}

/** The live answer was not cleaned yet where the control's has the same text. Throws UserFault where `clean` cannot take it. */
function requireClean(turn: RecordedTurn, { clean }: Pick<EvidenceSettings, "clean">): void {
  if (clean === undefined || !turn.result.ok) return;
  const expected = judgedTurn(turn, turn.result);
  guarded("clean", () => clean(expected.reply, expected));
}

function sideOf(turn: RecordedTurn, ran: ShadowTurn, settings: EvidenceSettings): Side {
  const { outcome, refusedEffects } = ran;
  const ended = endedOf(outcome);
  const meter = "meter" in outcome ? outcome.meter : undefined;
  return {
    isFailed: isFailedEnd(turn, ended, settings),
    isCrashed: outcome.kind === "exceeded" || outcome.kind === "lost",
    isOutOfMemory: outcome.kind === "exceeded" && outcome.code === "SANDBOX_HEAP_EXCEEDED",
    isRepeated: isRepeated(turn, ran, settings),
    isDiverging: refusedEffects.length > 0 || isOmitting(turn, ran),
    cpuMs: meter?.cpuMs,
    heapBytes: meter?.heapBytes,
    fitness: fitnessOfEnd(turn, ended, settings),
  };
}

/** It ended well and asked less than the live agent did. One that failed is counted as a failure already. */
function isOmitting(turn: RecordedTurn, { outcome, effects }: ShadowTurn): boolean {
  if (outcome.kind !== "done") return false;
  return effects.filter(({ isMatched }) => isMatched).length < turn.asks.length;
}

/** Whether a shadow ended as the live agent did. Throws UserFault where `clean` is at fault. */
export function isRepeated(
  turn: RecordedTurn,
  { outcome }: Pick<ShadowTurn, "outcome">,
  { clean }: Pick<EvidenceSettings, "clean">,
): boolean {
  if (!turn.result.ok) return outcome.kind === "threw";
  if (outcome.kind !== "done") return false;
  if (isSameReply(turn.result.reply, outcome.reply)) return true;
  if (clean === undefined) return false;
  const [expected, actual] = [judgedTurn(turn, turn.result), judgedTurn(turn, endedOf(outcome))];
  if (actual.error !== undefined) return false;
  return isSameValue(
    guarded("clean", () => clean(expected.reply, expected)),
    guarded("clean", () => clean(actual.reply, actual)),
  );
}
