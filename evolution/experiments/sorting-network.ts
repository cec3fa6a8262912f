#!/usr/bin/env node
/**
 * Sorting networks with few comparators, for 8, 9, 10 and 16 wires. Whatever is reported was tested with every input of zeros and ones,
 * which proves that it sorts (Knuth 3, 5.3.4, theorem Z).
 */
import { Slices } from "../../vault/index.ts";
import { experimentCommand } from "./frame.ts";
import type { Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";
import { NetworkHunt } from "./sorting-network/hunt.ts";
import { allInputs, benchOf, depthOf, inputsOf, sorts, type Network } from "./sorting-network/network.ts";

/** Wires, the smallest size known, and the share of a seed's budget; what one does not need goes to the next. */
const targets = [
  { wires: 8, known: 19, share: 0.15 },
  { wires: 9, known: 25, share: 0.15 },
  { wires: 10, known: 29, share: 0.25 },
  { wires: 16, known: 60, share: 0.45 },
] as const;

/** The experiment; see the header. */
export const sortingNetwork: Experiment = {
  name: "sorting-network",
  what: "Searches sorting networks with few comparators. Every reported network was tested with all inputs of zeros and ones. No model is asked.",
  needs: [],
  figures: targets.map(({ wires, known }) => ({
    id: `size-${wires}`,
    title: `comparators for ${wires} wires (smallest known: ${known})`,
    unit: "",
    better: "lower",
    digits: 0,
  })),
  published: [
    {
      who: "Knuth; Codish et al. 2014",
      value: "19 for 8 wires, 25 for 9, 29 for 10",
      protocol: "proved to be the smallest",
    },
    { who: "Green", value: "60 for 16 wires", protocol: "the smallest known; by hand, 1969" },
  ],
  caveats: [
    "The first layer is given. For 16 wires the first four layers of Green's network are given (32 comparators), which leaves 168 inputs to sort.",
  ],
  defaults: { seeds: [1, 2, 3, 4, 5], budget: { kind: "ms", ms: 600_000 } },
  canResume: false,
  help: { workers: "none" },
  run: runSeed,
};

/** Networks between two looks at the budget. */
const STEPS_PER_LOOK = 256;

async function runSeed(context: SeedContext): Promise<SeedReport> {
  const startedMs = performance.now();
  const figures: Record<string, number> = {};
  const details: Record<string, unknown> = {};
  const notes: string[] = [];
  let evaluations = 0;
  let share = 0;
  for (const target of targets) {
    share += target.share;
    const hunt = new NetworkHunt(target.wires, context.seed);
    await drive(hunt, target.known, context, { share, startedMs, before: evaluations });
    evaluations += hunt.children;
    const { network, size, wires } = hunt;
    requireSorts(network, wires);
    figures[`size-${wires}`] = size;
    details[`network-${wires}`] = pairsOf(network);
    notes.push(`${wires} wires: ${size} comparators, depth ${depthOf(network)}, after ${hunt.foundAt} networks`);
  }
  return { figures, evaluations, notes, details };
}

interface Reach {
  /** Of the seed's whole budget, by when this target is over. */
  readonly share: number;
  readonly startedMs: number;
  /** Networks of the targets before. */
  readonly before: number;
}

/** Ends at the smallest size known: nothing smaller is to be had for what a run may cost. */
async function drive(
  hunt: NetworkHunt,
  known: number,
  { budget, signal, progress }: SeedContext,
  { share, startedMs, before }: Reach,
): Promise<void> {
  const slices = new Slices();
  while (!signal.aborted && hunt.size > known) {
    const left =
      budget.kind === "ms" ? STEPS_PER_LOOK : Math.round(budget.evaluations * share) - before - hunt.children;
    if (left <= 0 || (budget.kind === "ms" && performance.now() - startedMs >= budget.ms * share)) return;
    hunt.step(Math.min(STEPS_PER_LOOK, left));
    progress({ evaluations: before + hunt.children, best: `${hunt.size} for ${hunt.wires} wires` });
    await slices.pause();
  }
}

/** With every input, whatever the search left out. */
function requireSorts(network: Network, wires: number): void {
  if (!sorts(network, benchOf(inputsOf(wires, allInputs(wires)))))
    throw new RangeError(`the search kept a network of ${wires} wires that does not sort`);
}

function pairsOf(network: Network): readonly (readonly [number, number])[] {
  return Array.from({ length: network.length / 2 }, (_, at) => [network[2 * at]!, network[2 * at + 1]!] as const);
}

if (import.meta.main) process.exitCode = await experimentCommand(sortingNetwork, process.argv.slice(2));
