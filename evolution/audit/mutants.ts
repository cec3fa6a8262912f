/**
 * Operator mutants of the audited agent that are known to be harmful: each answers at least one hidden request differently where
 * answers must be exact, or routes worse. Whether it does is found by running it beside the original, on requests that the
 * audit's traffic never has, in a plain context of this process: the texts are our own, and a time limit ends what never ends.
 */
import { createContext, Script } from "node:vm";
import type { Random } from "../../runtime/index.ts";
import { seededRandom } from "../../runtime/index.ts";
import { applyEdits } from "../mutation/edit.ts";
import { changesOf } from "../mutation/operators.ts";
import { readProgram, withoutTypes } from "../mutation/program.ts";
import type { Candidate } from "./candidate.ts";
import { championSource } from "./champion.ts";
import type { AuditRequest } from "./requests.ts";
import { fitnessOf, requestAt } from "./requests.ts";

/** Requests by which a mutant is known. */
const HIDDEN_REQUESTS = 600;
/** Most are known by the first of them. */
const FIRST_REQUESTS = 60;
/** A stream that nothing else in the audit uses. */
const HIDDEN_SEED = 0x41d;
/** For all of them together, in ms. The original takes a tenth of it. */
const WITHIN_MS = 1_000;
/** Points of routing that a mutant must lose to be harmful for that alone. */
const POINTS_LOST = 0.02;

/** Whether a version of the audited agent is known to be harmful by the hidden requests. */
export function isHarmfulText(source: string): boolean {
  const right = answersOf(championSource, HIDDEN_REQUESTS);
  if (right === undefined) throw new Error("the audited agent does not answer");
  return isHarmful(right, answersOf(source, HIDDEN_REQUESTS));
}

/** `count` different harmful mutants, drawn by `seed`; fewer when there are no more. */
export function harmfulMutants(count: number, seed: number): readonly Candidate[] {
  const random = seededRandom(seed);
  const first = answersOf(championSource, FIRST_REQUESTS);
  const all = answersOf(championSource, HIDDEN_REQUESTS);
  if (first === undefined || all === undefined) throw new Error("the audited agent does not answer");
  const mutants: Candidate[] = [];
  for (const { source, operator } of drawn(random)) {
    if (mutants.length >= count) break;
    if (!isHarmful(first, answersOf(source, FIRST_REQUESTS)) && !isHarmful(all, answersOf(source, HIDDEN_REQUESTS)))
      continue;
    mutants.push({ id: `mutant-${mutants.length}`, family: "mutant", what: operator, isGood: false, source });
  }
  return mutants;
}

/** Single changes, the operators in turns, each one's changes in an order that chance gives. */
function* drawn(random: Random): Iterable<{ readonly source: string; readonly operator: string }> {
  const program = readProgram(championSource);
  if (program === undefined) throw new Error("the audited agent does not parse");
  const sources = new Map<string, { readonly operator: string; readonly order: number }>();
  for (const { operator, edits } of changesOf(program)) {
    sources.set(applyEdits(championSource, edits), { operator, order: random.next32() });
  }
  const mutants = [...sources].map(([source, { operator, order }]) => ({ source, operator, order }));
  const byOperator = [...Map.groupBy(mutants, ({ operator }) => operator).values()].map((group) =>
    group.toSorted((a, b) => a.order - b.order),
  );
  for (let round = 0; byOperator.some((group) => round < group.length); round++) {
    for (const group of byOperator) {
      const mutant = group[round];
      if (mutant !== undefined) yield mutant;
    }
  }
}

interface Answers {
  /** As text; what a request threw is its own kind of answer. */
  readonly exact: readonly string[];
  readonly fitness: number;
}

function isHarmful(right: Answers, mutant: Answers | undefined): boolean {
  if (mutant === undefined) return true; // it does not load, or never ends
  if (right.exact.length > FIRST_REQUESTS && mutant.fitness < right.fitness - POINTS_LOST) return true;
  return mutant.exact.some((answer, index) => answer !== right.exact[index]);
}

/** What an agent's text answers; `undefined` when it does not load or takes too long. */
function answersOf(source: string, count: number): Answers | undefined {
  const requests = Array.from({ length: count }, (_, index) => requestAt(HIDDEN_SEED, index));
  const replies = run(source, requests);
  if (replies === undefined) return undefined;
  const fitness = requests.map(({ method, argument }, index) => fitnessOf(method, argument, parsed(replies[index])));
  const judged = fitness.filter((value) => value !== undefined);
  return {
    exact: replies.filter((_, index) => fitness[index] === undefined),
    fitness: judged.reduce((sum, value) => sum + value, 0) / judged.length,
  };
}

function run(source: string, requests: readonly AuditRequest[]): readonly string[] | undefined {
  try {
    const text = withoutTypes(source)
      ?.replace(/^import .*$/m, "const agent = (definition) => definition;")
      .replace("export default", "const definition =");
    if (text === undefined) return undefined;
    const context = createContext({ requests: JSON.stringify(requests) });
    const replies: unknown = new Script(`${text};\n${DRIVER}`).runInContext(context, { timeout: WITHIN_MS });
    return JSON.parse(String(replies)) as readonly string[]; // made by the driver
  } catch (error) {
    if (isOfTheContext(error)) return undefined;
    throw error;
  }
}

/** Calls each handler on a state of its own; what it throws is an answer. A throw undoes what it wrote, as a turn would. */
const DRIVER = `(() => {
  let state = definition.state();
  return JSON.stringify(JSON.parse(requests).map(({ method, argument }) => {
    const handler = definition.on[method];
    const isWriting = typeof handler === "function";
    const before = isWriting ? JSON.stringify(state) : "";
    try {
      const reply = (isWriting ? handler : handler.handle)({ state }, argument ?? undefined);
      return JSON.stringify(reply ?? null) ?? "nothing that can be told";
    } catch (error) {
      if (isWriting) state = JSON.parse(before);
      return "threw " + error;
    }
  }));
})()`;

/** Errors of a context are instances of that context's own classes, or Node's word that time is over. */
function isOfTheContext(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  return error instanceof SyntaxError || (error as { readonly code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}

function parsed(reply: string | undefined): unknown {
  if (reply === undefined || !reply.startsWith("{")) return undefined;
  return JSON.parse(reply);
}
