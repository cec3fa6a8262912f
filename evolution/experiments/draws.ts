/**
 * Numbers as the numeric experiments draw them, from one seeded stream that the caller hands in.
 */
import type { Random } from "../../runtime/index.ts";
import { below } from "../population/chance.ts";

/** A number in [0, 1) with 32 bits. */
export function fraction(random: Random): number {
  return random.next32() / 0x1_0000_0000;
}

/** A standard normal number (Box and Muller 1958). */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - fraction(random)));
  return radius * Math.cos(2 * Math.PI * fraction(random));
}

/** One of a list that is not empty. */
export function oneOf<T>(random: Random, list: readonly T[]): T {
  const drawn = list[below(random, list.length)];
  if (drawn === undefined) throw new RangeError("there is nothing to draw from");
  return drawn;
}

/** A stream of its own for a purpose: nearby parts give unrelated seeds (the mixing step of MurmurHash3, as in fmix32). */
export function seedOf(...parts: readonly number[]): number {
  let bits = 0x9e37_79b9;
  for (const part of parts) {
    bits = Math.imul(bits ^ (part >>> 0), 0x85eb_ca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
    bits ^= bits >>> 16;
  }
  return bits >>> 0;
}
