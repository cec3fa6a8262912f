/** Individuals that were never run, for the pure parts. */
import type { Individual } from "../../../evolution/population/individual.ts";
import { programId } from "../../../evolution/population/individual.ts";

/** One with these scores; everything else follows from text and scores unless it is given. */
export function someone(text: string, scores: readonly number[], changes: Partial<Individual> = {}): Individual {
  return {
    id: programId(text),
    text,
    scores,
    score: scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length),
    fuel: 1,
    signature: programId(text),
    descriptor: [],
    failures: [],
    origin: { parents: [], mutator: "seed", island: 0, generation: 0, slot: 0, usd: 0, tokens: 0 },
    evolvable: [{ start: 0, end: text.length }],
    ...changes,
  };
}
