/**
 * Chance by place. There is no stream that workers share: whoever needs chance asks for the seed of its place in the run and
 * draws from a stream of its own, so neither the order of arrival nor a resume changes a draw.
 */
import { createHash } from "node:crypto";
import type { Random } from "../../runtime/index.ts";
import { seededRandom } from "../../runtime/index.ts";

/** A place in a run. */
export interface Place {
  readonly island: number;
  readonly generation: number;
  readonly slot: number;
}

/** The stream of this place for this purpose. Equal arguments give equal streams, and different ones unrelated streams. */
export function randomAt(runSeed: number, { island, generation, slot }: Place, purpose: string): Random {
  const digest = createHash("sha256").update(`${runSeed}/${island}/${generation}/${slot}/${purpose}`).digest();
  return seededRandom(digest.readUInt32BE(0));
}

/** A whole number from 0 to `count` - 1; `count` at least 1. */
export function below(random: Random, count: number): number {
  return Math.floor((random.next32() / 0x1_0000_0000) * count);
}

/** One of them; `undefined` of none. */
export function oneOf<T>(random: Random, list: readonly T[]): T | undefined {
  return list.length === 0 ? undefined : list[below(random, list.length)];
}

/** All of them in an order by chance (Fisher and Yates). */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = below(random, last + 1);
    // Both are places of the list.
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}

/** One of them, each with a chance that goes with its weight; any of them where no weight is above 0. */
export function weighted<T>(random: Random, list: readonly T[], weightOf: (each: T) => number): T | undefined {
  const weights = list.map((each) => Math.max(0, weightOf(each)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0) || !Number.isFinite(total)) return oneOf(random, list);
  let left = (random.next32() / 0x1_0000_0000) * total;
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return list[index];
  }
  return list.at(-1);
}
