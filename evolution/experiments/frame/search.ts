/**
 * `evolve` as experiments call it: with the seed, the workers, the vault and the signal of the command, told to the files that it names.
 */
import { evolve, type EvolveResult } from "../../population/evolve.ts";
import type { EvolveOptions, SearchBudget } from "../../population-options.ts";
import { tellSearch } from "../../report/search-files.ts";
import { budgetText } from "./arguments.ts";
import type { SeedContext } from "./experiment.ts";

/** What an experiment says of a search; the rest is the command's. */
export type SearchOptions = Omit<
  EvolveOptions,
  "seed" | "workers" | "signal" | "runId" | "vault" | "journal" | "onEvent"
>;

/**
 * Searches, and resolves with what was found; `name` is one of the experiment's `searches`. Kept in the vault as `<name>-<seed>`.
 * Rejects with what `evolve` rejects with, and EVOLUTION_LOG_FAILED.
 */
export async function evolveSearch(context: SeedContext, name: string, options: SearchOptions): Promise<EvolveResult> {
  const { seed, workers, signal, vault } = context;
  const runId = `${name}-${seed}`;
  const paths = context.files?.(name) ?? {};
  const told = {
    paths,
    options: {
      "budget of the seed": budgetText(context.budget),
      "of it for this search": shareText(options.budget),
      workers,
      vault,
    },
    run: { id: runId, seed, isKept: vault !== undefined },
  };
  const { result, reportBytes } = await tellSearch(told, async (onEvent) =>
    evolve({ ...options, seed, workers, signal, runId, onEvent, ...(vault === undefined ? {} : { vault }) }),
  );
  if (reportBytes !== undefined) context.say?.(`report ${paths.report}: ${(reportBytes / 1_000).toFixed(0)} kB`);
  return result;
}

/** `28 evaluations`, or what else it has, as people read it. */
function shareText(budget: SearchBudget): string {
  return Object.entries(budget)
    .flatMap(([unit, amount]) => (amount === undefined ? [] : [`${amount} ${unit}`]))
    .join(", ");
}
