/**
 * Programs that a search goes on from: one per behaviour, the better ones first, and each with the neighbours that were not tried
 * yet. Chance decides nothing but the order of the cases in a lexicase draw.
 */
import type { Random } from "../../../runtime/index.ts";
import type { Neighbour } from "./neighbours.ts";
import type { TrialResult } from "./trial.ts";

/** A program, how it came about, and what it is worth. */
export interface Patch {
  readonly text: string;
  /** Operators, in the order of the steps; empty for the program as it was given. */
  readonly operators: readonly string[];
  /** Product of the steps' weights. */
  readonly weight: number;
  /** On all cases that guide. */
  readonly trial: TrialResult;
}

/** A patch in the pool. */
export interface Parent extends Patch {
  /** Worked out when it is first chosen. */
  neighbours: readonly Neighbour[] | undefined;
  /** How many of them were tried. */
  tried: number;
  /** How often it was chosen. */
  turns: number;
}

/** Parents at a time. */
const POOL_MAX = 64;
/** What a neighbour of the best improved program is worth, beside one of the given program. */
const IMPROVED_SHARE = 0.2;
/** What every improvement counts, beside the share of what was wanting that it gained. */
const GAIN_LEAST = 0.1;
/** One turn in so many is a lexicase draw, before and after all single edits are tried. */
const LEXICASE_EARLY = 12;
const LEXICASE_LATE = 3;
/** Of a neighbourhood that nobody looked at yet: its first neighbours are likely ones. */
const UNKNOWN_WEIGHT = 0.01;
/** Grades as near as this are equal in a lexicase draw. */
const EPSILON = 0.02;

/** See the header. */
export class Pool {
  #parents: Parent[] = [];
  /** Sum of the grades of the program as it was given. */
  #given = 0;

  get size(): number {
    return this.#parents.length;
  }

  readonly #order: "likeliest first" | "given first";

  /** `given first`: no program is gone on from before all single edits of the given one are tried. */
  constructor(order: "likeliest first" | "given first") {
    this.#order = order;
  }

  /** Begins with the program as it was given. */
  begin(given: Patch): void {
    this.#given = sum(given.trial.grades);
    this.add(given);
  }

  /** Takes a patch in, unless one that behaves the same is there already and more likely. */
  add(patch: Patch): void {
    const same = this.#parents.findIndex(({ trial }) => trial.signature === patch.trial.signature);
    const known = this.#parents[same];
    if (known !== undefined && known.weight >= patch.weight) return;
    if (known !== undefined) this.#parents.splice(same, 1);
    this.#parents.push({ ...patch, neighbours: undefined, tried: 0, turns: 0 });
    this.#parents.sort(byWorth);
    this.#parents.length = Math.min(this.#parents.length, POOL_MAX);
  }

  /** Takes out a parent that has no neighbour left. */
  drop(parent: Parent): void {
    this.#parents = this.#parents.filter((each) => each !== parent);
  }

  /**
   * The parent whose next neighbour is the likeliest repair; now and then one that is best on the cases in some order. A program
   * that was not given as it is counts less the more there are before it.
   */
  choose(turn: number, random: Random): Parent | undefined {
    const given = this.#parents.find(({ operators }) => operators.length === 0);
    if (this.#order === "given first" && given !== undefined) return given;
    const improved = this.#parents.filter(({ operators }) => operators.length > 0);
    if (turn % (given !== undefined ? LEXICASE_EARLY : LEXICASE_LATE) === 1 && improved.length > 1)
      return lexicase(improved, random);
    let best: Parent | undefined;
    let most = -1;
    for (const [rank, parent] of this.#parents.entries()) {
      const promise = this.#share(parent, rank) * this.#nextWeight(parent);
      if (promise > most) [best, most] = [parent, promise];
    }
    return best;
  }

  /** What it is worth to go on from a parent, beside the program as it was given. */
  #share({ operators, trial }: Parent, rank: number): number {
    if (operators.length === 0) return 1;
    const gained = (sum(trial.grades) - this.#given) / (trial.grades.length - this.#given);
    return (IMPROVED_SHARE * (GAIN_LEAST + Math.max(0, gained))) / (1 + rank);
  }

  #nextWeight({ neighbours, tried }: Parent): number {
    return neighbours === undefined ? UNKNOWN_WEIGHT : (neighbours[tried]?.weight ?? 0);
  }
}

function byWorth(a: Patch, b: Patch): number {
  return b.trial.passed - a.trial.passed || sum(b.trial.grades) - sum(a.trial.grades) || b.weight - a.weight;
}

/** Sum of the grades. */
export function sum(grades: readonly number[]): number {
  return grades.reduce((total, grade) => total + grade, 0);
}

/** Epsilon-lexicase (La Cava, Spector and Danai, 2016): case by case, in a drawn order, only the best stay. */
function lexicase(parents: readonly Parent[], random: Random): Parent | undefined {
  let left = parents;
  const order = shuffled(parents[0]?.trial.grades.length ?? 0, random);
  for (const index of order) {
    if (left.length < 2) break;
    const best = Math.max(...left.map(({ trial }) => trial.grades[index] ?? 0));
    left = left.filter(({ trial }) => (trial.grades[index] ?? 0) >= best - EPSILON);
  }
  return left.toSorted((a, b) => a.turns - b.turns)[0];
}

function shuffled(length: number, random: Random): readonly number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let index = length - 1; index > 0; index--) {
    const other = random.next32() % (index + 1);
    [order[index], order[other]] = [order[other] ?? 0, order[index] ?? 0];
  }
  return order;
}
