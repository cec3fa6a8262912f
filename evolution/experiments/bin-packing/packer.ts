/**
 * Online bin packing: one item after the other goes into a bin with room for it, or into a new one, for good. The judge of rules.
 *
 * A rule says what a bin is worth by its residual capacity and by how many bins there are of that residual. Two bins with one
 * residual are the same to it, and sizes are whole numbers: so the bins are a histogram, and 25,000 items take a few ms.
 *
 *   item -> the residual r >= item that some bin has (a new bin has all of it), where the worth of all bins changes for the best:
 *             worth(r - item, one more of them) - worth(r, the last of them)
 *        -> count[r] - 1, count[r - item] + 1
 */

/** One list of items, in the order in which they arrive. Each is from 1 to capacity. */
export interface Instance {
  readonly id: string;
  readonly capacity: number;
  readonly items: Uint16Array;
}

/**
 * A rule: the worth of the count-th bin of a residual is at [residual * DEPTH + count - 1]. Further bins are worth what the
 * last counted one is. Of equal changes the one at the smallest residual is taken.
 */
export type Worths = Float64Array;

/** Bins of one residual that a rule tells apart. */
export const DEPTH = 8;

/** Numbers of a rule. */
export function worthCount(capacity: number): number {
  return (capacity + 1) * DEPTH;
}

/** The sum of items divided by the capacity, rounded up: no packing has fewer bins (L1 of Martello and Toth 1990). */
export function lowerBound({ capacity, items }: Instance): number {
  let sum = 0;
  for (const item of items) sum += item;
  return Math.ceil(sum / capacity);
}

/** The bins that a rule needs. */
export function binsOf({ capacity, items }: Instance, worths: Worths): number {
  const counts = new Uint32Array(capacity + 1);
  // Bit r: some open bin has residual r. Most residuals have none, and only bits that are set are looked at.
  const open = new Uint32Array((capacity >>> 5) + 1);
  // What one more bin of a residual is worth, and what the last one of it is: kept as counts change.
  const more = Float64Array.from(counts, (_, residual) => worths[residual * DEPTH]!);
  const last = more.slice();
  const keep = (residual: number): void => {
    const count = counts[residual]!;
    more[residual] = worths[residual * DEPTH + Math.min(count, DEPTH - 1)]!;
    last[residual] = worths[residual * DEPTH + Math.min(Math.max(count, 1), DEPTH) - 1]!;
  };
  let bins = 0;
  for (const item of items) {
    const best = choose({ open, more, last, item, capacity });
    if (best === capacity) bins++;
    else {
      counts[best]! -= 1;
      if (counts[best] === 0) open[best >>> 5]! &= ~(1 << (best & 31));
      keep(best);
    }
    const left = best - item;
    if (left === 0) continue;
    counts[left]! += 1;
    open[left >>> 5]! |= 1 << (left & 31);
    keep(left);
  }
  return bins;
}

interface Choice {
  readonly open: Uint32Array;
  readonly more: Float64Array;
  readonly last: Float64Array;
  readonly item: number;
  readonly capacity: number;
}

function choose({ open, more, last, item, capacity }: Choice): number {
  let best = capacity;
  let highest = more[capacity - item]! - last[capacity]!;
  const lowest = item >>> 5;
  for (let word = open.length - 1; word >= lowest; word--) {
    let bits = open[word]!;
    if (word === lowest) bits &= -1 << (item & 31);
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits);
      bits &= ~(1 << bit);
      const residual = (word << 5) | bit;
      const change = more[residual - item]! - last[residual]!;
      if (change < highest) continue;
      highest = change;
      best = residual;
    }
  }
  return best;
}

/** The bins that first fit needs: the oldest bin with room. Bins are told apart by age here, so it has a list of them. */
export function firstFitBins({ capacity, items }: Instance): number {
  const leaves = 2 ** Math.ceil(Math.log2(Math.max(1, items.length)));
  // A tournament: each node holds the largest residual under it.
  const largest = new Uint16Array(2 * leaves).fill(capacity);
  let bins = 0;
  for (const item of items) {
    let node = 1;
    while (node < leaves) node = largest[2 * node]! >= item ? 2 * node : 2 * node + 1;
    bins = Math.max(bins, node - leaves + 1);
    largest[node]! -= item;
    for (node >>= 1; node >= 1; node >>= 1) largest[node] = Math.max(largest[2 * node]!, largest[2 * node + 1]!);
  }
  return bins;
}

/** Best fit as a rule: worths that are convex in the residual gain the most where the residual is smallest. */
export function bestFit(capacity: number): Worths {
  return Float64Array.from({ length: worthCount(capacity) }, (_, at) => (capacity - Math.floor(at / DEPTH)) ** 2);
}

/** Bins over the lower bound in per cent of the bound, over all instances together. */
export function excessPercent(instances: readonly Instance[], bins: readonly number[]): number {
  const bound = instances.reduce((sum, instance) => sum + lowerBound(instance), 0);
  return (100 * (bins.reduce((sum, count) => sum + count, 0) - bound)) / bound;
}
