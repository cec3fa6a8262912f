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
/** What an attack counts that nobody else falls to. */
const WEIGHT_LEAST = 0.05;

/** From 0 to 1: how telling it is that this share of the versions fall. */
export function telling(share: number): number {
  if (share < SHARE_LEAST) return share / SHARE_LEAST;
  if (share <= SHARE_MOST) return 1;
  return Math.max(TOTAL_WORTH, (1 - share) / (1 - SHARE_MOST));
}

/** What an attacker is paid: `harms` has, for each of its sessions, what became of each version. */
export function attackerWorth(harms: readonly (readonly (Harm | undefined)[])[], size: number): number {
  if (harms.length === 0) return 0;
  const worths = harms.map((row) => {
    const severities = row.map((harm) => (harm === undefined ? 0 : SEVERITY[harm]));
    const felled = severities.filter((severity) => severity > 0);
    if (felled.length === 0) return 0;
    return telling(felled.length / row.length) * (felled.reduce((sum, each) => sum + each, 0) / felled.length);
  });
  return Math.max(0, worths.reduce((sum, each) => sum + each, 0) / worths.length - SIZE_COST * size);
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
