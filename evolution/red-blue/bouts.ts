/**
 * Runs attackers and versions in isolates, and counts what it costs: one evaluation is one session played by one version, or one
 * session made by one attacker. Pure but for the count: the same texts and sessions give the same harms, with any number of workers.
 */
import type { ProgramRunner } from "../population/program-runner.ts";
import type { Attacker, Test } from "./attacker.ts";
import { GENERATE_ENTRY, generatorOf, testFrom, testOf } from "./attacker.ts";
import type { Defence, Harm, Player } from "./defence.ts";
import { harmOf, PLAY_ENTRY, playerOf } from "./defence.ts";

/** A version and what is known of it. */
export class Version {
  readonly text: string;
  /** By id of the test. */
  readonly #harms = new Map<string, Harm | undefined>();
  readonly #ways = new Map<string, readonly number[]>();
  #player: Player | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** It as a program; made when it is first asked for. */
  get player(): Player {
    return (this.#player ??= playerOf(this.text));
  }

  /** Whether this test was played. */
  knows({ id }: Test): boolean {
    return this.#harms.has(id);
  }

  /** What a test that was played did to it. */
  harm({ id }: Test): Harm | undefined {
    return this.#harms.get(id);
  }

  hasFallen(test: Test): boolean {
    return this.harm(test) !== undefined;
  }

  /** The ways that a test which was played took through it. */
  ways({ id }: Test): readonly number[] {
    return this.#ways.get(id) ?? [];
  }

  learn({ id }: Test, harm: Harm | undefined, ways: readonly number[]): void {
    this.#harms.set(id, harm);
    this.#ways.set(id, ways);
  }
}

/** What bouts need. */
export interface BoutOptions {
  readonly defence: Defence;
  readonly runner: Pick<ProgramRunner, "run">;
  /** Steps of one session. */
  readonly fuel: number;
  readonly signal: AbortSignal;
}

/** See the header. Its promises reject with the signal's reason, and with what the runner rejects with. */
export class Bouts {
  readonly #options: BoutOptions;
  readonly #traffic: readonly Test[];
  #evaluations = 0;

  constructor(options: BoutOptions) {
    this.#options = options;
    this.#traffic = options.defence.traffic.flatMap((session) => testFrom(session) ?? []);
  }

  /** Sessions made and played so far. */
  get evaluations(): number {
    return this.#evaluations;
  }

  /** Plays every test that a version does not know yet. */
  async play(versions: readonly Version[], tests: readonly Test[]): Promise<void> {
    await Promise.all(versions.map((version) => this.#meet(version, tests)));
  }

  /** Whether a version serves all of the real traffic. */
  async serves(version: Version): Promise<boolean> {
    await this.#meet(version, this.#traffic);
    return this.#traffic.every((test) => !version.hasFallen(test));
  }

  /** The sessions that an attacker makes, without those that are none. */
  async testsOf(attacker: Attacker): Promise<readonly Test[]> {
    const { runner, fuel, signal } = this.#options;
    this.#evaluations += attacker.seeds.length;
    const program = { text: generatorOf(attacker), entry: GENERATE_ENTRY };
    const calls = attacker.seeds.map((seed) => [seed]);
    const { outcomes } = await runner.run(program, calls, { fuel, signal });
    const tests = outcomes.flatMap((outcome) => testOf(outcome, attacker.schedule) ?? []);
    return [...new Map(tests.map((test) => [test.id, test])).values()];
  }

  async #meet(version: Version, tests: readonly Test[]): Promise<void> {
    const { defence, runner, fuel, signal } = this.#options;
    const fresh = tests.filter((test) => !version.knows(test));
    if (fresh.length === 0) return;
    this.#evaluations += fresh.length;
    const { player } = version;
    const program = { text: player.text, entry: PLAY_ENTRY };
    const calls = fresh.map(({ session }) => [session]);
    const { outcomes } = await runner.run(program, calls, { fuel, signal });
    for (const [index, test] of fresh.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) version.learn(test, "exceeded", []);
      else version.learn(test, harmOf(defence, test.session, outcome), player.waysIn(outcome));
    }
  }
}
