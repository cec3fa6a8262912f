/** One child of a text: a mutator by its weight, its first proposal. Pure but for the draws. */
import type { Random } from "../../runtime/index.ts";
import { applyEdits } from "../mutation/edit.ts";
import type { Mutator } from "../mutation/mutator.ts";
import { weighted } from "../population/chance.ts";
import type { Individual } from "../population/individual.ts";
import { programId } from "../population/individual.ts";
import { PROGRAM_CHARACTERS_MAX } from "../population-options.ts";

/** A mutator, and how often it is drawn. */
export interface Weighted {
  readonly mutator: Mutator;
  readonly weight: number;
}

/** The text of a child; `undefined` where the mutator has none. Mates are for crossover. */
export async function childOf(
  parent: string,
  mates: readonly string[],
  { mutators, random, signal }: { mutators: readonly Weighted[]; random: Random; signal: AbortSignal },
): Promise<string | undefined> {
  const drawn = weighted(random, mutators, ({ weight }) => weight);
  if (drawn === undefined) return undefined;
  const ground = {
    parent: individualOf(parent),
    mates: mates.filter((text) => text !== parent).map(individualOf),
    inspirations: [],
    failures: [],
    random,
    evolvable: [{ start: 0, end: parent.length }],
  };
  for await (const { edits } of drawn.mutator.propose(ground, 1, signal)) {
    const text = "full" in edits ? edits.full : applyEdits(parent, edits);
    return text.length <= PROGRAM_CHARACTERS_MAX ? text : undefined;
  }
  return undefined;
}

/** What mutators see of a text here: the text. */
function individualOf(text: string): Individual {
  return {
    id: programId(text),
    text,
    origin: { parents: [], mutator: "seed", island: 0, generation: 0, slot: 0, usd: 0, tokens: 0 },
    evolvable: [{ start: 0, end: text.length }],
    scores: [],
    score: 0,
    fuel: 0,
    signature: "",
    descriptor: [],
    failures: [],
  };
}
