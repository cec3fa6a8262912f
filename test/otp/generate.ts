/** Random cases: the same seed and number give the same case. */
import { Chance } from "../support/chance.ts";
import type { SimCase } from "./case.ts";
import { Ground, randomActions } from "./generate-actions.ts";
import { randomProcesses } from "./generate-procs.ts";
import { randomRoot } from "./generate-tree.ts";

/** Case `number` of a seed. Without `hasDynamic` no supervisor has strategy "dynamic". */
export function randomCase({
  seed,
  number,
  hasDynamic,
}: {
  readonly seed: number;
  readonly number: number;
  readonly hasDynamic: boolean;
}): SimCase {
  const chance = new Chance(seed, number);
  const id = `${seed}-${number}`;
  if (chance.oneIn(8)) return { id, kind: "procs", given: {}, when: randomProcesses(chance, 6 + chance.below(20)) };
  const rules = { chance, hasDynamic };
  const supervisor = randomRoot(rules);
  const when = randomActions(new Ground(rules, supervisor), 4 + chance.below(18));
  return { id, kind: "tree", given: { supervisor }, when };
}
