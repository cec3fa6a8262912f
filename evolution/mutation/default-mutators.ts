/**
 * Who proposes where nobody is named: every mutator that asks no model. Each class of operator is one of its own, so a search finds
 * out which of them earn something here; what they earned elsewhere is what it begins with.
 */
import { drawnMutator, enumeratingMutator, pairMutator } from "./ast-mutators.ts";
import { subtreeMutator, unionMutator } from "./crossover.ts";
import type { Mutator } from "./mutator.ts";
import { numericMutator } from "./numeric.ts";
import { operators, yields } from "./operators.ts";

/** Repairs of the operators that `yields` does not name, all together, of the 99 that it counts. */
const OTHERS_YIELD = 5;
/** Of what no single change could be compared with: a guess, as low as that. */
const UNKNOWN_YIELD = 2;

/** The mutators, new ones: by operator, the best first; then all changes in turn, two at once, of constants, of two parents. */
export function defaultMutators(): readonly Mutator[] {
  const named = operators.filter(({ id }) => yields.has(id));
  const others = operators.filter(({ id }) => !yields.has(id));
  return [
    ...named.map((operator) =>
      weighed(drawnMutator({ id: operator.id, operators: [operator] }), yields.get(operator.id) ?? UNKNOWN_YIELD),
    ),
    weighed(drawnMutator({ id: "others", operators: others }), OTHERS_YIELD),
    ...[enumeratingMutator(), pairMutator(), numericMutator, unionMutator, subtreeMutator].map((mutator) =>
      weighed(mutator, UNKNOWN_YIELD),
    ),
  ];
}

function weighed(mutator: Mutator, startWeight: number): Mutator {
  return { ...mutator, startWeight };
}
