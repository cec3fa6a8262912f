/** Picking by chance from a seeded stream: the same seed picks the same. */
import { seededRandom } from "../../runtime/random.ts";

/** A seeded stream of picks. */
export class Chance {
  readonly #random: ReturnType<typeof seededRandom>;

  /** `parts` name the stream: a seed, a round, a purpose. */
  constructor(...parts: readonly number[]) {
    let seed = 0;
    for (const part of parts) seed = (Math.imul(seed, 31) + seededRandom(part >>> 0).next32()) >>> 0;
    this.#random = seededRandom(seed);
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return this.#random.next32() % count;
  }

  /** True in one of `times` cases. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of a list that is not empty. */
  of<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }

  /** `count` different ones, in their order; all of a shorter list. */
  some<T>(list: readonly T[], count: number): T[] {
    let wanted = Math.min(count, list.length);
    return list.filter((_, index) => {
      const isTaken = this.below(list.length - index) < wanted;
      if (isTaken) wanted--;
      return isTaken;
    });
  }
}
