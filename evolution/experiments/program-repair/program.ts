/** A task as a search sees it: the whole program, what of it may change, its functions, its cases. */
import { parseScript } from "../../../sandbox/index.ts";
import type { TextRange } from "../../population/problem.ts";
import { casesOf, type RepairCase } from "./assertions.ts";
import { hintsOf, type Hints } from "./hints.ts";
import type { RepairTask } from "./task.ts";

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
  readonly cases: readonly RepairCase[];
  /** What decides whether a patch is a repair; never used to choose under the protocol `visible`. */
  readonly deciding: readonly RepairCase[];
  readonly hints: Hints;
}

/** The search of a task, or why there is none. */
export function problemOf(task: RepairTask, protocol: Protocol): RepairProblem | { readonly unusable: string } {
  const text = task.prompt + task.body;
  const functions = functionsOf(task.prompt + task.body);
  if (/\brequire\s*\(/.test(text)) return { unusable: "it needs a module" };
  const visible = casesOf(task.visibleTest, functions);
  const hidden = casesOf(task.hiddenTest, functions);
  if (hidden.beyond > 0) return { unusable: "its tests are no list of calls" };
  const entries = new Set([...visible.cases, ...hidden.cases].map(({ entry }) => entry));
  const [entry] = entries;
  if (entry === undefined || entries.size > 1) return { unusable: "its tests do not call one function" };
  return {
    task,
    text,
    within: { start: task.prompt.length, end: text.length },
    entry,
    cases: protocol === "all" ? unique([...visible.cases, ...hidden.cases]) : unique(visible.cases),
    deciding: hidden.cases,
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
