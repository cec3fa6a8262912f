/**
 * The problem as the engine sees it: programs that say what bins are worth, judged on instances that were drawn for it.
 *
 * A program is asked for all its worths at once, before any packing, and never sees an item. The packing is done here, from the numbers it
 * gave: a program can neither look ahead nor report a packing that is none.
 */
import type { CallOutcome } from "../../population/program-runner.ts";
import type { Case, Problem, TextRange } from "../../population/problem.ts";
import { binsOf, DEPTH, excessPercent, worthCount, type Instance, type Worths } from "./packer.ts";

/** Instances for a search and for a look at what it found. */
export interface Sets {
  readonly name: string;
  readonly capacity: number;
  /** One list for each case. */
  readonly search: readonly (readonly Instance[])[];
  readonly held: readonly (readonly Instance[])[];
}

const ENTRY = "rule";

/** The problem of these sets. */
export function packingProblem({ name, capacity, search, held }: Sets): Problem {
  const cases = casesOf("search", search.length, capacity);
  const heldCases = casesOf("held", held.length, capacity);
  const instances = new Map([...pairs(cases, search), ...pairs(heldCases, held)]);
  const seed = seedProgram(capacity);
  return {
    name,
    seeds: [seed],
    entry: ENTRY,
    cases,
    held: heldCases,
    score: ({ id }, outcome) => scoreOf(instances.get(id) ?? [], worthsIn(outcome, capacity)),
    evolvable: [evolvableOf(seed)],
  };
}

function casesOf(name: string, count: number, capacity: number): readonly Case[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${name} ${at}`, args: [capacity, DEPTH] }));
}

function pairs(cases: readonly Case[], lists: readonly (readonly Instance[])[]): [string, readonly Instance[]][] {
  return cases.map(({ id }, at) => [id, lists[at] ?? []]);
}

/** 1 for no bin over the lower bound, a half for 1 % over it. */
function scoreOf(instances: readonly Instance[], worths: Worths | undefined): number {
  if (worths === undefined) return 0;
  const excess = excessPercent(
    instances,
    instances.map((instance) => binsOf(instance, worths)),
  );
  return 1 / (1 + excess);
}

/** The worths that a call returned; undefined where it returned anything else. */
export function worthsIn(outcome: CallOutcome, capacity: number): Worths | undefined {
  if (outcome.kind !== "returned" || !Array.isArray(outcome.value)) return undefined;
  const { value } = outcome;
  if (value.length !== worthCount(capacity) || !value.every((each) => Number.isFinite(each))) return undefined;
  return Float64Array.from(value);
}

const FIXED = `
export function ${ENTRY}(capacity, depth) {
  const worths = [];
  for (let residual = 0; residual <= capacity; residual++)
    for (let count = 1; count <= depth; count++) worths.push(worth(residual, count));
  return worths;
}
`;

/** Best fit, written with tables: what a bin of each residual is worth, and how much less each further one of the same residual. */
export function seedProgram(capacity: number): string {
  const base = Array.from({ length: capacity + 1 }, (_, residual) =>
    Number(((16 * residual * (residual - capacity)) / capacity ** 2).toFixed(3)),
  );
  const crowd = base.map(() => 0);
  return `const base = [${base.join(", ")}];
const crowd = [${crowd.join(", ")}];
export function worth(residual, count) {
  return base[residual] - crowd[residual] * count;
}
${FIXED}`;
}

function evolvableOf(text: string): TextRange {
  return { start: 0, end: text.length - FIXED.length };
}
