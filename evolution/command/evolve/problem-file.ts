/**
 * A problem as a file: its default export is the problem, a named export `options` what `evolve` takes beside it. The file is the
 * caller's own code and is run as it is; what it proposes is not (that goes to the cells).
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EvolutionError } from "../../errors.ts";
import type { EvolveOptions } from "../../population-options.ts";
import type { Problem } from "../../population/problem.ts";

/** What a file may say of its search: whatever the command line has no word for. */
const OWN = ["mutators", "rules", "populationPerIsland", "fuel", "formOf", "goal", "evaluationMs"] as const;

/** Options of `evolve` that a problem's file may set. */
export type FileOptions = Pick<EvolveOptions, (typeof OWN)[number]>;

/** What a file names. Not looked at in its parts: `evolve` does. */
export interface ProblemFile {
  readonly problem: Problem;
  readonly options: FileOptions;
}

/**
 * Loads a file.
 * @throws {EvolutionError} EVOLUTION_PROBLEM_INVALID for a file that is missing, does not load, exports no object by default, or names
 * options that are none.
 */
export async function loadProblem(path: string): Promise<ProblemFile> {
  const full = resolve(path);
  const found = await stat(full).catch(() => undefined); // the import would say less clearly what is missing
  if (found === undefined) throw refused(path, "there is no such file");
  if (!found.isFile()) throw refused(path, "it is no file: name the module that exports the problem");
  const loaded = await import(pathToFileURL(full).href).catch((cause: unknown) => {
    throw refused(path, `it does not load: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  return problemIn(path, loaded as Readonly<Record<string, unknown>>); // a module's namespace is an object
}

/** The parts of a module; see `loadProblem`. */
export function problemIn(path: string, module: Readonly<Record<string, unknown>>): ProblemFile {
  const { default: problem, options = {} } = module;
  if (problem === undefined)
    throw refused(path, `it has no default export: end it with "export default problem"${namedHint(module)}`);
  if (!isObject(problem)) throw refused(path, "its default export is no problem: an object with name, seeds, entry, …");
  if (!isObject(options)) throw refused(path, "its export `options` is no object");
  const unknown = Object.keys(options).find((key) => !OWN.some((own) => own === key));
  if (unknown !== undefined)
    throw refused(path, `its options have ${unknown}, which is none; they may have ${OWN.join(", ")}`);
  // Nothing is known of either but that it is an object with these keys; `evolve` parses both before it uses them.
  return { problem: problem as unknown as Problem, options };
}

function namedHint(module: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(module).filter((name) => name !== "options");
  return names.length === 0 ? "" : ` (it exports ${names.slice(0, 5).join(", ")})`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(path: string, what: string, cause?: unknown): EvolutionError {
  return new EvolutionError("EVOLUTION_PROBLEM_INVALID", `${path}: ${what}`, { cause, details: { path } });
}
