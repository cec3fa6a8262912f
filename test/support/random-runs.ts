/** Random tests: every run prints its seed, and `SEED=<number>` repeats one. */
import type { TestContext } from "node:test";
import * as fc from "fast-check";

/** The seed of this process: `SEED`, or the time. */
export const seed: number = Number(process.env["SEED"] ?? Date.now() % 0x7fff_ffff);

/** Checks a property in `runs` random cases. A failure names the seed, the path and the shrunk case. */
export function check<T extends [unknown, ...unknown[]]>(
  t: TestContext,
  property: fc.IProperty<T>,
  runs: number,
): void {
  t.diagnostic(`SEED=${seed}`);
  fc.assert(property, { seed, numRuns: runs });
}
