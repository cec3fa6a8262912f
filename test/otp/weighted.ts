/** Weighted picks, and specs that make no sense. */
import type { Chance } from "../support/chance.ts";
import type { Script } from "./case.ts";

/** One of the values, each as often as its weight says. */
export function oneOf<T>(chance: Chance, choices: readonly (readonly [weight: number, value: T])[]): T {
  let at = chance.below(choices.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, value] of choices) {
    at -= weight;
    if (at < 0) return value;
  }
  throw new Error("nothing to pick from");
}

/** These keys in one of `times` cases, else none. */
export function likely(chance: Chance, times: number, keys: Script): Script {
  return chance.oneIn(times) ? keys : {};
}

/** A spec with one thing wrong in it, or none at all. */
export function damagedSpec(chance: Chance, spec: Script): Script {
  const damage: Script = chance.of([
    { restart: "sometimes" },
    { shutdown: -1 },
    { shutdown: "later" },
    { type: "boss" },
    { significant: "yes" },
    { significant: true },
    { significant: true, restart: "permanent" },
    { id: undefined },
    { start: null },
    {},
  ]);
  return { ...spec, ...damage };
}
