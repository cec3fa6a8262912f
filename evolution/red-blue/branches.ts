/**
 * Counters at the branches of a version: which ways through it a session took. Finer than those that the runner puts at functions and
 * loops, because what an attack is after stands behind a condition.
 *
 *     if (a) b();    if (a) {C[0]++;b();}        a ? b : c    a ? (C[1]++,b) : (C[2]++,c)        a && b    a && (C[3]++,b)
 *
 * Invariants
 * 1. The program does what it did before: only expressions that change nothing else are put in. Its fuel is the same.
 * 2. A way is named by the text of its branch and by how often it was taken, by powers of two (as AFL does): versions that share a
 *    branch share its ways.
 * 3. What a version says of its counters is hostile: parsed, bounded, and no more than a hint where to look. It never is a harm.
 */
import { createHash } from "node:crypto";
import type { AnyNode } from "../../sandbox/index.ts";
import type { Edit } from "../mutation/edit.ts";
import { applyEdits } from "../mutation/edit.ts";
import { isFunction, isLoop, readProgram } from "../mutation/program.ts";

/** A version with counters. */
export interface Branched {
  readonly code: string;
  /** The list of counts, as the code calls it. */
  readonly name: string;
  /** For each counter, what its branch is called: whole numbers below 2^48. */
  readonly branches: readonly number[];
}

/** Counters of one version: each is a number in every answer. */
const BRANCHES_MAX = 500;
/** Text of a branch that goes into its name: nested branches would be read again and again. */
const NAMED_UNITS = 200;
/** Buckets of counts: 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more. */
const BUCKETS: readonly number[] = [1, 2, 3, 4, 8, 16, 32, 128];

/** Puts counters in; without any where the text does not parse. */
export function branched(text: string): Branched {
  const read = readProgram(text);
  const code = read?.code ?? text;
  const nodes = (read?.sites ?? []).flatMap(({ node }) => partsOf(node)).slice(0, BRANCHES_MAX);
  const name = unusedName(code);
  const edits = nodes.map((node, index) => editsAt(node, `${name}[${index}]++`));
  const befores = edits.map(({ before }) => before);
  // The inner ones end first.
  const behinds = edits.toReversed().flatMap(({ behind }) => behind);
  const seen = new Map<string, number>();
  const branches = nodes.map(({ start, end }) => {
    const words = `${end - start} ${code.slice(start, Math.min(end, start + NAMED_UNITS))}`;
    const nth = (seen.get(words) ?? 0) + 1;
    seen.set(words, nth);
    return Number.parseInt(createHash("sha256").update(`${nth} ${words}`).digest("hex").slice(0, 12), 16);
  });
  const list = `const ${name}=[${branches.map(() => "0").join()}];`;
  return { code: list + applyEdits(code, [...befores, ...behinds]), name, branches };
}

/** The ways that counts tell of. `counts` comes from a version: what is no such list tells of none. */
export function waysIn(counts: unknown, branches: readonly number[]): readonly number[] {
  if (!Array.isArray(counts) || counts.length !== branches.length) return [];
  const list: readonly unknown[] = counts;
  return branches.flatMap((branch, index) => {
    const count = list[index];
    if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 1) return [];
    return [branch * BUCKETS.length + BUCKETS.findLastIndex((least) => count >= least)];
  });
}

/** What is entered or not, below a node: statements, and expressions. */
function partsOf(node: AnyNode): readonly AnyNode[] {
  if (isFunction(node) && "body" in node) return [node.body as AnyNode]; // a block, or the expression of an arrow
  if (isLoop(node) && "body" in node) return [node.body as AnyNode]; // a statement
  switch (node.type) {
    case "IfStatement":
    case "ConditionalExpression":
      return [node.consequent, ...(node.alternate ? [node.alternate] : [])];
    case "LogicalExpression":
      return [node.right];
    case "AssignmentExpression":
      return ["??=", "||=", "&&="].includes(node.operator) ? [node.right] : [];
    case "SwitchCase":
      return node.consequent.slice(0, 1);
    case "CatchClause":
      return [node.body];
    default:
      return [];
  }
}

function editsAt(node: AnyNode, count: string): { readonly before: Edit; readonly behind: readonly Edit[] } {
  const { start, end } = node;
  if (node.type === "BlockStatement") {
    const at = startOf(node.body, start + 1);
    return { before: { start: at, end: at, text: `;${count};` }, behind: [] };
  }
  // The first statement behind `case`: what it declares is seen by the others.
  if (node.type.endsWith("Declaration")) return { before: { start, end: start, text: `${count};` }, behind: [] };
  const [open, close] = node.type.endsWith("Statement") ? [`{${count};`, "}"] : [`(${count},`, ")"];
  return { before: { start, end: start, text: open }, behind: [{ start: end, end, text: close }] };
}

/** Behind "use strict" and its like, which count only where they come first. */
function startOf(statements: readonly AnyNode[], first: number): number {
  let at = first;
  for (const statement of statements) {
    if (statement.type !== "ExpressionStatement" || statement.directive === undefined) break;
    at = statement.end;
  }
  return at;
}

function unusedName(code: string): string {
  for (let suffix = 0; ; suffix++) if (!code.includes(`$b${suffix}`)) return `$b${suffix}`;
}
