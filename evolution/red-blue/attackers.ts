/** The attackers of a duel: who breeds, who is paid what, who stays. */
import { drawnMutator } from "../mutation/ast-mutators.ts";
import { subtreeMutator } from "../mutation/crossover.ts";
import { oneOf, randomAt } from "../population/chance.ts";
import type { Attacker, Test } from "./attacker.ts";
import type { Bouts, Version } from "./bouts.ts";
import { childOf } from "./breed.ts";
import type { Defence } from "./defence.ts";
import { PLAIN, rescheduled } from "./schedule.ts";
import { wordMutator, wordsOf } from "./words.ts";
import { attackerWorth, raritiesOf } from "./worth.ts";

/** An attacker with the sessions it made, and what it was paid. */
export interface Bout {
  readonly attacker: Attacker;
  readonly tests: readonly Test[];
  readonly worth: number;
}

/** Attackers that stay, and children of a round. */
const MEMBERS = 10;
const CHILDREN = 10;
/** Children of a round whose parents are first attackers: what nobody falls to any more may matter again. */
const FRESH = 3;
const SESSIONS = 2;
/** Changes of one child, at most: a step that finds nothing is a round lost. */
const STEPS = 3;

/** What they need. */
export interface AttackersOptions {
  readonly defence: Defence;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** False: all children are of first attackers, and nobody stays. */
  readonly isSelected: boolean;
  /** Whether it counts as well by which ways through the versions its sessions come. */
  readonly isGuided: boolean;
}

/** See the header. */
export class Attackers {
  readonly #options: AttackersOptions;
  #members: readonly Pick<Bout, "attacker" | "tests">[] = [];

  constructor(options: AttackersOptions) {
    this.#options = options;
  }

  /** A round against these versions: everybody who took part, the best first. */
  async next(round: number, bouts: Bouts, versions: readonly Version[]): Promise<readonly Bout[]> {
    const first = this.#options.defence.attackers.map((text, slot) => ({
      text,
      schedule: PLAIN,
      seeds: this.#seeds(round, slot),
    }));
    const children = round === 0 ? first : await this.#children(round, first, versions);
    const born = await Promise.all(
      children.map(async (attacker) => ({ attacker, tests: await bouts.testsOf(attacker) })),
    );
    const known = this.#options.isSelected ? this.#members : [];
    const all = [...known, ...born];
    await bouts.play(versions, [...new Map(all.flatMap(({ tests }) => tests).map((test) => [test.id, test])).values()]);
    const ranked = rankedBy(all, versions, this.#options.isGuided);
    this.#members = ranked.slice(0, MEMBERS);
    return ranked;
  }

  async #children(
    round: number,
    first: readonly Attacker[],
    versions: readonly Version[],
  ): Promise<readonly Attacker[]> {
    const { seed, signal, isSelected, defence } = this.#options;
    const words = [...new Set([...defence.words, ...versions.flatMap(({ text }) => wordsOf(text))])];
    const mutators = [
      { mutator: wordMutator(words), weight: 5 },
      { mutator: drawnMutator(), weight: 3 },
      { mutator: subtreeMutator, weight: 1 },
    ];
    const members = this.#members.map(({ attacker }) => attacker);
    const made = Array.from({ length: CHILDREN }, async (_, slot): Promise<Attacker | undefined> => {
      const random = randomAt(seed, { island: 0, generation: round, slot }, "attacker");
      const isFresh = !isSelected || slot < FRESH || members.length === 0;
      const parent = oneOf(random, isFresh ? first : members);
      if (parent === undefined) return undefined;
      let { text, schedule } = parent;
      const mates = [...members, ...first].map((each) => each.text);
      for (let step = random.next32() % STEPS; step >= 0; step--) {
        if (random.next32() % 4 === 0) schedule = rescheduled(schedule, random);
        else text = (await childOf(text, mates, { mutators, random, signal })) ?? text;
      }
      return { text, schedule, seeds: this.#seeds(round, slot) };
    });
    return (await Promise.all(made)).filter((each) => each !== undefined);
  }

  #seeds(round: number, slot: number): readonly number[] {
    const random = randomAt(this.#options.seed, { island: 0, generation: round, slot }, "sessions");
    return Array.from({ length: SESSIONS }, () => random.next32());
  }
}

/** The best first. Those that do the same to the same versions share what they are paid. */
function rankedBy(
  all: readonly Pick<Bout, "attacker" | "tests">[],
  versions: readonly Version[],
  isGuided: boolean,
): readonly Bout[] {
  const ways = all.map(({ tests }) => new Set(tests.flatMap((test) => versions.flatMap((each) => each.ways(test)))));
  const rarities = isGuided ? raritiesOf(ways) : [];
  const paid = all.map((each, place) => {
    const rows = each.tests.map((test) => versions.map((version) => version.harm(test)));
    const size = each.attacker.text.length + each.tests.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      ...each,
      place,
      worth: attackerWorth(rows, { size, rarity: rarities[place] ?? 0 }),
      row: JSON.stringify(rows),
    };
  });
  const alike = new Map<string, number>();
  return paid
    .toSorted((a, b) => b.worth - a.worth || a.place - b.place)
    .map((each) => {
      const count = (alike.get(each.row) ?? 0) + 1;
      alike.set(each.row, count);
      return { ...each, worth: each.worth / count };
    })
    .toSorted((a, b) => b.worth - a.worth || a.place - b.place)
    .map(({ attacker, tests, worth }) => ({ attacker, tests, worth }));
}
