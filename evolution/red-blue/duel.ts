/**
 * Attackers and versions evolve against each other, in rounds.
 *
 *     attackers --breed--> sessions --played by all versions--> paid --> the best stay
 *                              | those that tell versions apart
 *                              v
 *     versions <--paid-- hall of fame <-- children that serve the real traffic <--breed-- versions
 *
 * Invariants
 * 1. Equal options give an equal result and hash with any number of workers: chance goes by place in the run, results are taken
 *    in the order of their places.
 * 2. A version that fails real traffic is paid nothing and has no children.
 * 3. All that is run is counted, for attackers and versions alike; a round that would not fit into the budget is not begun.
 */
import { createHash } from "node:crypto";
import { EvolutionError } from "../errors.ts";
import type { ProgramRunner } from "../population/program-runner.ts";
import { Attackers } from "./attackers.ts";
import type { Bout } from "./attackers.ts";
import { Bouts, Version } from "./bouts.ts";
import type { Defence } from "./defence.ts";
import type { HallTest } from "./hall.ts";
import { hallOf } from "./hall.ts";
import type { Success } from "./lines.ts";
import { Versions } from "./versions.ts";

/** Where attacks come from: evolved, drawn anew around the first attackers in each round, or only those that the first make. */
export type Pressure = "evolved" | "drawn" | "first";

/** What a duel does. */
export interface DuelOptions {
  readonly defence: Defence;
  readonly runner: Pick<ProgramRunner, "run">;
  readonly seed: number;
  readonly pressure: Pressure;
  /** Ends before the round that would spend more. */
  readonly evaluations: number;
  readonly rounds?: number;
  /**
   * Whether attackers are paid as well for rare ways through the versions. Default false: they find more attacks, and what is bred
   * against those does not stand more (experiment red-blue, arm `guided`).
   */
  readonly isGuided?: boolean;
  /** False: the versions stay as they are, and only attackers evolve. Default true. */
  readonly isBlueEvolving?: boolean;
  /** Aborted: the result is that of the last whole round, or the first version. */
  readonly signal: AbortSignal;
  readonly onRound?: (round: Round) => void;
}

/** One round, for people. */
export interface Round {
  readonly number: number;
  readonly evaluations: number;
  /** Attacks known so far that brought a version down. */
  readonly attacks: number;
  readonly hall: number;
  /** What the best version is paid, 0 to 1. */
  readonly best: number;
}

/** What a duel came to. */
export interface DuelResult {
  /** Text of the best version. */
  readonly champion: string;
  /** Each attack that brought down a version that served, oldest first. */
  readonly successes: readonly Success[];
  readonly hall: readonly HallTest[];
  readonly rounds: readonly Round[];
  readonly evaluations: number;
  /** Of champion, attacks and rounds. */
  readonly hash: string;
}

/** Steps of one session: a hundred times what honest versions need. */
export const FUEL = 20_000;
/** Rounds in which attackers are bred alone: versions that evolve before anybody attacks them unlearn what nobody asks for. */
const WARM_UP = 3;
/** Champions of former rounds that judge what attacks are worth keeping. */
const PAST_MAX = 12;

/** Runs a duel. Rejects with EVOLUTION_SEED_UNFIT where no first version serves the traffic, and with what the runner rejects with. */
export async function duel(options: DuelOptions): Promise<DuelResult> {
  const run = new Duel(options);
  try {
    await run.begin();
    while (await run.round());
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
  return run.result();
}

class Duel {
  readonly #options: DuelOptions;
  readonly #bouts: Bouts;
  readonly #attackers: Attackers;
  readonly #versions: Versions;
  readonly #successes = new Map<string, Success>();
  readonly #rounds: Round[] = [];
  readonly #past: Version[] = [];
  #hall: readonly HallTest[] = [];
  #champion: string;
  /** Evaluations of the last round. */
  #cost = 0;

  constructor(options: DuelOptions) {
    const { defence, runner, signal, seed, pressure, isGuided = false } = options;
    this.#options = options;
    this.#champion = defence.versions[0] ?? "";
    this.#bouts = new Bouts({ defence, runner, fuel: FUEL, signal });
    this.#attackers = new Attackers({ defence, seed, signal, isSelected: pressure === "evolved", isGuided });
    this.#versions = new Versions({ defence, seed, signal });
  }

  async begin(): Promise<void> {
    await this.#versions.begin(this.#bouts);
    const [first] = this.#versions.members;
    if (first === undefined)
      throw new EvolutionError(
        "EVOLUTION_SEED_UNFIT",
        `no version of ${this.#options.defence.name} serves the real traffic`,
      );
    this.#champion = first.text;
    this.#past.push(...this.#versions.members);
  }

  /** One round; false where there is no budget for it. */
  async round(): Promise<boolean> {
    const { evaluations, rounds = Infinity, pressure, isBlueEvolving = true, signal, onRound } = this.#options;
    const number = this.#rounds.length;
    const before = this.#bouts.evaluations;
    if (signal.aborted || number >= rounds || before + this.#cost > evaluations) return false;
    const isAttacked = pressure !== "first" || number === 0;
    const bouts = isAttacked ? await this.#attackers.next(number, this.#bouts, this.#versions.members) : [];
    const successes = this.#successesOf(bouts, number);
    const hall = await this.#nextHall(bouts);
    if (isBlueEvolving && (number >= WARM_UP || !isAttacked)) await this.#versions.next(number, this.#bouts, hall);
    // From here on nothing is awaited: a round counts as a whole.
    for (const success of successes) this.#successes.set(success.test.id, success);
    this.#hall = hall;
    const { best, worth } = this.#versions.best(hall);
    this.#champion = best.text;
    this.#remember(best);
    this.#cost = this.#bouts.evaluations - before;
    const round: Round = {
      number,
      evaluations: this.#bouts.evaluations,
      attacks: this.#successes.size,
      hall: hall.length,
      best: worth,
    };
    this.#rounds.push(round);
    onRound?.(round);
    return true;
  }

  result(): DuelResult {
    const successes = [...this.#successes.values()];
    const content = [this.#champion, successes.map(({ test, harm }) => [test.id, harm]), this.#rounds];
    return {
      champion: this.#champion,
      successes,
      hall: this.#hall,
      rounds: this.#rounds,
      evaluations: this.#bouts.evaluations,
      hash: createHash("sha256").update(JSON.stringify(content)).digest("hex"),
    };
  }

  /** What of these bouts is new and brought a version down. */
  #successesOf(bouts: readonly Bout[], round: number): readonly Success[] {
    return bouts
      .flatMap(({ tests }) => tests)
      .filter(({ id }) => !this.#successes.has(id))
      .flatMap((test) => {
        const version = this.#versions.members.find((each) => each.hasFallen(test));
        const harm = version?.harm(test);
        const isOurs = version !== undefined && harm !== undefined && harm !== "exceeded";
        return isOurs ? [{ test, harm, felled: version.text, round }] : [];
      });
  }

  async #nextHall(bouts: readonly Bout[]): Promise<readonly HallTest[]> {
    const found = bouts.flatMap(({ tests }, rank) => tests.map((test) => ({ ...test, isChampions: rank === 0 })));
    const panel = [...new Set([...this.#past, ...this.#versions.members])];
    // Only what brings somebody down can tell two apart.
    const news = found.filter((test) => this.#versions.members.some((version) => version.hasFallen(test)));
    const all: readonly HallTest[] = [...this.#hall, ...news];
    await this.#bouts.play(panel, all);
    return hallOf(all, panel);
  }

  #remember(best: Version): void {
    if (this.#past.includes(best)) return;
    this.#past.push(best);
    // The first versions stay: they are what nobody must become again.
    const first = this.#options.defence.versions.length;
    if (this.#past.length > PAST_MAX) this.#past.splice(first, 1);
  }
}
