/**
 * Where a round's version comes from: the best of a population that was tried in shadows on the older recorded turns, or a change that
 * nobody has tried. The mutators are the same.
 */
import { seededRandom } from "../../../runtime/index.ts";
import { evolveAgent } from "../../population/agents/evolve-agent.ts";
import type { AgentEvolution, EvolveAgentOptions } from "../../population/agents/evolve-agent.ts";
import { below } from "../../population/chance.ts";
import type { Individual } from "../../population/individual.ts";
import { programId } from "../../population/individual.ts";
import { drawnMutator } from "../../mutation/ast-mutators.ts";
import { applyEdits } from "../../mutation/edit.ts";
import type { Mutator } from "../../mutation/mutator.ts";
import { numericMutator } from "../../mutation/numeric.ts";
import { ruleRange } from "./texts.ts";
import { rightness } from "./traffic.ts";

const MUTATORS: readonly Mutator[] = [numericMutator, drawnMutator()];
/** Small and greedy: a round has few evaluations, and a rule is good by degrees. Four rounds of 40 took 73 % to 85 %, eight at once to less. */
const POPULATION = { islands: 1, populationPerIsland: 3, rules: ["greedy"] } as const;
/** Mutators that are asked before a draw is given up: each may have nothing for this text. */
const DRAWS_MAX = 100;

/** One population run from the present code; its winner has had its decision when this resolves. Rejects as `evolveAgent` does. */
export async function proposeChosen(
  options: Pick<EvolveAgentOptions, "runtime" | "arbiter" | "agent" | "seed" | "budget" | "signal">,
): Promise<AgentEvolution> {
  return await evolveAgent({
    ...options,
    ...POPULATION,
    author: `agent:${options.agent}`,
    evolvable: (text) => [ruleRange(text)],
    mutators: MUTATORS,
    fitness: rightness,
  });
}

/** The text with one change that chance gives; `undefined` where no mutator has one. */
export async function drawnText(text: string, seed: number, signal: AbortSignal): Promise<string | undefined> {
  const random = seededRandom(seed);
  const ground = { parent: individualOf(text), mates: [], inspirations: [], failures: [], random };
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const mutator = MUTATORS[below(random, MUTATORS.length)];
    const proposals = mutator?.propose({ ...ground, evolvable: ground.parent.evolvable }, 1, signal) ?? [];
    for await (const { edits } of proposals) if (!("full" in edits)) return applyEdits(text, edits);
  }
  return undefined;
}

/** The present code as a parent of which nothing is known. */
function individualOf(text: string): Individual {
  return {
    id: programId(text),
    text,
    origin: { parents: [], mutator: "seed", island: 0, generation: 0, slot: 0, usd: 0, tokens: 0 },
    evolvable: [ruleRange(text)],
    scores: [],
    score: 0,
    fuel: 0,
    signature: "",
    descriptor: [],
    failures: [],
  };
}
