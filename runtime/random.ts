/**
 * Chance, handed in. One seeded generator per purpose, so that adding a draw in one place does not shift every other.
 * The algorithm is xoroshiro128+ (Blackman and Vigna, 2018) as implemented by the pure-rand package.
 */
import { randomInt } from "node:crypto";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A seeded stream of numbers. */
export interface Random {
  /** An unsigned 32-bit integer. */
  next32(): number;
}

/** A stream that repeats exactly for the same seed. */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  return { next32: () => generator.next() >>> 0 };
}

/** A seed from the operating system's entropy, for runs that need not repeat. */
export function freshSeed(): number {
  return randomInt(0x1_0000_0000);
}
