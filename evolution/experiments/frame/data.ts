/** Data that experiments are given: where it is, and what to do when it is not there. */
import { glob } from "node:fs/promises";
import { basename, join } from "node:path";
import { EvolutionError } from "../../errors.ts";
import type { DataNeed } from "./experiment.ts";

/** Files that one need may match. */
const FILES_MAX = 100;

/**
 * The files of a need, in the order of their names: under their path in the folder, or in the folder itself. Empty when there are none.
 */
export async function findData(folder: string, { file }: Pick<DataNeed, "file">): Promise<readonly string[]> {
  for (const pattern of [file, basename(file)]) {
    const found: string[] = [];
    for await (const path of glob(pattern, { cwd: folder }))
      if (found.length < FILES_MAX) found.push(join(folder, path));
    if (found.length > 0) return found.toSorted();
  }
  return [];
}

/**
 * Resolves when every need has a file in the folder.
 * @throws {EvolutionError} EVOLUTION_DATA_MISSING naming each file, where it came from and under which licence.
 */
export async function checkData(
  experiment: string,
  needs: readonly DataNeed[],
  folder: string | undefined,
): Promise<void> {
  const missing: DataNeed[] = [];
  for (const need of needs) if (folder === undefined || (await findData(folder, need)).length === 0) missing.push(need);
  if (missing.length === 0) return;
  const files = missing.map(({ file, origin, licence }) => `  ${file}  (${origin}; ${licence})`);
  const where = folder === undefined ? "no folder was named" : `${folder} does not have all of it`;
  throw new EvolutionError(
    "EVOLUTION_DATA_MISSING",
    `${experiment} needs data that is not part of Planaria, and ${where}. Put these into a folder, and name it with --data <folder>:\n${files.join("\n")}`,
    { details: { folder: folder ?? null, files: missing.map(({ file }) => file) } },
  );
}
