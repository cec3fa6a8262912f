/** The audit's set of candidates: a third of the bad ones are operator mutants, the rest faults; the order is chance's. */
import { seededRandom } from "../../runtime/index.ts";
import type { Candidate } from "./candidate.ts";
import { faultyCandidates } from "./faults.ts";
import { goodCandidates } from "./good.ts";
import { harmfulMutants } from "./mutants.ts";

/** Share of the bad ones that are mutants, where there are enough. */
const MUTANTS_SHARE = 1 / 3;

/** `bad` candidates that must not be promoted and `good` ones, mixed. Where mutants run out, faults take their places. */
export function auditCandidates(options: {
  readonly bad: number;
  readonly good: number;
  readonly seed: number;
}): readonly Candidate[] {
  const { bad, good, seed } = options;
  const mutants = harmfulMutants(Math.round(bad * MUTANTS_SHARE), seed);
  const all = [...mutants, ...faultyCandidates(bad - mutants.length, seed), ...goodCandidates(good)];
  const random = seededRandom(seed);
  return all
    .map((candidate) => ({ candidate, order: random.next32() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ candidate }) => candidate);
}
