/**
 * All that a run knows, and how one generation makes the next: no process, no clock, no promise. Everything here is decided from
 * what was known when the generation began, and committed in the order of the slots.
 *
 *   plan(generation) -> slots -> (drawn, evaluated elsewhere) -> commit(children) -> hash
 */
import { createHash } from "node:crypto";
import type { MutationGround, Mutator } from "../mutation/mutator.ts";
import type { ParsedEvolveOptions } from "../population-options.ts";
import { Archive } from "./archive.ts";
import { Bandit } from "./bandit.ts";
import { CaseHolders } from "./case-holders.ts";
import { oneOf, randomAt } from "./chance.ts";
import type { SearchEvent } from "./events.ts";
import type { Individual } from "./individual.ts";
import type { IslandRule, Member } from "./island.ts";
import { parentChooser, survivors } from "./island.ts";
import { MIGRATION_EVERY, migrants, RESTART_EVERY, restarted } from "./migration.ts";
import type { Drawn } from "./run-journal.ts";
import { SeenPrograms } from "./seen-programs.ts";
import { sampledCases } from "./selection/lexicase.ts";

/** Mates and inspirations that a mutator is shown. */
const SHOWN_MAX = 3;
/** How much an island of crossover prefers mutators of its kind. */
const CROSSOVER_FACTOR = 4;
/** Of the slots, as many go round the islands: what differs from the best is kept going. */
const EVEN_SHARE = 0.25;

/** A slot that was planned. */
export interface PlannedSlot {
  /** Over all islands. */
  readonly number: number;
  readonly island: number;
  readonly mutator: Mutator;
  readonly ground: MutationGround;
}

/** What became of a slot. */
export interface FilledSlot {
  readonly slot: PlannedSlot;
  readonly drawn: Drawn;
  /** Absent where nothing was run. */
  readonly child?: Individual;
}

type SearchSettings = Pick<
  ParsedEvolveOptions,
  "problem" | "mutators" | "islands" | "rules" | "populationPerIsland" | "seed"
>;

/** See the header. */
export class Search {
  readonly #settings: SearchSettings;
  readonly #caseCount: number;
  #islands: readonly (readonly Member[])[];
  readonly #archive: Archive;
  readonly #holders: CaseHolders;
  readonly #bandit: Bandit;
  /** Which island gets a slot: it earns what a child is better than the island's best was. */
  readonly #shares: Bandit;
  readonly #children = new Map<string, number>();
  /** Proposals that a mutator made for a parent, as `parent/mutator`. */
  readonly #drawn = new Map<string, number>();
  /** Mutators that are not asked any more. */
  readonly #spent = new Set<string>();
  /** Programs that were run or refused. */
  readonly seen = new SeenPrograms();
  /** Generations that are whole; the seeds are none. */
  generation = 0;
  evaluations = 0;
  proposals = 0;
  usd = 0;
  /** Proposals in a row of which none was new. */
  staleProposals = 0;
  #best: Individual | undefined;
  #hash = "";

  constructor(settings: SearchSettings) {
    this.#settings = settings;
    this.#caseCount = settings.problem.cases.length;
    this.#holders = new CaseHolders(this.#caseCount);
    this.#archive = new Archive(randomAt(settings.seed, { island: 0, generation: 0, slot: 0 }, "regions"));
    this.#bandit = new Bandit(settings.mutators);
    this.#shares = new Bandit(Array.from({ length: settings.islands }, (_, island) => ({ id: String(island) })));
    this.#islands = Array.from({ length: settings.islands }, () => []);
  }

  /** The best so far: of equal means the one with the shorter text, then the earlier one. There is one once seeds were taken. */
  get best(): Individual {
    if (this.#best === undefined) throw new RangeError("no program was taken yet");
    return this.#best;
  }

  /** Of all that is known; set by `seeded` and by each `commit`. */
  get hash(): string {
    return this.#hash;
  }

  get archive(): Archive {
    return this.#archive;
  }

  get holders(): CaseHolders {
    return this.#holders;
  }

  get islands(): readonly (readonly Member[])[] {
    return this.#islands;
  }

  /** Takes the first parents: every island begins with all of them. At least one. */
  seeded(individuals: readonly Individual[]): readonly SearchEvent[] {
    this.evaluations += individuals.length;
    const events = individuals.map((individual) => this.#taken(individual));
    const whole = individuals.filter((each) => this.#isWhole(each)).map((individual) => ({ individual }));
    this.#islands = this.#islands.map((_, island) => this.#surviving(island, whole, sampleAll(this.#caseCount)));
    this.#rehash();
    return [...events, this.#ended()];
  }

  /** The slots of the next generation. No budget changes them: whoever goes on with a larger one finds the same plan. */
  plan(): readonly PlannedSlot[] {
    const { islands, populationPerIsland, mutators } = this.#settings;
    const total = islands * populationPerIsland;
    const shares = this.#shares.assign(total, (island, slot) =>
      slot >= total * EVEN_SHARE || slot % islands === Number(island) ? 1 : 0,
    );
    const islandOf = (slot: number): number => Number(shares[slot]);
    const kinds = new Map(mutators.map((mutator) => [mutator.id, mutator]));
    const assigned = this.#bandit.assign(total, (id, slot) => {
      if (this.#spent.has(id)) return 0;
      const isFavoured = this.#ruleOf(islandOf(slot)) === "crossover" && kinds.get(id)?.kind === "crossover";
      return isFavoured ? CROSSOVER_FACTOR : 1;
    });
    const cases = this.#cases();
    const elites = this.#archive.members();
    const choosers = this.#islands.map((members, island) =>
      parentChooser({
        rule: this.#ruleOf(island),
        members,
        elites,
        cases,
        childrenOf: (id) => this.#children.get(id) ?? 0,
      }),
    );
    const planned = new Map<string, number>();
    return assigned.flatMap((id, number) => {
      const mutator = kinds.get(id);
      const island = islandOf(number);
      const choose = choosers[island];
      if (mutator === undefined || choose === undefined) return [];
      const ground = this.#ground(number, island, choose, elites);
      // Who lists its proposals goes on where it was, and slots of one generation do not begin at the same one.
      const key = drawnKey(ground.parent, mutator);
      const proposed = (this.#drawn.get(key) ?? 0) + (planned.get(key) ?? 0);
      planned.set(key, (planned.get(key) ?? 0) + 1);
      return [{ number, island, mutator, ground: { ...ground, proposed } }];
    });
  }

  #ground(
    slot: number,
    island: number,
    choose: (random: MutationGround["random"]) => Individual,
    elites: readonly Individual[],
  ): MutationGround {
    const place = { island, generation: this.generation + 1, slot };
    const random = randomAt(this.#settings.seed, place, "parent");
    const parent = choose(random);
    const isOther = ({ id }: Individual): boolean => id !== parent.id;
    const pool = this.#ruleOf(island) === "crossover" ? this.#holders.members().filter(isOther) : [];
    const drawn = Array.from({ length: SHOWN_MAX }, () =>
      pool.length > 0 ? (oneOf(random, pool) ?? parent) : choose(random),
    );
    const shown = Array.from({ length: SHOWN_MAX }, () => oneOf(random, elites) ?? parent);
    return {
      parent,
      mates: unique(drawn.filter(isOther)),
      inspirations: unique(shown.filter(isOther)),
      failures: parent.failures,
      random: randomAt(this.#settings.seed, place, "mutation"),
      evolvable: parent.evolvable,
    };
  }

  /** Takes what became of the slots, in their order, and makes the next populations. */
  commit(filled: readonly FilledSlot[]): readonly SearchEvent[] {
    const cases = this.#cases();
    this.generation += 1;
    const bests = this.#islands.map((members) => Math.max(...members.map(({ individual }) => individual.score)));
    const events = filled.flatMap((each) => this.#settled(each));
    for (const { slot, child } of filled) {
      const isWhole = child !== undefined && this.#isWhole(child);
      this.#shares.learn(String(slot.island), isWhole ? child.score - (bests[slot.island] ?? 0) : 0, 0);
    }
    this.#islands = this.#islands.map((members, island) => {
      const came = filled.flatMap(({ slot, child }) =>
        slot.island === island && child !== undefined && this.#isWhole(child) ? [{ individual: child }] : [],
      );
      return came.length === 0 ? members : this.#surviving(island, [...members, ...came], cases);
    });
    events.push(...this.#migrated(cases), ...this.#restarted());
    this.#forgetChildren();
    this.#rehash();
    return [...events, this.#ended()];
  }

  #settled({ slot, drawn, child }: FilledSlot): readonly SearchEvent[] {
    const { mutator, ground, island, number } = slot;
    const { parent } = ground;
    const place = { mutator: mutator.id, island, generation: this.generation, slot: number };
    this.usd += drawn.usd;
    this.proposals += drawn.count;
    const key = drawnKey(parent, mutator);
    this.#drawn.set(key, (this.#drawn.get(key) ?? 0) + drawn.count);
    this.staleProposals = child === undefined ? this.staleProposals + drawn.count : 0;
    const events: SearchEvent[] = [];
    events.push(...this.#failed(slot, drawn));
    if (Object.keys(drawn.refused).length > 0) events.push({ type: "proposal.refused", ...place, why: drawn.refused });
    const isWhole = child !== undefined && this.#isWhole(child);
    this.#bandit.learn(mutator.id, isWhole ? child.score - parent.score : 0, drawn.usd);
    if (child === undefined) return events;
    this.evaluations += 1;
    this.#children.set(parent.id, (this.#children.get(parent.id) ?? 0) + 1);
    return [...events, this.#taken(child)];
  }

  /** A mutator that is spent is told once. */
  #failed({ mutator: { id }, number: slot }: PlannedSlot, { failure, spent }: Drawn): readonly SearchEvent[] {
    const { generation } = this;
    const message = failure ?? "";
    if (spent === undefined)
      return failure === undefined ? [] : [{ type: "mutator.failed", mutator: id, generation, slot, message }];
    if (this.#spent.has(id)) return [];
    this.#spent.add(id);
    return [{ type: "mutator.retired", mutator: id, generation, slot, code: spent, message }];
  }

  /** Into the stores that belong to no island. */
  #taken(individual: Individual): SearchEvent {
    const { id, text, origin, score, scores, fuel } = individual;
    const best = this.#best;
    const isWhole = this.#isWhole(individual);
    const isBest =
      isWhole && (best === undefined || score > best.score || (score === best.score && text.length < best.text.length));
    if (isBest) this.#best = individual;
    if (isWhole) {
      this.#archive.offer(individual);
      this.#holders.offer(individual);
    }
    const { parents, mutator, note, island, generation, slot, usd } = origin;
    const said = note === undefined ? {} : { note };
    const where = { parents, mutator, ...said, island, generation, slot };
    return { type: "individual.evaluated", id, ...where, text, score, asked: scores.length, fuel, usd, isBest };
  }

  #migrated(cases: readonly number[]): readonly SearchEvent[] {
    if (this.generation % MIGRATION_EVERY !== 0) return [];
    const arriving = migrants(this.#islands);
    const events: SearchEvent[] = [];
    this.#islands = this.#islands.map((members, island) => {
      const came = arriving[island] ?? [];
      if (came.length === 0) return members;
      const ids = came.map(({ individual }) => individual.id);
      events.push({ type: "island.migrated", generation: this.generation, island, ids });
      return this.#surviving(island, [...members, ...came], cases);
    });
    return events;
  }

  #restarted(): readonly SearchEvent[] {
    if (this.generation % RESTART_EVERY !== 0 || this.#settings.islands === 1) return [];
    const random = randomAt(this.#settings.seed, { island: 0, generation: this.generation, slot: 0 }, "restart");
    const next = restarted(this.#islands, random);
    this.#islands = next.islands;
    return next.restarted.flatMap((island) => {
      const id = next.islands[island]?.[0]?.individual.id;
      return id === undefined ? [] : [{ type: "island.restarted", generation: this.generation, island, id }];
    });
  }

  #surviving(island: number, everybody: readonly Member[], cases: readonly number[]): readonly Member[] {
    const { populationPerIsland, seed } = this.#settings;
    const random = randomAt(seed, { island, generation: this.generation, slot: 0 }, "survivors");
    return survivors({ rule: this.#ruleOf(island), cases }, everybody, populationPerIsland, random);
  }

  /** Cases that this generation looks at. */
  #cases(): readonly number[] {
    const place = { island: 0, generation: this.generation + 1, slot: 0 };
    return sampledCases(this.#caseCount, randomAt(this.#settings.seed, place, "cases"));
  }

  #ruleOf(island: number): IslandRule {
    const { rules } = this.#settings;
    return rules[island % rules.length] ?? "lexicase";
  }

  #isWhole({ scores }: Individual): boolean {
    return scores.length === this.#caseCount;
  }

  /** Only who may still be a parent is counted. */
  #forgetChildren(): void {
    const living = new Set([
      ...this.#islands.flat().map(({ individual }) => individual.id),
      ...this.#archive.members().map(({ id }) => id),
    ]);
    for (const id of this.#children.keys()) if (!living.has(id)) this.#children.delete(id);
    for (const key of this.#drawn.keys()) if (!living.has(key.slice(0, key.indexOf("/")))) this.#drawn.delete(key);
  }

  #rehash(): void {
    const islands = this.#islands.map((members) =>
      members.map(({ individual, copiedFrom = -1 }) => [individual.id, copiedFrom]),
    );
    const cells = this.#archive.elites().map(({ cell, individual }) => [cell, individual.id, individual.score]);
    const counts = [this.generation, this.evaluations, this.proposals, this.usd];
    const all = [
      this.#hash,
      counts,
      islands,
      cells,
      this.#holders.ids(),
      this.#bandit.report(),
      this.#shares.report(),
      this.#best?.id,
    ];
    this.#hash = createHash("sha256").update(JSON.stringify(all)).digest("hex");
  }

  #ended(): SearchEvent {
    const { generation, evaluations, proposals, usd } = this;
    return {
      type: "generation.ended",
      generation,
      evaluations,
      proposals,
      usd,
      bestId: this.#best?.id ?? "",
      bestScore: this.#best?.score ?? 0,
      means: this.#islands.map(meanScore),
      cells: this.#archive.members().length,
      mutators: this.#bandit.report(),
      hash: this.#hash,
    };
  }
}

function drawnKey(parent: Individual, mutator: Mutator): string {
  return `${parent.id}/${mutator.id}`;
}

function meanScore(members: readonly Member[]): number {
  return members.reduce((sum, { individual }) => sum + individual.score, 0) / Math.max(1, members.length);
}

function sampleAll(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function unique(individuals: readonly Individual[]): readonly Individual[] {
  return [...new Map(individuals.map((each) => [each.id, each])).values()];
}
