/**
 * Borders and pairs of a packing as constraints c >= 0, with the slopes that a step needs.
 *
 *   border   x - r, 1 - x - r, y - r, 1 - y - r              (straight)
 *   pair     |p - q| - r - s                                 (convex in the centres: never below its tangent)
 */
import type { Packing } from "./packing.ts";

/** All constraints of n circles, four borders each and then the pairs; `measure` fills in the numbers. */
export interface Constraints {
  /** Variables per constraint that there is room for. */
  readonly width: number;
  /** The variables of constraint k from k * width on; -1 after the last. */
  readonly variables: Int32Array;
  readonly slopes: Float64Array;
  readonly values: Float64Array;
}

const WIDTH = 6;

/** The constraints of so many circles, not yet measured. */
export function constraintsOf(circles: number): Constraints {
  const count = 4 * circles + (circles * (circles - 1)) / 2;
  const variables = new Int32Array(count * WIDTH).fill(-1);
  const slopes = new Float64Array(count * WIDTH);
  let k = 0;
  for (let i = 0; i < circles; i++)
    for (const [axis, sign] of [
      [0, 1],
      [0, -1],
      [1, 1],
      [1, -1],
    ] as const) {
      variables.set([3 * i + axis, 3 * i + 2], k * WIDTH);
      slopes.set([sign, -1], k * WIDTH);
      k++;
    }
  for (let i = 0; i < circles; i++)
    for (let j = 0; j < i; j++) {
      variables.set([3 * i, 3 * i + 1, 3 * i + 2, 3 * j, 3 * j + 1, 3 * j + 2], k * WIDTH);
      slopes.set([0, 0, -1, 0, 0, -1], k * WIDTH);
      k++;
    }
  return {
    width: WIDTH,
    variables,
    slopes,
    values: new Float64Array(count),
  };
}

/** Values and slopes at a point. */
export function measure(point: Packing, { slopes, values }: Constraints): void {
  let k = 0;
  for (let i = 0; i < point.length; i += 3) {
    const x = point[i] ?? 0;
    const y = point[i + 1] ?? 0;
    const r = point[i + 2] ?? 0;
    values[k++] = x - r;
    values[k++] = 1 - x - r;
    values[k++] = y - r;
    values[k++] = 1 - y - r;
  }
  for (let i = 0; i < point.length; i += 3) {
    for (let j = 0; j < i; j += 3) {
      const dx = (point[i] ?? 0) - (point[j] ?? 0);
      const dy = (point[i + 1] ?? 0) - (point[j + 1] ?? 0);
      const distance = Math.sqrt(dx * dx + dy * dy);
      values[k] = distance - (point[i + 2] ?? 0) - (point[j + 2] ?? 0);
      const at = k * WIDTH;
      slopes[at] = dx / distance;
      slopes[at + 1] = dy / distance;
      slopes[at + 3] = -dx / distance;
      slopes[at + 4] = -dy / distance;
      k++;
    }
  }
}
