/**
 * Who does each case best: a program that alone can do one hard case is kept, however bad its mean (the per-case front of GEPA,
 * Agrawal and others 2025). Every case has a holder once a program was asked it.
 */
import type { Individual } from "./individual.ts";

/** See the header. Bounded by the number of cases. */
export class CaseHolders {
  readonly #holders: (Individual | undefined)[];

  constructor(caseCount: number) {
    this.#holders = Array.from({ length: caseCount }, () => undefined);
  }

  /** Takes the cases that it does better than their holder, or as well with a better mean. Returns how many. */
  offer(individual: Individual): number {
    let taken = 0;
    for (const [index, score] of individual.scores.entries()) {
      const holder = this.#holders[index];
      const held = holder?.scores[index] ?? -1;
      if (score < held || (score === held && individual.score <= (holder?.score ?? -1))) continue;
      this.#holders[index] = individual;
      taken += 1;
    }
    return taken;
  }

  /** Each once, in the order of the cases that they hold first. */
  members(): readonly Individual[] {
    return [...new Set(this.#holders.filter((each) => each !== undefined))];
  }

  /** Ids, in the order of the cases; empty where nobody was asked. */
  ids(): readonly string[] {
    return this.#holders.map((each) => each?.id ?? "");
  }
}
