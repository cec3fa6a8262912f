/**
 * Which parts of a program are suspect: those that run in failing cases more than in passing ones (Ochiai, as Abreu, Zoeteweij and
 * van Gemund, "On the accuracy of spectrum-based fault localization", 2007). Counted by blocks, with marks of our own in the text.
 */
import { applyEdits, type Edit } from "../../mutation/edit.ts";
import { readProgram } from "../../mutation/program.ts";
import type { ProgramRunner } from "../../population/program-runner.ts";
import type { Suspicion } from "./neighbours.ts";
import type { RepairProblem } from "./program.ts";
import { FUEL_MAX } from "./trial.ts";

/** What a block that only ran in passing cases is still worth: coverage of blocks says little of conditions. */
const LEAST = 0.3;
/** Blocks of one program. */
const BLOCKS_MAX = 500;
/** Names of ours in the marked program; no task has them. */
const MARKS = "planariaMarks$";
const ENTRY = "planariaMarked$";

interface Block {
  readonly start: number;
  readonly end: number;
}

/** Finds out by running the cases once; `passed` says for each whether the program passes it. */
export async function suspicionOf(
  runner: ProgramRunner,
  problem: RepairProblem,
  passed: readonly boolean[],
  signal: AbortSignal,
): Promise<Suspicion> {
  const { text, entry } = problem;
  const { cases } = problem.guiding;
  const blocks = blocksOf(text);
  if (blocks.length === 0 || cases.length === 0) return () => 1;
  const calls = cases.map(({ args }) => args);
  const run = await runner.run({ text: marked(text, entry, blocks), entry: ENTRY }, calls, { fuel: FUEL_MAX, signal });
  const ran = run.outcomes.map((outcome) =>
    outcome.kind === "returned" ? marksIn(outcome.value, blocks.length) : undefined,
  );
  const scores = blocks.map((_, index) =>
    ochiai(
      ran.map((marks) => marks?.[index] ?? true),
      passed,
    ),
  );
  return suspicionFrom(blocks, scores);
}

/** Ochiai: failing runs that pass through, over the root of all failing runs times all runs that pass through. */
export function ochiai(ran: readonly boolean[], passed: readonly boolean[]): number {
  const failing = passed.filter((each) => !each).length;
  const through = ran.filter(Boolean).length;
  const both = ran.filter((each, index) => each && passed[index] === false).length;
  return both === 0 ? 0 : both / Math.sqrt(failing * through);
}

/** A place is as suspect as the innermost block around it. */
function suspicionFrom(blocks: readonly Block[], scores: readonly number[]): Suspicion {
  const most = Math.max(...scores);
  if (most === 0) return () => 1;
  return (at) => {
    // Blocks stand in the order of the text, parents first: the last one around a place is the innermost.
    const index = blocks.findLastIndex(({ start, end }) => start <= at && at < end);
    return index < 0 ? 1 : LEAST + ((1 - LEAST) * (scores[index] ?? 0)) / most;
  };
}

function blocksOf(text: string): readonly Block[] {
  const program = readProgram(text);
  if (program === undefined) return [];
  return program.sites
    .filter(({ node }) => node.type === "BlockStatement")
    .map(({ node }) => node)
    .slice(0, BLOCKS_MAX);
}

function marked(text: string, entry: string, blocks: readonly Block[]): string {
  const edits: Edit[] = blocks.map(({ start }, index) => ({
    start: start + 1,
    end: start + 1,
    text: `${MARKS}[${index}] = 1;`,
  }));
  const head = `const ${MARKS} = new Array(${blocks.length}).fill(0);\n`;
  const tail = `\nfunction ${ENTRY}(...args) { try { ${entry}(...args); } catch {} return ${MARKS}; }\n`;
  return head + applyEdits(text, edits) + tail;
}

/** The marks are the program's word: anything else than a list counts as nothing known. */
function marksIn(value: unknown, count: number): readonly boolean[] | undefined {
  if (!Array.isArray(value) || value.length !== count) return undefined;
  return value.map((mark) => mark === 1);
}
