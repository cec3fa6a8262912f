/**
 * Tasks in the format of HumanEvalFix (bigcode-project/octopack): a function with a bug, tests that everybody may see and tests
 * that are kept back. One JSON object a line; only the fields below are read, and the solution is not one of them.
 */
import { readFile } from "node:fs/promises";
import { EvolutionError } from "../../errors.ts";

/** A function with a bug. */
export interface RepairTask {
  readonly id: string;
  /** What stands before the body: comments with the description, other functions, the head of the function. */
  readonly prompt: string;
  /** The body with its bug; the only text that may change. */
  readonly body: string;
  /** Tests that a programmer would be shown. */
  readonly visibleTest: string;
  /** Tests that decide. */
  readonly hiddenTest: string;
  /** Kind of the bug, for the report alone: no search is told. */
  readonly bugClass: string;
}

/** Characters of a file of tasks. */
const FILE_UNITS_MAX = 64 * 1024 * 1024;

const FIELDS = {
  id: "task_id",
  prompt: "prompt",
  body: "buggy_solution",
  visibleTest: "example_test",
  hiddenTest: "test",
  bugClass: "bug_type",
} as const;

/**
 * Reads tasks from files.
 * @throws {EvolutionError} EVOLUTION_DATA_INVALID naming the file and the line.
 */
export async function readTasks(paths: readonly string[]): Promise<readonly RepairTask[]> {
  const tasks = new Map<string, RepairTask>();
  for (const path of paths) {
    const text = await readFile(path, "utf8");
    if (text.length > FILE_UNITS_MAX) throw invalid(path, 0, `is longer than ${FILE_UNITS_MAX} characters`);
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue;
      const fault = (why: string): EvolutionError => invalid(path, index + 1, why);
      const task = parseTask(line, fault);
      if (tasks.has(task.id)) throw fault(`has the task ${task.id} again`);
      tasks.set(task.id, task);
    }
  }
  if (tasks.size === 0) throw invalid(paths[0] ?? "the data", 0, "has no task");
  return [...tasks.values()];
}

function parseTask(line: string, fault: (why: string) => EvolutionError): RepairTask {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) throw fault("is no JSON");
    throw error;
  }
  if (typeof parsed !== "object" || parsed === null) throw fault("is no object");
  const fields = parsed as Readonly<Record<string, unknown>>; // an object, as just checked
  const text = (key: keyof typeof FIELDS): string => {
    const value = fields[FIELDS[key]];
    if (typeof value !== "string") throw fault(`has no text ${FIELDS[key]}`);
    return value;
  };
  return {
    id: text("id"),
    prompt: text("prompt"),
    body: text("body"),
    visibleTest: text("visibleTest"),
    hiddenTest: text("hiddenTest"),
    bugClass: text("bugClass"),
  };
}

function invalid(path: string, line: number, why: string): EvolutionError {
  const where = line === 0 ? path : `line ${line} of ${path}`;
  return new EvolutionError("EVOLUTION_DATA_INVALID", `${where} ${why}.`, { details: { path, line } });
}
