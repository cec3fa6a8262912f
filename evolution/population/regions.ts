/**
 * Kinds of behaviour where a grid would have too many: 256 regions of much the same size, each all that is nearer to its centre than
 * to another one (CVT-MAP-Elites; Vassiliades, Chatzilygeroudis and Mouret, "Using centroidal Voronoi tessellations to scale up the
 * multidimensional archive of phenotypic elites", 2018). The centres are the means that Lloyd's rounds come to on random points of the unit
 * cube; behaviour is brought into it by the least and the largest of the first descriptors seen.
 *
 * Invariant: fixed at the start. Equal seeds, numbers and samples give equal regions, and nothing that comes later moves them.
 */
import type { Random } from "../../runtime/index.ts";

/** Regions. */
export const REGIONS: number = 256;
/** Random points per region. The paper has some hundred, for cells of a size; these cost some 70 ms, and twice as large or half is near enough. */
const POINTS_PER_REGION = 8;
/** Lloyd's rounds: a handful does most of it. */
const ROUNDS = 5;

/** Which region a descriptor falls in, from 0 on; time goes with its length. */
export type RegionOf = (descriptor: readonly number[]) => number;

/** Regions for descriptors like these; at least one, all as long. What lies beyond the sample is at its border. */
export function regionsFor(sample: readonly (readonly number[])[], random: Random): RegionOf {
  const length = sample[0]?.length ?? 0;
  const centres = centresIn(length, random);
  const ranges = Array.from({ length }, (_, place) => {
    const values = sample.map((each) => each[place] ?? 0);
    return { least: Math.min(...values), most: Math.max(...values) };
  });
  return (descriptor) => {
    const point = ranges.map(({ least, most }, place) => {
      const share = most > least ? ((descriptor[place] ?? 0) - least) / (most - least) : 0.5;
      return Math.min(1, Math.max(0, share));
    });
    return nearest(centres, Float64Array.from(point), 0, length);
  };
}

/** Centres one behind the other, `length` numbers each. */
function centresIn(length: number, random: Random): Float64Array {
  const points = Float64Array.from(
    { length: REGIONS * POINTS_PER_REGION * length },
    () => random.next32() / 0x1_0000_0000,
  );
  let centres: Float64Array = points.slice(0, REGIONS * length);
  for (let round = 0; round < ROUNDS; round++) centres = means(centres, points, length);
  return centres;
}

/** Lloyd's round: each centre becomes the mean of the points that are nearest to it. One without points stays. */
function means(centres: Float64Array, points: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(centres.length);
  const counts = new Uint32Array(REGIONS);
  for (let at = 0; at < points.length; at += length) {
    const region = nearest(centres, points, at, length);
    counts[region] = (counts[region] ?? 0) + 1;
    for (let place = 0; place < length; place++)
      sums[region * length + place] = (sums[region * length + place] ?? 0) + (points[at + place] ?? 0);
  }
  return sums.map((sum, index) => {
    const count = counts[Math.floor(index / length)] ?? 0;
    return count === 0 ? (centres[index] ?? 0) : sum / count;
  });
}

/** Of equally near ones the first. */
function nearest(centres: Float64Array, points: Float64Array, at: number, length: number): number {
  let best = 0;
  let bestDistance = Infinity;
  for (let region = 0; region < REGIONS; region++) {
    let distance = 0;
    // What is farther already needs no more numbers.
    for (let place = 0; place < length && distance < bestDistance; place++) {
      const apart = (centres[region * length + place] ?? 0) - (points[at + place] ?? 0);
      distance += apart * apart;
    }
    if (distance < bestDistance) [best, bestDistance] = [region, distance];
  }
  return best;
}
