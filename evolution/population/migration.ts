/**
 * What islands tell each other: every 20 generations the best travel to the next island of a ring, and every 100 the worse half of the
 * islands starts again from one best program of the others (FunSearch, Romera-Paredes and others 2024). Copies are marked.
 *
 *   0 --> 1 --> 2 --> 3 --> 0
 */
import type { Random } from "../../runtime/index.ts";
import { oneOf } from "./chance.ts";
import type { Member } from "./island.ts";
import { ranking } from "./island.ts";

/** Generations between two migrations. */
export const MIGRATION_EVERY: number = 20;
/** Generations between two restarts. */
export const RESTART_EVERY: number = 100;
const MIGRANTS_SHARE = 0.05;

/** Who arrives where, from the populations as they are now; only who is not there yet. Per island, the best first. */
export function migrants(islands: readonly (readonly Member[])[]): readonly (readonly Member[])[] {
  return islands.map((members, island) => {
    const from = (island + islands.length - 1) % islands.length;
    if (from === island) return [];
    const source = islands[from] ?? [];
    const known = new Set(members.map(({ individual }) => individual.id));
    const count = Math.ceil(source.length * MIGRANTS_SHARE);
    return ranking(source)
      .slice(0, count)
      .filter(({ individual }) => !known.has(individual.id))
      .map(({ individual }) => ({ individual, copiedFrom: from }));
  });
}

/** The islands with the worse half replaced: each begins with one copy of the best of another by chance. Ties go to the lower number. */
export function restarted(
  islands: readonly (readonly Member[])[],
  random: Random,
): { readonly islands: readonly (readonly Member[])[]; readonly restarted: readonly number[] } {
  const bests = islands.map((members, island) => ({ island, best: ranking(members)[0] }));
  const ordered = bests.toSorted(
    (a, b) => (b.best?.individual.score ?? -1) - (a.best?.individual.score ?? -1) || a.island - b.island,
  );
  const staying = ordered.slice(0, Math.ceil(islands.length / 2));
  const leaving = ordered
    .slice(staying.length)
    .map(({ island }) => island)
    .toSorted((a, b) => a - b);
  const next = [...islands];
  for (const island of leaving) {
    const source = oneOf(random, staying);
    if (source?.best === undefined) continue;
    next[island] = [{ individual: source.best.individual, copiedFrom: source.island }];
  }
  return { islands: next, restarted: leaving };
}
