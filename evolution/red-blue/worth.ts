/** What attackers and versions are paid. Pure. */
import type { Harm } from "./defence.ts";
import { SEVERITY } from "./defence.ts";

/** An attacker is paid most where it breaks a share of the versions between these … */
const SHARE_LEAST = 0.2;
const SHARE_MOST = 0.8;
/** … and so much where it breaks all: there is nothing to select by (a cap on virulence, Cartlidge and Bullock 2004). */
const TOTAL_WORTH = 0.25;
/** What a character of an attacker's program, and a byte of its sessions, take away. */
const SIZE_COST = 1e-5;
/** What an attacker is paid for the rarest ways, beside 1 for the worst harm: it may stay, and never passes for one that breaks something. */
const RARITY_WORTH = 0.2;
/** What an attack counts that nobody else falls to. */
const WEIGHT_LEAST = 0.05;

/** From 0 to 1: how telling it is that this share of the versions fall. */
export function telling(share: number): number {
  if (share < SHARE_LEAST) return share / SHARE_LEAST;
  if (share <= SHARE_MOST) return 1;
  return Math.max(TOTAL_WORTH, (1 - share) / (1 - SHARE_MOST));
}

/**
 * How rare the ways are that each attacker's sessions take through the versions, from 0 to 1: a way counts 1, divided among all who take
 * it (fitness sharing), and the most that anybody has counts as 1.
 */
export function raritiesOf(ways: readonly ReadonlySet<number>[]): readonly number[] {
  const takers = new Map<number, number>();
  for (const each of ways) for (const way of each) takers.set(way, (takers.get(way) ?? 0) + 1);
  const sums = ways.map((each) => [...each].reduce((sum, way) => sum + 1 / (takers.get(way) ?? 1), 0));
  const most = sums.reduce((a, b) => Math.max(a, b), 0);
  return sums.map((sum) => (most === 0 ? 0 : sum / most));
}

/** What an attacker is paid: `harms` has, for each of its sessions, what became of each version. */
export function attackerWorth(
  harms: readonly (readonly (Harm | undefined)[])[],
  { size, rarity }: { readonly size: number; readonly rarity: number },
): number {
  if (harms.length === 0) return 0;
  const worths = harms.map((row) => {
    const severities = row.map((harm) => (harm === undefined ? 0 : SEVERITY[harm]));
    const felled = severities.filter((severity) => severity > 0);
    if (felled.length === 0) return 0;
    return telling(felled.length / row.length) * (felled.reduce((sum, each) => sum + each, 0) / felled.length);
  });
  const mean = worths.reduce((sum, each) => sum + each, 0) / worths.length;
  return Math.max(0, mean + RARITY_WORTH * rarity - SIZE_COST * size);
}

/**
 * What a version is paid: the share of the attacks that it stands, each weighted by the share of the other versions that fall to it;
 * 0 for one that does not serve all of the real traffic, however much it stands.
 */
export function versionWorth(
  { isServing, stood }: { readonly isServing: boolean; readonly stood: readonly boolean[] },
  fallen: readonly number[],
): number {
  if (!isServing) return 0;
  const weights = stood.map((_, test) => WEIGHT_LEAST + (fallen[test] ?? 0));
  const total = weights.reduce((sum, each) => sum + each, 0);
  if (total === 0) return 1;
  return weights.reduce((sum, each, test) => sum + (stood[test] === true ? each : 0), 0) / total;
}
