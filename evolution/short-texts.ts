/**
 * Texts of a candidate as they go on record. A reply may have megabytes and a record keeps thousands of decisions, so each is cut to
 * what a person reads. Pure.
 */
import type { Difference } from "./decision.ts";
import type { StageVerdict } from "./stage.ts";

/** UTF-16 units of one text; `explain` shows less. */
const TEXT_MAX = 2_000;
/** Lines for people. */
const NOTES_MAX = 50;

/** What a stage says, short enough to be kept. */
export function shortVerdict(said: StageVerdict): StageVerdict {
  const { reason, difference, notes } = said;
  return {
    ...said,
    reason: short(reason),
    ...(difference === undefined ? {} : { difference: shortDifference(difference) }),
    ...(notes === undefined ? {} : { notes: notes.slice(0, NOTES_MAX).map(short) }),
  };
}

/** Two answers, each as long as it is kept. */
export function shortDifference({ method, argument, expected, actual, turn }: Difference): Difference {
  return { method: short(method), argument: short(argument), expected: short(expected), actual: short(actual), turn };
}

/** A text, cut where it is too long; then it says how long it was. */
export function short(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}… (${text.length} characters)`;
}
