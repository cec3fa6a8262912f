/**
 * The hall of fame: attacks that every new version meets, those of the first round as well as the newest.
 *
 * Invariants
 * 1. An attack is taken in, and stays, only while it tells two versions of the panel apart. The panel has past champions, so what
 *    all present versions have learnt to stand is not forgotten.
 * 2. Of attacks that tell the same versions apart in the same way, the shortest few stay.
 * 3. Bounded; those that go first are the ones that tell the fewest pairs apart, never what a champion among attackers made
 *    as long as others are left.
 */
import type { Test } from "./attacker.ts";

/** An attack in the hall. */
export interface HallTest extends Test {
  /** It was made by the best attacker of a round. */
  readonly isChampions: boolean;
}

/** A version as the panel sees it. */
export interface Judge {
  /** Whether it fell to this attack. */
  hasFallen(test: Test): boolean;
}

/** Attacks in the hall: all of them are played against each new version. */
export const HALL_MAX = 64;
/** Attacks that tell the same versions apart. */
const ALIKE_MAX = 3;

/** The attacks that stay. Pure. */
export function hallOf(
  tests: readonly HallTest[],
  panel: readonly Judge[],
  max: number = HALL_MAX,
): readonly HallTest[] {
  const ranked = [...uniqueOf(tests).values()]
    .map((test) => ({ test, row: panel.map((judge) => (judge.hasFallen(test) ? "1" : "0")).join("") }))
    .filter(({ row }) => row.includes("0") && row.includes("1"))
    .toSorted(
      (a, b) =>
        Number(b.test.isChampions) - Number(a.test.isChampions) ||
        pairsOf(b.row) - pairsOf(a.row) ||
        a.test.bytes - b.test.bytes ||
        (a.test.id < b.test.id ? -1 : 1),
    );
  const alike = new Map<string, number>();
  const kept: HallTest[] = [];
  for (const { test, row } of ranked) {
    const count = alike.get(row) ?? 0;
    if (count >= ALIKE_MAX || kept.length >= max) continue;
    alike.set(row, count + 1);
    kept.push(test);
  }
  return kept;
}

/** Each once; a champion's wherever it was one. */
function uniqueOf(tests: readonly HallTest[]): Map<string, HallTest> {
  const unique = new Map<string, HallTest>();
  for (const test of tests) if (test.isChampions || !unique.has(test.id)) unique.set(test.id, test);
  return unique;
}

/** Pairs of versions that it tells apart. */
function pairsOf(row: string): number {
  const fallen = row.split("1").length - 1;
  return fallen * (row.length - fallen);
}
