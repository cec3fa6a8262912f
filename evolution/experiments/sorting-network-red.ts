#!/usr/bin/env node
/**
 * Sorting networks with and without Red Team: networks that are judged by a few inputs, which are fixed, redrawn, or bred against them,
 * with the same number of evaluations. Twenty pairs for each seed, and a paired test over them.
 */
import { Slices } from "../../vault/index.ts";
import { seedOf } from "./draws.ts";
import { experimentCommand } from "./frame.ts";
import type { Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";
import { medianOf } from "./frame/report.ts";
import { pairedTest } from "./sorting-network/paired.ts";
import { duel, type Arm } from "./sorting-network/red.ts";

const WIRES = 10;
/** Five above the smallest known: a network that sorts everything exists in plenty, and is hard to meet by chance. */
const SIZE = 34;
const PAIRS = 20;
/** For each network of each pair, where the budget is a time. */
const EVALUATIONS = 3_000_000;
const ARMS: readonly Arm[] = ["fixed", "redrawn", "red"];

/** The experiment; see the header. */
export const sortingNetworkRed: Experiment = {
  name: "sorting-network-red",
  what: `Networks of ${SIZE} comparators for ${WIRES} wires are judged by some inputs: fixed ones, ones redrawn each round, or ones that are bred against them. An evaluation is one input through one network; all arms have as many. Counted at the end: inputs that are not sorted, of ${2 ** WIRES}. ${PAIRS} pairs for each seed.`,
  needs: [],
  figures: [
    ...ARMS.map((arm) => ({
      id: arm,
      title: `inputs left unsorted, ${arm}: median of pairs`,
      unit: "",
      better: "lower" as const,
      digits: 1,
    })),
    { id: "p-fixed", title: "red against fixed: p of the paired test", unit: "", better: "lower", digits: 6 },
    { id: "p-redrawn", title: "red against redrawn: p of the paired test", unit: "", better: "lower", digits: 6 },
  ],
  published: [],
  caveats: [
    "The test is Wilcoxon's for pairs, exact, one-sided: red leaves fewer inputs unsorted. It has one question for each baseline and no correction between them.",
    "A budget in evaluations is that of one network; a time is no budget here but a bound, after which no further pair begins.",
  ],
  defaults: { seeds: [1], budget: { kind: "evaluations", evaluations: EVALUATIONS } },
  canResume: false,
  help: {
    budget: "evaluations of each network (3000000e), or a time after which no further pair begins (10m)",
    workers: "none",
    repeats:
      "The same seed and a budget in evaluations give the same result. Ctrl-C prints the pairs that are done by then.",
  },
  run: runSeed,
};

async function runSeed({ seed, budget, signal, progress }: SeedContext): Promise<SeedReport> {
  const startedMs = performance.now();
  const slices = new Slices();
  const evaluations = budget.kind === "evaluations" ? budget.evaluations : EVALUATIONS;
  const unsorted: Readonly<Record<Arm, number[]>> = { fixed: [], redrawn: [], red: [] };
  for (let pair = 0; pair < PAIRS; pair++) {
    if (signal.aborted || (budget.kind === "ms" && performance.now() - startedMs >= budget.ms)) break;
    for (const arm of ARMS) {
      unsorted[arm].push(duel(arm, { wires: WIRES, size: SIZE, evaluations, seed: seedOf(seed, pair) }));
      await slices.pause();
    }
    const best = ARMS.map((arm) => `${arm} ${medianOf(unsorted[arm])}`).join(", ");
    progress({ evaluations: (pair + 1) * ARMS.length * evaluations, best });
  }
  return reportOf(unsorted, evaluations);
}

function reportOf(unsorted: Readonly<Record<Arm, readonly number[]>>, evaluations: number): SeedReport {
  const { fixed, redrawn, red } = unsorted;
  const tests = { fixed: pairedTest(red, fixed), redrawn: pairedTest(red, redrawn) };
  return {
    figures: {
      ...Object.fromEntries(ARMS.map((arm) => [arm, medianOf(unsorted[arm])])),
      "p-fixed": tests.fixed.p,
      "p-redrawn": tests.redrawn.p,
    },
    evaluations: evaluations * ARMS.length * red.length,
    notes: [
      `red is lower than fixed in ${tests.fixed.lower} of ${tests.fixed.pairs} pairs that differ, than redrawn in ${tests.redrawn.lower} of ${tests.redrawn.pairs}`,
      ...ARMS.map((arm) => `${arm}: ${unsorted[arm].join(" ")}`),
    ],
    details: { unsorted, tests },
  };
}

if (import.meta.main) process.exitCode = await experimentCommand(sortingNetworkRed, process.argv.slice(2));
