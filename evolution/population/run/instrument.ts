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
  readonly names: CounterNames;
}

/** Why a text is no program. */
export interface Unfit {
  readonly reason: string;
}

/** UTF-16 units of a program's text. */
export const PROGRAM_UNITS_MAX = 262_144;

/** Puts the counters in. A text that is no program, or imports one, says why. */
export function instrument(text: string): Instrumented | Unfit {
  if (text.length > PROGRAM_UNITS_MAX) return { reason: `it is longer than ${PROGRAM_UNITS_MAX} characters` };
  const read = readCode(text);
  // Types are blanked, so lengths are equal.
  if (read?.code.length !== text.length) return { reason: "it does not parse" };
  const { code, program } = read;
  const found = placesIn(program, code);
  if (found.unfit !== undefined) return { reason: found.unfit };
  if (found.places.length > PROGRAM_COUNTERS_MAX) return { reason: "it has too many functions and loops" };
  const names = unusedNames(found.names);
  const counters = found.places.map((place, index) => counterEdits(place, counterOf(names, index)));
  const befores = counters.map(({ before }) => before);
  // The inner ones end first.
  const behinds = counters.toReversed().flatMap(({ behind }) => behind);
  return {
    code: applyEdits(code, [...found.edits, ...befores, ...behinds]),
    counters: found.places.length,
    names,
  };
}

/** Where a counter goes: in front of a statement, around one that is not in a block, or around an expression. */
interface Place {
  readonly kind: "statement" | "block" | "expression";
  readonly start: number;
  readonly end: number;
}

interface Found {
  readonly places: Place[];
  readonly edits: Edit[];
  readonly names: Set<string>;
  unfit?: string;
}

function placesIn(program: AnyNode, code: string): Found {
  const found: Found = { places: [], edits: [], names: new Set() };
  // A stack of our own: a program may be nested deeper than calls may be.
  const stack: AnyNode[] = [program];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === "Identifier") found.names.add(node.name);
    const place = placeIn(node);
    if (place !== undefined) found.places.push(place);
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
      return atStartOf(node.body.body, node.body.start);
    case "ArrowFunctionExpression":
      if (node.body.type === "BlockStatement") return atStartOf(node.body.body, node.body.start);
      return { kind: "expression", start: node.body.start, end: node.body.end };
    case "CatchClause":
      return atStartOf([], node.body.start);
    case "TryStatement":
      return node.finalizer ? atStartOf([], node.finalizer.start) : undefined;
    case "StaticBlock":
      // `static` stands in front of its brace, with anything between them.
      return node.body[0] === undefined ? undefined : { kind: "statement", start: node.body[0].start, end: node.end };
    case "WhileStatement":
    case "DoWhileStatement":
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
      if (node.body.type === "BlockStatement") return atStartOf([], node.body.start);
      return { kind: "block", start: node.body.start, end: node.body.end };
    default:
      return undefined;
  }
}

/** Behind the brace, and behind what must come first: "use strict" counts only there. */
function atStartOf(statements: readonly AnyNode[], brace: number): Place {
  let at = brace + 1;
  for (const statement of statements) {
    if (statement.type !== "ExpressionStatement" || statement.directive === undefined) break;
    at = statement.end;
  }
  return { kind: "statement", start: at, end: at };
}

interface Counter {
  readonly check: string;
  readonly count: string;
}

function counterOf(names: CounterNames, index: number): Counter {
  return { check: `${names.fuel}--<1&&${names.stop}()`, count: `${names.counts}[${index}]++` };
}

function counterEdits(
  { kind, start, end }: Place,
  { check, count }: Counter,
): { readonly before: Edit; readonly behind: readonly Edit[] } {
  const around = (before: string, behind: string) => ({
    before: { start, end: start, text: before },
    behind: behind === "" ? [] : [{ start: end, end, text: behind }],
  });
  switch (kind) {
    case "statement":
      // The first semicolon ends a directive that has none.
      return around(`;${check};${count};`, "");
    case "block":
      return around(`{${check};${count};`, "}");
    case "expression":
      return around(`(${check},${count},`, ")");
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
