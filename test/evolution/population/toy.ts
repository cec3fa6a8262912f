/**
 * Small worlds for the search. A program is a string of bits, a runner reads it in this process: a pure function, so nothing of the
 * engine is left out but the isolates.
 */
import type { Mutator, MutationGround } from "../../../evolution/mutation/mutator.ts";
import type { Problem } from "../../../evolution/population/problem.ts";
import type { ProgramRun, ProgramRunner } from "../../../evolution/population/program-runner.ts";
import { seededRandom } from "../../../runtime/random.ts";

/** Calls a function of the text for each case, and answers as late as `delay` says: order of arrival is any order. */
export class ToyRunner {
  runs = 0;
  calls = 0;
  readonly #answer: (text: string, args: readonly unknown[]) => unknown;
  readonly #delay: () => Promise<void>;

  constructor(
    answer: (text: string, args: readonly unknown[]) => unknown,
    delay: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#answer = answer;
    this.#delay = delay;
  }

  readonly run: ProgramRunner["run"] = async (program, calls): Promise<ProgramRun> => {
    this.runs += 1;
    this.calls += calls.length;
    await this.#delay();
    return {
      outcomes: calls.map((args) => ({ kind: "returned", value: this.#answer(program.text, args) })),
      fuelUsed: calls.map(() => 1),
      coverage: undefined,
      cpuMs: 0,
    };
  };
}

/** A toy's answers, and which half of the text each call passed, as the cases have it by turns. */
export function halves(runner: Pick<ProgramRunner, "run">): Pick<ProgramRunner, "run"> {
  return {
    run: async (program, calls, options) => {
      const run = await runner.run(program, calls, options);
      const [middle, end] = [program.text.length >> 1, program.text.length];
      const blocks = [
        { start: 0, end: middle },
        { start: middle, end },
      ];
      const counts = calls.map(([block]) => (Number(block) % 2 === 0 ? [1, 0] : [0, 1]));
      const detail = options.isDetailed === true ? { blocks, counts } : undefined;
      return { ...run, coverage: new Uint32Array(2), detail };
    },
  };
}

/** Answers after some turns of the event loop, as many as chance says. */
export function outOfOrder(seed: number): () => Promise<void> {
  const random = seededRandom(seed);
  return async () => {
    for (let turns = random.next32() % 20; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };
}

/** A string of bits by chance. */
export function someBits(count: number, seed: number): string {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next32() % 2).join("");
}

/** Flips each bit with chance 1/n. */
export const flipEach: Mutator = {
  id: "flip-each",
  kind: "ast",
  async *propose({ parent, random }: MutationGround, count: number) {
    const { length } = parent.text;
    for (let number = 0; number < count; number++) {
      const edits = parent.text
        .split("")
        .flatMap((bit, start) =>
          random.next32() % length === 0 ? [{ start, end: start + 1, text: bit === "1" ? "0" : "1" }] : [],
        );
      yield { edits };
    }
  },
};

/** One point of a mate (a shorter one is not looked at): what is behind it comes from there. */
export const crossOver: Mutator = {
  id: "cross-over",
  kind: "crossover",
  async *propose({ parent, mates, random }: MutationGround, count: number) {
    for (let number = 0; number < count; number++) {
      const mate = mates[random.next32() % Math.max(1, mates.length)];
      if (mate === undefined) return;
      const point = random.next32() % parent.text.length;
      yield { edits: { full: parent.text.slice(0, point) + mate.text.slice(point) } };
    }
  },
};

/** A problem over bits: `blocks` cases, each scored by what stands in its block. */
export function bitProblem(
  name: string,
  seeds: readonly string[],
  blocks: number,
  score: (block: number, text: string) => number,
): { readonly problem: Problem; readonly runner: ToyRunner } {
  const cases = Array.from({ length: blocks }, (_, block) => ({ id: `block ${block}`, args: [block] }));
  return {
    problem: {
      name,
      seeds,
      entry: "bits",
      cases,
      score: (_, outcome) => (outcome.kind === "returned" ? Number(outcome.value) : 0),
    },
    runner: new ToyRunner((text, args) => score(Number(args[0]), text)),
  };
}
