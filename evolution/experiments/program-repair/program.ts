/** A task as a search sees it: the whole program, what of it may change, its functions, its cases. */
import { parseScript } from "../../../sandbox/index.ts";
import type { TextRange } from "../../population/problem.ts";
import { casesOf, type RepairCase, type RepairCases } from "./assertions.ts";
import { hintsOf, type Hints } from "./hints.ts";
import { ScriptTest } from "./script-test.ts";
import type { RepairTask } from "./task.ts";
import type { RepairTests } from "./trial.ts";

/** What guides a search: everything, or only what a programmer would be shown. */
export type Protocol = "all" | "visible";

/** See the header. */
export interface RepairProblem {
  readonly task: RepairTask;
  /** The program with its bug. */
  readonly text: string;
  /** The body of the function. */
  readonly within: TextRange;
  readonly entry: string;
  /** What the search chooses by. */
  readonly guiding: RepairTests;
  /** What decides whether a patch is a repair; never used to choose under the protocol `visible`. */
  readonly deciding: RepairTests;
  readonly hints: Hints;
}

/** The search of a task, or why there is none. */
export function problemOf(task: RepairTask, protocol: Protocol): RepairProblem | { readonly unusable: string } {
  const text = task.prompt + task.body;
  if (/\brequire\s*\(/.test(text)) return { unusable: "it needs a module" };
  const functions = functionsOf(text);
  const visible = casesOf(task.visibleTest, functions);
  const hidden = casesOf(task.hiddenTest, functions);
  const called = new Set([...visible.cases, ...hidden.cases].map(({ entry }) => entry));
  // The body is the last thing of the text: the last function is the one that it belongs to.
  const entry = [...called][0] ?? [...functions].at(-1);
  if (entry === undefined || called.size > 1) return { unusable: "its tests do not call one function" };
  if (hidden.cases.length + hidden.beyond === 0) return { unusable: "it has no tests" };
  const scriptOf = (test: string, { beyond }: RepairCases): ScriptTest | undefined =>
    beyond === 0 ? undefined : new ScriptTest({ test, functions, given: text, entry });
  const deciding: RepairTests = { cases: hidden.cases, script: scriptOf(task.hiddenTest, hidden) };
  const shown: RepairTests = { cases: unique(visible.cases), script: scriptOf(task.visibleTest, visible) };
  const everything: RepairTests = { cases: unique([...visible.cases, ...hidden.cases]), script: deciding.script };
  return {
    task,
    text,
    within: { start: task.prompt.length, end: text.length },
    entry,
    guiding: protocol === "all" ? everything : shown,
    deciding,
    hints: hintsOf([task.visibleTest, task.prompt, ...(protocol === "all" ? [task.hiddenTest] : [])]),
  };
}

function unique(cases: readonly RepairCase[]): readonly RepairCase[] {
  const seen = new Map(cases.map((test) => [JSON.stringify([test.args, test.expected ?? null]), test]));
  return [...seen.values()];
}

/** Names of the functions at the top. */
function functionsOf(text: string): ReadonlySet<string> {
  const parsed = parseScript(text);
  const names = new Set<string>();
  if (!("program" in parsed)) return names;
  for (const statement of parsed.program.body) {
    if (statement.type === "FunctionDeclaration" && statement.id) names.add(statement.id.name);
    if (statement.type !== "VariableDeclaration") continue;
    for (const { id, init } of statement.declarations)
      if (id.type === "Identifier" && init && /Function/.test(init.type)) names.add(id.name);
  }
  return names;
}
