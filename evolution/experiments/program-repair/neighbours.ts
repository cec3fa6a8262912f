/**
 * The neighbourhood of a program in the order in which a search should try it: how often an operator repairs, shared among its
 * changes here, times how suspect the place is.
 */
import { applyEdits, type Edit } from "../../mutation/edit.ts";
import { operators } from "../../mutation/operators.ts";
import { changesOf } from "../../mutation/operators.ts";
import type { TextRange } from "../../population/problem.ts";
import { readProgram } from "../../mutation/program.ts";
import type { Hints } from "./hints.ts";
import { templatesFor } from "./templates.ts";

/** One change of a program, and how likely it is a repair. */
export interface Neighbour {
  readonly operator: string;
  readonly edits: readonly Edit[];
  readonly text: string;
  /** Prior: larger is tried first. */
  readonly weight: number;
}

/** Changes of one operator on one program. */
const CHANGES_MAX = 3_000;

/**
 * Repairs per operator: of 99 single-edit repairs of small functions, counted by the operator that found them, and one for those
 * that were not there.
 */
const YIELD: Readonly<Record<string, number>> = {
  operator: 44,
  number: 17,
  identifier: 14,
  string: 3,
  "off-by-one": 4,
  hoist: 6,
  boolean: 2,
  assignment: 2,
  unwrap: 2,
  method: 2,
  donor: 3,
  wrap: 3,
  postfix: 2,
  convert: 3,
  "early-return": 0.5,
  guard: 1,
  delete: 2,
  respell: 1.5,
  "hinted-literal": 3,
  "insert-assignment": 2,
  "guard-statement": 2,
  arrow: 1,
  "part-of-name": 2,
  slice: 2,
};

/** Sum of the yields, about: weights are shares of all repairs, so that two steps weigh less than each of them. */
const YIELD_SUM = 130;
/** Signs that are mistaken for each other; any other replacement of a sign counts less. */
const TWINS: ReadonlySet<string> = new Set(
  [
    "< <=",
    "> >=",
    "< >",
    "<= >=",
    "< >=",
    "> <=",
    "== !=",
    "=== !==",
    "== ===",
    "!= !==",
    "&& ||",
    "+ -",
    "* /",
    "/ %",
    "* +",
  ].flatMap((pair) => [pair, pair.split(" ").toReversed().join(" ")]),
);
const UNLIKE_SIGN = 0.2;
/** A number that is not just one off. */
const FAR_NUMBER = 0.5;

/** How suspect a place is, from 0 to 1. */
export type Suspicion = (start: number) => number;

/** Every change within the ranges, the most promising first; each text once, and never the program's own. Empty where it does not parse. */
export function neighboursOf(
  text: string,
  options: { readonly within: TextRange; readonly hints: Hints; readonly suspicion: Suspicion },
): readonly Neighbour[] {
  const program = readProgram(text);
  if (program === undefined) return [];
  const seen = new Set([text]);
  const found: Neighbour[] = [];
  for (const operator of [...operators, ...templatesFor(options.hints)]) {
    const own: { readonly edits: readonly Edit[]; readonly text: string }[] = [];
    for (const { edits } of changesOf(program, [operator])) {
      if (own.length >= CHANGES_MAX) break;
      if (!edits.every(({ start, end }) => start >= options.within.start && end <= options.within.end)) continue;
      const changed = tryEdits(text, edits);
      if (changed === undefined || seen.has(changed)) continue;
      seen.add(changed);
      own.push({ edits, text: changed });
    }
    const share = (YIELD[operator.id] ?? 1) / Math.max(6, own.length);
    for (const each of own) {
      const place = Math.max(...each.edits.map(({ start }) => options.suspicion(start)));
      const weight = (share * place * likeliness(text, operator.id, each.edits)) / YIELD_SUM;
      found.push({ ...each, operator: operator.id, weight });
    }
  }
  return found.toSorted((a, b) => b.weight - a.weight);
}

/** How likely this change is among those of its operator. */
function likeliness(text: string, operator: string, edits: readonly Edit[]): number {
  const [edit] = edits;
  if (edit === undefined) return 1;
  const before = text.slice(edit.start, edit.end).trim();
  const after = edit.text.trim();
  if (operator === "operator") return TWINS.has(`${before} ${after}`) ? 1 : UNLIKE_SIGN;
  if (operator === "number") return Math.abs(Number(before) - Number(after)) === 1 ? 1 : FAR_NUMBER;
  return 1;
}

/** Operators may make edits that overlap: such a change is none. */
function tryEdits(text: string, edits: readonly Edit[]): string | undefined {
  try {
    return applyEdits(text, edits);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
