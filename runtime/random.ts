/**
 * Chance, handed in. One seeded generator per purpose, so that adding a draw in one place does not shift every other.
 * The algorithm is xoroshiro128+ (Blackman and Vigna, 2018) as implemented by the pure-rand package.
 */
import { randomBytes, randomInt } from "node:crypto";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A seeded stream of numbers. */
export interface Random {
  /** An unsigned 32-bit integer. */
  next32(): number;
}

/** A stream that repeats exactly for the same seed (an unsigned 32-bit integer). Nearby seeds give unrelated streams. */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(spread(seed));
  return { next32: () => generator.next() >>> 0 };
}

/** A seed from the operating system's entropy, for runs that need not repeat. */
export function freshSeed(): number {
  return randomInt(0x1_0000_0000);
}

/** 32 bytes of the operating system's entropy, in hex: a key that nobody can guess. */
export function freshEntropy(): string {
  return randomBytes(32).toString("hex");
}

/**
 * A bijection of 32-bit integers in which every bit depends on every other: the finalizer of MurmurHash3 (aappleby/smhasher
 * src/MurmurHash3.cpp, fmix32). Without it the first number of a stream is the complement of its seed.
 */
function spread(seed: number): number {
  let bits = seed;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
