/** One search of the toy world, the same in every process: what is killed, resumed and run beside others must end with one hash. */
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import type { EvolveOptions } from "../../../evolution/population-options.ts";
import { bitProblem, crossOver, flipEach, outOfOrder, someBits } from "./toy.ts";

/** Its mutators are named. */
type Searched = EvolveOptions & { readonly mutators: readonly Mutator[] };

/** Four islands of six, forty generations: all rules, two migrations. Answers come in an order that `order` decides. */
export function searched(order: number, onRun: () => void = () => undefined): Searched {
  const bits = 48;
  const delay = outOfOrder(order);
  const { problem, runner } = bitProblem(
    "killed and resumed",
    Array.from({ length: 4 }, (_, seed) => someBits(bits, seed)),
    bits / 3,
    (block, text) => {
      onRun();
      return text.slice(block * 3, block * 3 + 3) === "101" ? 1 : 0.25 * Number(text[block * 3]);
    },
  );
  return {
    problem: {
      ...problem,
      describe: (text) => [text.split("1").length, text.indexOf("11")],
    },
    runner: { run: async (...given) => await delay().then(() => runner.run(...given)) },
    formOf: () => undefined, // a number is a number, but bits are a program
    mutators: [flipEach, crossOver],
    populationPerIsland: 6,
    seed: 7,
    budget: { generations: 40 },
  };
}
