/**
 * Which attacks are kept when there are more than may be. Half of the places belong to those that brought down most candidates:
 * they tell good code from bad. The other half belongs to the newest, or nothing new could ever prove itself.
 */
import type { KeptAttack } from "./attack.ts";

/** Attacks kept for one agent; the whole of them is run against every candidate. */
export const ATTACKS_MAX = 200;

/** Splits the attacks of one agent into those that stay, oldest first, and those that go. Pure. */
export function selectAttacks(
  attacks: readonly KeptAttack[],
  max: number = ATTACKS_MAX,
): { readonly kept: readonly KeptAttack[]; readonly dropped: readonly KeptAttack[] } {
  if (attacks.length <= max) return { kept: attacks.toSorted(byAge), dropped: [] };
  const newest = attacks.toSorted(byAge).slice(-Math.ceil(max / 2));
  const others = attacks.filter((attack) => !newest.includes(attack)).toSorted(byTelling);
  const room = max - newest.length;
  return { kept: [...others.slice(0, room), ...newest].toSorted(byAge), dropped: others.slice(room) };
}

/** Equal times are put in the order of the names, so that the choice never depends on who came first into a list. */
function byAge(a: KeptAttack, b: KeptAttack): number {
  return a.found.timeMs - b.found.timeMs || (a.id < b.id ? -1 : 1);
}

function byTelling(a: KeptAttack, b: KeptAttack): number {
  return b.felled - a.felled || b.lastMs - a.lastMs || byAge(b, a);
}
