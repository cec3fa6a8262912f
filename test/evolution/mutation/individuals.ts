/** Individuals and grounds for tests of mutators. */
import { applyEdits, type Edit } from "../../../evolution/mutation/edit.ts";
import type { MutationGround, Mutator, Proposal } from "../../../evolution/mutation/mutator.ts";
import { programId, type Individual, type Origin } from "../../../evolution/population/individual.ts";
import { seededRandom } from "../../../runtime/random.ts";

/** An individual that was never run. */
export function individual(text: string, origin: Partial<Origin> = {}): Individual {
  return {
    id: programId(text),
    text,
    origin: { parents: [], mutator: "seed", island: 0, generation: 0, slot: 0, usd: 0, tokens: 0, ...origin },
    evolvable: [{ start: 0, end: text.length }],
    scores: [],
    score: 0,
    fuel: 0,
    signature: "",
    descriptor: [],
    failures: [],
  };
}

/** A child of a text by these edits. */
export function childOf(parent: string, edits: readonly Edit[]): Individual {
  return individual(applyEdits(parent, edits), { parents: [programId(parent)], edits, mutator: "ast" });
}

/** A ground with nothing but a parent, and what is said. */
export function groundOf(text: string, seed: number, more: Partial<MutationGround> = {}): MutationGround {
  const parent = more.parent ?? individual(text);
  return {
    parent,
    mates: [],
    inspirations: [],
    failures: [],
    random: seededRandom(seed),
    evolvable: parent.evolvable,
    ...more,
  };
}

/** All that a mutator proposes, as texts. */
export async function textsOf(mutator: Mutator, ground: MutationGround, count: number): Promise<readonly string[]> {
  const proposals = await proposalsOf(mutator, ground, count);
  return proposals.map(({ edits }) => ("full" in edits ? edits.full : applyEdits(ground.parent.text, edits)));
}

/** All that a mutator proposes. */
export async function proposalsOf(
  mutator: Mutator,
  ground: MutationGround,
  count: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly Proposal[]> {
  const proposals: Proposal[] = [];
  for await (const proposal of mutator.propose(ground, count, signal)) proposals.push(proposal);
  return proposals;
}
