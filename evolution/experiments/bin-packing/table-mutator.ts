/**
 * A mutator for programs with tables: it changes numbers of one list of numbers in the text, neighbours together, as they mean like things.
 * How far is drawn anew each time, over three orders of magnitude, so no step size needs to be remembered.
 */
import type { Random } from "../../../runtime/index.ts";
import type { MutationGround, Mutator, Proposal } from "../../mutation/mutator.ts";
import { below } from "../../population/chance.ts";
import { fraction, normal, oneOf } from "../draws.ts";

/** Digits behind the point. */
const DIGITS = 3;
const STEP_MAX = 3;
const NUMBER_LIST = /\[\s*-?\d[\d\s.,e-]*\]/g;

/** See the header. */
export const tableMutator: Mutator = {
  id: "table",
  kind: "numeric",
  async *propose(ground, count, signal): AsyncGenerator<Proposal, void, void> {
    for (let made = 0; made < count && !signal.aborted; made++) {
      const proposal = proposalOf(ground);
      if (proposal === undefined) return;
      yield proposal;
    }
  },
};

/** Takes a stretch of one list from a mate's list in the same place. */
export const tableCrossover: Mutator = {
  id: "table-crossover",
  kind: "crossover",
  async *propose({ parent, mates, random, evolvable }, count, signal): AsyncGenerator<Proposal, void, void> {
    for (let made = 0; made < count && !signal.aborted && mates.length > 0; made++) {
      const own = listsIn(parent.text, evolvable);
      const theirs = listsIn(oneOf(random, mates).text, undefined);
      const at = below(random, own.length);
      const [mine, other] = [own[at], theirs[at]];
      if (mine === undefined || other?.values.length !== mine.values.length) return;
      const { from, to } = stretch(mine.values.length, random);
      const values = mine.values.map((value, index) => (index >= from && index < to ? other.values[index]! : value));
      yield { edits: [{ start: mine.start, end: mine.end, text: textOf(values) }] };
    }
  },
};

/** A list of numbers in a text. */
export interface NumberList {
  readonly start: number;
  readonly end: number;
  readonly values: readonly number[];
}

/** The lists of numbers in a text, in their order, those within the ranges where some are given. */
export function listsIn(text: string, ranges: MutationGround["evolvable"] | undefined): readonly NumberList[] {
  return [...text.matchAll(NUMBER_LIST)]
    .map(({ index, 0: list }) => ({
      start: index,
      end: index + list.length,
      values: list.slice(1, -1).split(",").map(Number),
    }))
    .filter(
      ({ start, end, values }) =>
        values.every(Number.isFinite) &&
        (ranges === undefined || ranges.some((range) => range.start <= start && end <= range.end)),
    );
}

function proposalOf({ parent, random, evolvable }: MutationGround): Proposal | undefined {
  const lists = listsIn(parent.text, evolvable);
  const list = lists[below(random, lists.length)];
  if (list === undefined) return undefined;
  const step = STEP_MAX * 10 ** (-3 * fraction(random));
  const values = changed(list.values, step, random);
  return { edits: [{ start: list.start, end: list.end, text: textOf(values) }], note: `by ${step.toFixed(3)}` };
}

function textOf(values: readonly number[]): string {
  return `[${values.map((value) => Number(value.toFixed(DIGITS))).join(", ")}]`;
}

function changed(values: readonly number[], step: number, random: Random): readonly number[] {
  const result = [...values];
  switch (below(random, 6)) {
    case 0:
      result[below(random, result.length)]! += step * normal(random);
      return result;
    case 1:
      result[below(random, result.length)]! += step * normal(random);
      result[below(random, result.length)]! += step * normal(random);
      return result;
    case 2: {
      const { from, to } = stretch(result.length, random);
      const by = step * normal(random);
      return result.map((value, at) => (at >= from && at < to ? value + by : value));
    }
    case 3: {
      const middle = below(random, result.length);
      const width = 1 + 10 * fraction(random);
      const by = step * normal(random);
      return result.map((value, at) => value + by * Math.exp(-(((at - middle) / width) ** 2)));
    }
    case 4: {
      const by = step * normal(random);
      return result.map((value) => value + by);
    }
    default: {
      const factor = Math.exp(0.3 * step * normal(random));
      const { from, to } = stretch(result.length, random);
      return result.map((value, at) => (at >= from && at < to ? value * factor : value));
    }
  }
}

/** Up to a dozen neighbours; now and then a third of all. */
function stretch(length: number, random: Random): { readonly from: number; readonly to: number } {
  const from = below(random, length);
  const longest = below(random, 4) === 0 ? Math.ceil(length / 3) : 12;
  return { from, to: Math.min(length, from + 1 + below(random, longest)) };
}
