/**
 * Many searches, one budget: every task gets a short round, then those that are not solved get longer and longer ones. An easy task
 * never waits for a hard one, and what is left is for the hard ones.
 */
import type { Budget } from "../frame/arguments.ts";
import type { ProgressUpdate } from "../frame/experiment.ts";
import type { ProgramRunner } from "../../population/program-runner.ts";
import { choosePatch } from "./choose.ts";
import type { Patch } from "./pool.ts";
import { problemOf, type Protocol, type RepairProblem } from "./program.ts";
import { RepairSearch } from "./search.ts";
import type { RepairTask } from "./task.ts";
import { FUEL_MAX, tryProgram } from "./trial.ts";

/** How a task ended. */
export interface TaskResult {
  readonly task: RepairTask;
  /** `repaired`: the tests that decide pass. `misled`: what was handed in passes what guided, and not what decides. */
  readonly end: "repaired" | "misled" | "unsolved" | "unusable";
  readonly patch: Patch | undefined;
  readonly evaluations: number;
  readonly why: string;
}

/** Trials of each task in the first round; the next ones double it. */
const FIRST_ROUND = 100;

/** Searches all tasks. Under a budget in time the clock ends it, between two batches. */
export async function runCampaign(
  runner: ProgramRunner,
  tasks: readonly RepairTask[],
  options: {
    readonly protocol: Protocol;
    readonly seed: number;
    readonly budget: Budget;
    readonly signal: AbortSignal;
    readonly progress: (update: ProgressUpdate) => void;
  },
): Promise<readonly TaskResult[]> {
  const { protocol, seed, budget, signal } = options;
  const startedMs = performance.now();
  const problems = new Map(tasks.map((task) => [task, problemOf(task, protocol)]));
  const searches = new Map<RepairTask, RepairSearch>();
  for (const [index, task] of tasks.entries()) {
    const problem = problems.get(task);
    const mode = protocol === "all" ? "first" : "every";
    if (problem !== undefined && !("unusable" in problem))
      searches.set(task, new RepairSearch(problem, { seed: (seed * 1_000_003 + index) >>> 0, mode }));
  }
  const spent = (): number => [...searches.values()].reduce((total, search) => total + search.evaluations, 0);
  const mayGoOn = (): boolean =>
    !signal.aborted &&
    (budget.kind === "ms" ? performance.now() - startedMs < budget.ms : spent() < budget.evaluations);
  for (let round = 0; mayGoOn(); round++) {
    const open = [...searches.values()].filter((search) => !search.isOver);
    if (open.length === 0) break;
    for (const search of open) {
      await search.advance(runner, { evaluations: FIRST_ROUND * 2 ** round, signal, mayGoOn });
      const found = [...searches.values()].filter(({ passing }) => passing.length > 0).length;
      options.progress({ evaluations: spent(), best: `${found} of ${tasks.length} with a patch` });
      if (!mayGoOn()) break;
    }
  }
  const results: TaskResult[] = [];
  for (const task of tasks) results.push(await resultOf(runner, task, searches.get(task), problems.get(task), seed));
  return results;
}

async function resultOf(
  runner: ProgramRunner,
  task: RepairTask,
  search: RepairSearch | undefined,
  problem: RepairProblem | { readonly unusable: string } | undefined,
  seed: number,
): Promise<TaskResult> {
  if (search === undefined) {
    const why = problem !== undefined && "unusable" in problem ? problem.unusable : "";
    return { task, end: "unusable", patch: undefined, evaluations: 0, why };
  }
  // Not the signal of the run: what was found by then is judged even when it was stopped.
  const { signal } = new AbortController();
  const { patch, evaluations } = await choosePatch(runner, search.problem, search.passing, { seed, signal });
  const total = search.evaluations + evaluations;
  if (patch === undefined) return { task, end: "unsolved", patch, evaluations: total, why: "" };
  // Judged once, after the choice.
  const { deciding, entry } = search.problem;
  const verdict = await tryProgram(runner, { text: patch.text, entry }, deciding, { fuel: FUEL_MAX, signal });
  const isRepaired = verdict.passed === verdict.grades.length;
  const why = isRepaired ? "" : `${verdict.passed} of ${verdict.grades.length} tests pass`;
  return { task, end: isRepaired ? "repaired" : "misled", patch, evaluations: total + 1, why };
}
