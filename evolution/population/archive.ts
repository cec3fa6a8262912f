/**
 * The archive: the best program of each kind (MAP-Elites, Mouret and Clune 2015). A kind is a cell of a grid: how long the text is,
 * how many steps a call takes, and how it behaves where the problem describes that.
 *
 *   size:  floor(2 log2 characters)      fuel: floor(log2 steps)      behaviour: quantiles of the first descriptors seen
 *
 * A description of more than six numbers has no grid that is not mostly empty: it alone says the kind then, as one of 256 regions.
 *
 * Invariants
 * 1. Borders never move once a program lies between them: those of behaviour are set from the first `SAMPLE_COUNT` descriptors, and
 *    nobody lies in the grid before.
 * 2. A cell holds one program, and gives it up to a better one only.
 * 3. Bounded: at most `CELLS_MAX` cells; what falls in a further one is left out.
 */
import type { Random } from "../../runtime/index.ts";
import type { Individual } from "./individual.ts";
import { regionsFor } from "./regions.ts";

/** Numbers a description may have. */
export const DESCRIPTOR_MAX: number = 32;
/** Numbers that a grid may have beside size and steps: two buckets each. */
const GRID_MAX = 6;
/** Programs whose descriptors set the borders. */
const SAMPLE_COUNT = 32;
/** Kinds of behaviour, over all its numbers together. */
const BUCKETS_MAX = 64;
const CELLS_MAX = 4_096;

/** The best of its kind. */
export interface Elite {
  /** Which cell, as `size/fuel/behaviour…` or `region/number`. */
  readonly cell: string;
  readonly individual: Individual;
}

/** See the header. */
export class Archive {
  readonly #cells = new Map<string, Individual>();
  readonly #random: Random;
  /** Names the cell of a program; `undefined` until borders are set. */
  #cellOf: ((individual: Individual) => string) | undefined;
  #waiting: Individual[] = [];

  /** The chance is for regions, where there are some. */
  constructor(random: Random) {
    this.#random = random;
  }

  /** Takes an individual that was asked all cases. True when it is the best of its kind now; false as well while borders are not set. */
  offer(individual: Individual): boolean {
    if (individual.descriptor.length > 0 && this.#cellOf === undefined) {
      this.#waiting.push(individual);
      if (this.#waiting.length >= SAMPLE_COUNT) this.#freeze();
      return false;
    }
    return this.#place(individual);
  }

  /** Sets the borders with what there is; they stay. Nothing where they are set already. */
  freeze(): void {
    if (this.#cellOf === undefined && this.#waiting.length > 0) this.#freeze();
  }

  /** In the order of their cells' names. */
  elites(): readonly Elite[] {
    return [...this.#cells]
      .map(([cell, individual]) => ({ cell, individual }))
      .toSorted((a, b) => (a.cell < b.cell ? -1 : 1));
  }

  /** Those that wait for borders count as well. */
  members(): readonly Individual[] {
    return [...this.#cells.values(), ...this.#waiting];
  }

  #freeze(): void {
    const sample = this.#waiting.map(({ descriptor }) => descriptor);
    this.#cellOf = kindsOf(sample, this.#random);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const individual of waiting) this.#place(individual);
  }

  #place(individual: Individual): boolean {
    const cell = this.#cellOf?.(individual) ?? cellOf(individual, []);
    const holder = this.#cells.get(cell);
    if (holder === undefined ? this.#cells.size >= CELLS_MAX : holder.score >= individual.score) return false;
    this.#cells.set(cell, individual);
    return true;
  }
}

/** What names cells, by the first descriptors seen. */
function kindsOf(sample: readonly (readonly number[])[], random: Random): (individual: Individual) => string {
  if ((sample[0]?.length ?? 0) <= GRID_MAX) {
    const borders = bordersOf(sample);
    return (individual) => cellOf(individual, borders);
  }
  const regionOf = regionsFor(sample, random);
  return ({ descriptor }) => `region/${String(regionOf(descriptor)).padStart(3, "0")}`;
}

/** Borders at quantiles, as many per number as keep the grid small; equal ones are one. */
export function bordersOf(sample: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const dimensions = sample[0]?.length ?? 0;
  const buckets = Math.max(2, Math.floor(BUCKETS_MAX ** (1 / Math.max(1, dimensions)) + 1e-9));
  return Array.from({ length: dimensions }, (_, dimension) => {
    const values = sample.map((each) => each[dimension] ?? 0).toSorted((a, b) => a - b);
    const borders = Array.from(
      { length: buckets - 1 },
      (_, index) => values[Math.floor(((index + 1) * values.length) / buckets)] ?? 0,
    );
    return [...new Set(borders)];
  });
}

/** Names the cell of a program. Pure. */
export function cellOf(
  { text, fuel, descriptor }: Pick<Individual, "text" | "fuel" | "descriptor">,
  borders: readonly (readonly number[])[],
): string {
  const size = Math.floor(2 * Math.log2(text.length + 1));
  const steps = Math.floor(Math.log2(fuel + 1));
  const behaviour = borders.map(
    (marks, dimension) => marks.filter((mark) => (descriptor[dimension] ?? 0) >= mark).length,
  );
  return [size, steps, ...behaviour].map((place) => String(place).padStart(2, "0")).join("/");
}
