/**
 * Where a fault is likely to be: places that failing cases pass and passing cases do not (Ochiai; Abreu, Zoeteweij and van Gemund,
 * "On the accuracy of spectrum-based fault localization", 2007).
 */
import type { TextRange } from "../population/problem.ts";
import type { Coverage } from "./mutator.ts";

/** How suspicious what begins at `start` is, from 0 to 1; 1 everywhere where nothing is known. */
export type Suspicion = (start: number) => number;

/** Even a place that no failing case passes may be the one that should have been passed. */
const SUSPICION_MIN = 0.05;

/** Suspicion by the smallest block around a place. */
export function suspicionOf(coverage: Coverage | undefined): Suspicion {
  const failed = coverage?.runs.filter(({ hasPassed }) => !hasPassed) ?? [];
  if (coverage === undefined || failed.length === 0) return () => 1;
  const blocks = coverage.blocks
    .map((range, index) => ({ range, value: Math.max(SUSPICION_MIN, ochiai(coverage, index)) }))
    .toSorted((a, b) => sizeOf(a.range) - sizeOf(b.range));
  return (start) => blocks.find(({ range }) => range.start <= start && start < range.end)?.value ?? SUSPICION_MIN;
}

/** Failing runs that pass the block, by the root of all failing runs times all runs that pass it. */
function ochiai({ runs }: Coverage, block: number): number {
  let [failing, failed, passing] = [0, 0, 0];
  for (const { hasPassed, counts } of runs) {
    const isPassed = (counts[block] ?? 0) > 0;
    if (!hasPassed) failing++;
    if (!hasPassed && isPassed) failed++;
    if (hasPassed && isPassed) passing++;
  }
  return failed === 0 ? 0 : failed / Math.sqrt(failing * (failed + passing));
}

function sizeOf({ start, end }: TextRange): number {
  return end - start;
}
