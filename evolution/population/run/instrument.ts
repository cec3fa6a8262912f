/**
 * Counters in a program: one at each place that code must pass to go on for ever. They end what never ends, at the same place on
 * every machine, and tell which parts ran.
 *
 *     function f(x) { … }     function f(x) {F--<1&&X();C[0]++; … }
 *     x => x + 1              x => (F--<1&&X(),C[1]++,x + 1)
 *     while (a) b();          while (a) {F--<1&&X();C[2]++;b();}
 *
 * Invariants
 * 1. One pass over acorn's tree, in a time that goes with the length of the text; edits only, so lines stay lines.
 * 2. Every function, every turn of a loop, every `catch`, `finally` and `static` block begins with a counter. Once the fuel is
 *    out each further counter throws as well, so nothing that catches the signal gets far.
 * 3. No name in the program is one of ours, however it is spelled, and isolates for programs have no `eval`: the counters are out
 *    of its reach.
 */
import type { AnyNode } from "../../../sandbox/index.ts";
import { childrenOf, PROGRAM_COUNTERS_MAX } from "../../../sandbox/index.ts";
import type { TextRange } from "../problem.ts";
import { branchesAt } from "./branches.ts";
import type { Edit } from "../../mutation/edit.ts";
import { applyEdits } from "../../mutation/edit.ts";
import { readCode } from "../../mutation/program.ts";
import { exportEdits } from "./exports.ts";

/** The names that the counters use, none of which the program has. */
export interface CounterNames {
  /** What is left of the fuel. */
  readonly fuel: string;
  /** Stops the program. */
  readonly stop: string;
  /** How often each counter was passed. */
  readonly counts: string;
}

/** A program with counters: statements, without exports and types. */
export interface Instrumented {
  readonly code: string;
  readonly counters: number;
  /** What each counter counts: a function, a turn of a loop, a way that was taken; in the text as it was given. */
  readonly blocks: readonly TextRange[];
  readonly names: CounterNames;
}

/** Why a text is no program. */
export interface Unfit {
  readonly reason: string;
}

/** UTF-16 units of a program's text. */
export const PROGRAM_UNITS_MAX = 262_144;

/**
 * Puts the counters in. A text that is no program, or imports one, says why. `isDetailed`: branches are counted as well, and cost no
 * fuel.
 */
export function instrument(text: string, isDetailed?: boolean): Instrumented | Unfit {
  if (text.length > PROGRAM_UNITS_MAX) return { reason: `it is longer than ${PROGRAM_UNITS_MAX} characters` };
  const read = readCode(text);
  // Types are blanked, so lengths are equal.
  if (read?.code.length !== text.length) return { reason: "it does not parse" };
  const { code, program } = read;
  const found = placesIn(program, code, isDetailed === true);
  if (found.unfit !== undefined) return { reason: found.unfit };
  if (found.places.length > PROGRAM_COUNTERS_MAX) return { reason: "it has too many functions and loops" };
  const names = unusedNames(found.names);
  const counters = found.places.map((place, index) => counterEdits(place, partsOf(place, names, index)));
  const befores = counters.map(({ before }) => before);
  // The inner ones end first.
  const behinds = counters.toReversed().flatMap(({ behind }) => behind);
  return {
    code: applyEdits(code, [...found.edits, ...befores, ...behinds]),
    counters: found.places.length,
    blocks: found.places.map(({ of: { start, end } }) => ({ start, end })),
    names,
  };
}

/** Where a counter goes: in front of a statement, around one that is not in a block, or around an expression. */
export interface Place {
  readonly kind: "statement" | "block" | "expression";
  readonly start: number;
  readonly end: number;
  /** What is counted. */
  readonly of: TextRange;
  /** It costs no fuel. */
  readonly isFree?: boolean;
}

interface Found {
  readonly places: Place[];
  readonly edits: Edit[];
  readonly names: Set<string>;
  unfit?: string;
}

function placesIn(program: AnyNode, code: string, isDetailed: boolean): Found {
  const found: Found = { places: [], edits: [], names: new Set() };
  // A stack of our own: a program may be nested deeper than calls may be.
  const stack: AnyNode[] = [program];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === "Identifier") found.names.add(node.name);
    const place = placeIn(node);
    if (place !== undefined) found.places.push(place);
    if (isDetailed) found.places.push(...branchesAt(node));
    const exported = exportEdits(node, code);
    if ("unfit" in exported) found.unfit = exported.unfit;
    else found.edits.push(...exported.edits);
    for (const [, child] of childrenOf(node)) stack.push(child);
  }
  // In the order of the text, which the stack is not.
  found.places.sort((a, b) => a.start - b.start || b.end - a.end);
  return found;
}

function placeIn(node: AnyNode): Place | undefined {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
      return atStartOf(node.body.body, node.body.start, node);
    case "ArrowFunctionExpression":
      if (node.body.type === "BlockStatement") return atStartOf(node.body.body, node.body.start, node);
      return { kind: "expression", start: node.body.start, end: node.body.end, of: node };
    case "CatchClause":
      return atStartOf([], node.body.start, node.body);
    case "TryStatement":
      return node.finalizer ? atStartOf([], node.finalizer.start, node.finalizer) : undefined;
    case "StaticBlock":
      // `static` stands in front of its brace, with anything between them.
      return node.body[0] === undefined
        ? undefined
        : { kind: "statement", start: node.body[0].start, end: node.end, of: node };
    case "WhileStatement":
    case "DoWhileStatement":
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
      if (node.body.type === "BlockStatement") return atStartOf([], node.body.start, node.body);
      return { kind: "block", start: node.body.start, end: node.body.end, of: node.body };
    default:
      return undefined;
  }
}

/** Behind the brace, and behind what must come first: "use strict" counts only there. */
function atStartOf(statements: readonly AnyNode[], brace: number, of: TextRange): Place {
  let at = brace + 1;
  for (const statement of statements) {
    if (statement.type !== "ExpressionStatement" || statement.directive === undefined) break;
    at = statement.end;
  }
  return { kind: "statement", start: at, end: at, of };
}

/** The parts of a counter: one that costs fuel checks it first. */
function partsOf({ isFree }: Place, names: CounterNames, index: number): readonly string[] {
  const count = `${names.counts}[${index}]++`;
  return isFree === true ? [count] : [`${names.fuel}--<1&&${names.stop}()`, count];
}

function counterEdits(
  { kind, start, end }: Place,
  parts: readonly string[],
): { readonly before: Edit; readonly behind: readonly Edit[] } {
  const around = (before: string, behind: string) => ({
    before: { start, end: start, text: before },
    behind: behind === "" ? [] : [{ start: end, end, text: behind }],
  });
  switch (kind) {
    case "statement":
      // The first semicolon ends a directive that has none.
      return around(`;${parts.join(";")};`, "");
    case "block":
      return around(`{${parts.join(";")};`, "}");
    case "expression":
      return around(`(${parts.join(",")},`, ")");
    default:
      return kind satisfies never;
  }
}

function unusedNames(used: ReadonlySet<string>): CounterNames {
  for (let suffix = 0; ; suffix++) {
    const names = { fuel: `$f${suffix}`, stop: `$x${suffix}`, counts: `$c${suffix}` };
    if (!Object.values(names).some((name) => used.has(name))) return names;
  }
}
