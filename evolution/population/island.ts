/**
 * An island: a population with a rule of its own for who becomes a parent and who stays. All decisions are functions of members and
 * a seeded stream.
 *
 *   greedy     the better the likelier                     stays: the best
 *   lexicase   good at a case sequence by chance           stays: chosen the same way, one by one
 *   novelty    far from the others, or of the archive      stays: half the best, half the farthest
 *   crossover  as greedy; mates are holders of cases       stays: the best
 *
 * Invariants
 * 1. The best member stays, whatever the rule.
 * 2. Of members that behave the same on all cases only the shortest stays, the newest of the shortest.
 * 3. Never more members than `size`.
 */
import type { Random } from "../../runtime/index.ts";
import { oneOf, weighted } from "./chance.ts";
import type { Individual } from "./individual.ts";
import { epsilonsOf, lexicase, lexicaseSome } from "./selection/lexicase.ts";
import { noveltiesOf } from "./selection/novelty.ts";
import { parentWeight } from "./selection/weight.ts";

/** How an island chooses. */
export type IslandRule = "greedy" | "lexicase" | "novelty" | "crossover";

/** One of an island's population. */
export interface Member {
  readonly individual: Individual;
  /** The island that it was copied from; absent where it was made here. */
  readonly copiedFrom?: number;
}

/** What choosing a parent looks at. */
export interface ParentGround {
  readonly rule: IslandRule;
  readonly members: readonly Member[];
  /** Best of each kind, of the whole run. */
  readonly elites: readonly Individual[];
  /** Places of the cases that this generation looks at. */
  readonly cases: readonly number[];
  readonly childrenOf: (id: string) => number;
}

/** Chooses the parents of one generation: what does not depend on the slot is computed once. */
export function parentChooser(ground: ParentGround): (random: Random) => Individual {
  const { rule, members, elites, cases, childrenOf } = ground;
  const pool = members.map(({ individual }) => individual);
  const first = pool[0];
  if (first === undefined) throw new RangeError("an island without members has no parents");
  switch (rule) {
    case "lexicase": {
      const epsilons = epsilonsOf(pool, cases);
      return (random) => lexicase(pool, epsilons, random) ?? first;
    }
    case "novelty": {
      const novelties = noveltiesOf(pool, cases);
      const all = pool.map((individual, index) => ({ individual, novelty: novelties[index] ?? 0 }));
      return (random) =>
        random.next32() % 2 === 0 && elites.length > 0
          ? (oneOf(random, elites) ?? first)
          : (weighted(random, all, ({ novelty }) => novelty)?.individual ?? first);
    }
    case "greedy":
    case "crossover": {
      const ordered = pool.map(({ score }) => score).toSorted((a, b) => a - b);
      const middle = ordered[ordered.length >> 1] ?? 0;
      return (random) =>
        weighted(random, pool, ({ id, score }) => parentWeight(score, middle, childrenOf(id))) ?? first;
    }
  }
}

/** Who stays of the members and of those that came, the newest last. */
export function survivors(
  { rule, cases }: Pick<ParentGround, "rule" | "cases">,
  everybody: readonly Member[],
  size: number,
  random: Random,
): readonly Member[] {
  const ranked = ranking(oneOfEachKind(everybody));
  if (ranked.length <= size) return ranked;
  switch (rule) {
    case "greedy":
    case "crossover":
      return ranked.slice(0, size);
    case "lexicase": {
      const rest = ranked.slice(1);
      const pool = rest.map((member) => ({ member, scores: member.individual.scores }));
      const epsilons = epsilonsOf(pool, cases);
      return [...ranked.slice(0, 1), ...lexicaseSome(pool, size - 1, epsilons, random).map(({ member }) => member)];
    }
    case "novelty": {
      const best = ranked.slice(0, Math.ceil(size / 2));
      const novelties = noveltiesOf(
        ranked.map(({ individual }) => individual),
        cases,
      );
      const far = ranked
        .map((member, index) => ({ member, novelty: novelties[index] ?? 0 }))
        .slice(best.length)
        .toSorted((a, b) => b.novelty - a.novelty)
        .map(({ member }) => member);
      return [...best, ...far.slice(0, size - best.length)];
    }
  }
}

/** The best first; of equal ones the newest. */
export function ranking(members: readonly Member[]): readonly Member[] {
  return members
    .map((member, index) => ({ member, index }))
    .toSorted((a, b) => b.member.individual.score - a.member.individual.score || b.index - a.index)
    .map(({ member }) => member);
}

/** Of those that behave the same the shortest, the newest of the shortest; in their order. */
function oneOfEachKind(members: readonly Member[]): readonly Member[] {
  const shortest = new Map<string, Member>();
  for (const member of members) {
    const { signature, text } = member.individual;
    const known = shortest.get(signature);
    if (known === undefined || text.length <= known.individual.text.length) shortest.set(signature, member);
  }
  return members.filter((member) => shortest.get(member.individual.signature) === member);
}
