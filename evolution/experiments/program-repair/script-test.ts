/**
 * Tests that are programs themselves: loops, made-up input, calls of which one takes what another one answered. The test runs in an
 * isolate of its own, in which the functions of the program are stand-ins that know some answers and ask for the others:
 *
 *     test with stand-ins --asked--> calls --candidate's isolate--> answers --> the same test again, until nothing is asked
 *
 * So no candidate is ever in the isolate in which it is judged. Chance in isolates repeats, so the test asks the same each time.
 */
import type { CallOutcome, ProgramRunner, RunCallsOptions } from "../../population/program-runner.ts";
import { signatureOf } from "./signature.ts";

/** Times that the test is run for one candidate: answers may lead to other questions. */
const ROUNDS_MAX = 5;
/** Calls of one test. */
const CALLS_MAX = 2_000;
/** Names of ours; no test has them. */
const ENTRY = "planariaTest$";
const KNOWN = "planariaKnown$";
const ASKED = "planariaAsked$";
const HELD = "planariaHeld$";

interface Asked {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** See the header. */
export class ScriptTest {
  readonly #text: string;
  /** The program as it was given: its other functions answer for every candidate's, which has the same. */
  readonly #given: string;
  readonly #entry: string;
  readonly #helpers = new Map<string, CallOutcome>();
  readonly #verdicts = new Map<string, number>();
  /** Calls of the entry that the test makes whatever they answer. */
  #first: readonly Asked[] | undefined;

  constructor(options: {
    readonly test: string;
    readonly functions: ReadonlySet<string>;
    readonly given: string;
    readonly entry: string;
  }) {
    this.#text = testProgram(options.test, options.functions);
    this.#given = options.given;
    this.#entry = options.entry;
  }

  /** The share of the assertions that hold; 1 only when the test ran to its end and all do. */
  async play(runner: ProgramRunner, candidate: string, options: RunCallsOptions): Promise<number> {
    const own = new Map<string, CallOutcome>();
    if (this.#first === undefined) {
      // What the other functions answer comes first: what the entry is asked may be made of it.
      for (let round = 0; round < ROUNDS_MAX && this.#first === undefined; round++) {
        const { asked } = await this.#run(runner, own, options);
        const others = asked.filter(({ name }) => name !== this.#entry);
        if (others.length === 0) this.#first = asked;
        else await this.#answer(runner, this.#given, others, this.#helpers, options);
        if (round === ROUNDS_MAX - 1) this.#first = asked.filter(({ name }) => name === this.#entry);
      }
    }
    const first = this.#first ?? [];
    const outcomes = await this.#answer(runner, candidate, first, own, options);
    const signature = signatureOf(outcomes);
    const known = this.#verdicts.get(signature);
    if (known !== undefined) return known;
    const verdict = await this.#judge(runner, candidate, own, options);
    this.#verdicts.set(signature, verdict);
    return verdict;
  }

  async #judge(
    runner: ProgramRunner,
    candidate: string,
    own: Map<string, CallOutcome>,
    options: RunCallsOptions,
  ): Promise<number> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const { asked, held } = await this.#run(runner, own, options);
      if (asked.length === 0) return held.length === 0 ? 0 : held.filter(Boolean).length / held.length;
      const ofEntry = asked.filter(({ name }) => name === this.#entry);
      const others = asked.filter(({ name }) => name !== this.#entry);
      await this.#answer(runner, candidate, ofEntry, own, options);
      // Asked with what this candidate answered: not worth keeping.
      await this.#answer(runner, this.#given, others, own, options);
    }
    return 0;
  }

  /** One run of the test with what is known. What it says is looked at: it is a program, too. */
  async #run(
    runner: ProgramRunner,
    own: ReadonlyMap<string, CallOutcome>,
    options: RunCallsOptions,
  ): Promise<{ readonly asked: readonly Asked[]; readonly held: readonly boolean[] }> {
    const known = [...this.#helpers, ...own].map(([key, outcome]) =>
      outcome.kind === "returned" ? [key, outcome.value] : [key],
    );
    const run = await runner.run({ text: this.#text, entry: ENTRY }, [[known]], options);
    const [outcome] = run.outcomes;
    const said = outcome?.kind === "returned" ? outcome.value : undefined;
    if (!Array.isArray(said) || !Array.isArray(said[0]) || !Array.isArray(said[1])) return { asked: [], held: [] };
    const asked = (said[0] as readonly unknown[]).slice(0, CALLS_MAX).flatMap(askedOf); // a list, as just checked
    return { asked, held: said[1].map((each) => each === true) };
  }

  async #answer(
    runner: ProgramRunner,
    text: string,
    asked: readonly Asked[],
    into: Map<string, CallOutcome>,
    options: RunCallsOptions,
  ): Promise<readonly CallOutcome[]> {
    const all: CallOutcome[] = [];
    for (const entry of new Set(asked.map(({ name }) => name))) {
      const calls = asked.filter(({ name }) => name === entry);
      const run = await runner.run(
        { text, entry },
        calls.map(({ args }) => args),
        options,
      );
      for (const [index, call] of calls.entries()) into.set(keyOf(call), run.outcomes[index] ?? { kind: "fuel" });
      all.push(...run.outcomes);
    }
    return all;
  }
}

function askedOf(value: unknown): readonly Asked[] {
  if (!Array.isArray(value) || typeof value[0] !== "string" || !Array.isArray(value[1])) return [];
  return [{ name: value[0], args: value[1] }];
}

/** As `JSON.stringify` says it in the isolate: finite numbers, texts and lists are what tests call with. */
function keyOf({ name, args }: Asked): string {
  return JSON.stringify([name, args]);
}

/** The test as a function of what is known: it returns what it asks for, and which assertions held. */
function testProgram(test: string, functions: ReadonlySet<string>): string {
  const standIns = [...functions].map((name) => `const ${name} = standIn(${JSON.stringify(name)});`);
  return `
function ${ENTRY}(${KNOWN}) {
  const ${ASKED} = [], ${HELD} = [], answers = new Map(${KNOWN}.map((each) => [each[0], each]));
  const standIn = (name) => (...args) => {
    const key = JSON.stringify([name, args]);
    const answer = answers.get(key);
    if (answer === undefined) { answers.set(key, [key, undefined]); ${ASKED}.push([name, JSON.parse(JSON.stringify(args))]); return undefined; }
    if (answer.length < 2) throw new Error("it does not return");
    return answer[1];
  };
  const console = { assert: (held) => { ${HELD}.push(Boolean(held)); }, log: () => {} };
  const run = () => {
    ${standIns.join("\n    ")}
    {
${test}
    }
  };
  try { run(); } catch (error) { ${HELD}.push(false); }
  return [${ASKED}, ${HELD}];
}
`;
}
