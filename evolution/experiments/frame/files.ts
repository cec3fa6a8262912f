/** The files that an experiment's searches are told to: one of each kind for each search. */
import { stat } from "node:fs/promises";
import { EvolutionError } from "../../errors.ts";
import { checkPaths, wordedPath, type SearchPaths } from "../../report/search-files.ts";
import type { Experiment } from "./experiment.ts";

/** Files of one search of one seed: as they were named where there is only one, with the names of search and seed where there are more. */
export function pathsOf(
  { events, report }: SearchPaths,
  { searches = [] }: Pick<Experiment, "searches">,
  seeds: readonly number[],
): (seed: number, search: string) => SearchPaths {
  return (seed, search) => {
    const words = [...(searches.length > 1 ? [search] : []), ...(seeds.length > 1 ? [`seed-${seed}`] : [])];
    const worded = (path: string | undefined): string | undefined =>
      path === undefined ? undefined : wordedPath(path, words);
    return { events: worded(events), report: worded(report) };
  };
}

/**
 * Resolves when the files of every search can be written.
 * @throws {EvolutionError} EVOLUTION_OPTIONS_INVALID naming the file, or for an experiment that has no such searches.
 */
export async function checkFiles(
  experiment: Pick<Experiment, "name" | "searches">,
  said: SearchPaths,
  seeds: readonly number[],
): Promise<void> {
  if (said.events === undefined && said.report === undefined) return;
  const { name, searches = [] } = experiment;
  if (searches.length === 0)
    throw new EvolutionError(
      "EVOLUTION_OPTIONS_INVALID",
      `${name} has a search of its own that keeps no log: leave --events and --report out; --json has all that it found.`,
    );
  for (const path of [said.events, said.report])
    if (path !== undefined && (await stat(path).catch(() => undefined))?.isDirectory() === true)
      throw new EvolutionError(
        "EVOLUTION_OPTIONS_INVALID",
        `${path} is a folder: give a file, as in ${path}/run.jsonl`,
      );
  const paths = pathsOf(said, experiment, seeds);
  for (const seed of seeds) for (const search of searches) await checkPaths(paths(seed, search));
}
