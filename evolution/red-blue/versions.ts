/** The versions of a duel: who breeds, who serves, who stays. */
import { drawnMutator, pairMutator } from "../mutation/ast-mutators.ts";
import { subtreeMutator } from "../mutation/crossover.ts";
import { below, randomAt } from "../population/chance.ts";
import { programId } from "../population/individual.ts";
import { lexicase } from "../population/selection/lexicase.ts";
import type { Test } from "./attacker.ts";
import type { Bouts } from "./bouts.ts";
import { Version } from "./bouts.ts";
import { childOf } from "./breed.ts";
import type { Defence } from "./defence.ts";
import { functionMutator } from "./functions.ts";
import { versionWorth } from "./worth.ts";

/** Versions that stay, and children of a round. */
const MEMBERS = 16;
const CHILDREN = 64;
/** Versions that stand and fall alike: more of them are one. */
const ALIKE_MAX = 4;

const mutators = [
  { mutator: drawnMutator(), weight: 6 },
  { mutator: pairMutator(), weight: 1 },
  { mutator: subtreeMutator, weight: 2 },
  { mutator: functionMutator, weight: 3 },
];

/** What they need. */
export interface VersionsOptions {
  readonly defence: Defence;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** See the header. */
export class Versions {
  readonly #options: VersionsOptions;
  /** Texts that were tried, those that do not serve included: nobody is tried twice. */
  readonly #seen = new Set<string>();
  #members: readonly Version[] = [];

  constructor(options: VersionsOptions) {
    this.#options = options;
  }

  /** Those that serve all of the real traffic, the best first. */
  get members(): readonly Version[] {
    return this.#members;
  }

  /** The first versions that serve. */
  async begin(bouts: Bouts): Promise<void> {
    this.#members = await this.#serving(this.#options.defence.versions, bouts);
  }

  /** A round: children, and of all together the best by these attacks. */
  async next(round: number, bouts: Bouts, hall: readonly Test[]): Promise<void> {
    await bouts.play(this.#members, hall);
    const children = await this.#serving(await this.#children(round, hall), bouts);
    await bouts.play(children, hall);
    this.#members = bestOf([...this.#members, ...children], hall);
  }

  /** The best by these attacks, all of which it has met, and what it is paid. */
  best(hall: readonly Test[]): { readonly best: Version; readonly worth: number } {
    const [first] = paidBy(this.#members, hall);
    if (first === undefined) throw new RangeError("a duel has no versions");
    return { best: first.version, worth: first.worth };
  }

  async #children(round: number, hall: readonly Test[]): Promise<readonly string[]> {
    const { seed, signal } = this.#options;
    const pool = this.#members.map((version) => ({
      version,
      scores: hall.map((test) => (version.hasFallen(test) ? 0 : 1)),
    }));
    const epsilons = new Map(hall.map((_, index) => [index, 0]));
    const texts = this.#members.map(({ text }) => text);
    const made = Array.from({ length: CHILDREN }, async (_, slot) => {
      const random = randomAt(seed, { island: 1, generation: round, slot }, "version");
      const parent = lexicase(pool, epsilons, random)?.version.text;
      if (parent === undefined) return undefined;
      const mates = [...texts, ...this.#options.defence.versions];
      const child = await childOf(parent, mates, { mutators, random, signal });
      // Two steps at once now and then: some holes are closed by no single one.
      if (child === undefined || below(random, 4) > 0) return child;
      return (await childOf(child, mates, { mutators, random, signal })) ?? child;
    });
    return (await Promise.all(made)).filter((text) => text !== undefined);
  }

  async #serving(texts: readonly string[], bouts: Bouts): Promise<readonly Version[]> {
    const fresh = texts.filter((text) => {
      const id = programId(text);
      const isNew = !this.#seen.has(id);
      this.#seen.add(id);
      return isNew;
    });
    const versions = fresh.map((text) => new Version(text));
    const serving = await Promise.all(versions.map((version) => bouts.serves(version)));
    return versions.filter((_, index) => serving[index]);
  }
}

function bestOf(versions: readonly Version[], hall: readonly Test[]): readonly Version[] {
  const alike = new Map<string, number>();
  const kept: Version[] = [];
  for (const { version } of paidBy(versions, hall)) {
    const row = hall.map((test) => (version.hasFallen(test) ? "1" : "0")).join("");
    const count = alike.get(row) ?? 0;
    alike.set(row, count + 1);
    if (count < ALIKE_MAX && kept.length < MEMBERS) kept.push(version);
  }
  return kept;
}

/**
 * The best first; of equals the older. Never the shorter: a check that no attack has asked for yet would be the first to go. All of
 * them serve.
 */
function paidBy(
  versions: readonly Version[],
  hall: readonly Test[],
): readonly { readonly version: Version; readonly worth: number }[] {
  const counts = hall.map((test) => versions.filter((version) => version.hasFallen(test)).length);
  return versions
    .map((version, place) => {
      const stood = hall.map((test) => !version.hasFallen(test));
      const others = Math.max(1, versions.length - 1);
      const fallen = counts.map((count, test) => (count - (stood[test] === true ? 0 : 1)) / others);
      return { version, place, worth: versionWorth({ isServing: true, stood }, fallen) };
    })
    .toSorted((a, b) => b.worth - a.worth || a.place - b.place);
}
