/** Tries one program on cases: what it answered, how good that is, and a mark by which equal behaviour is recognised. */
import { createHash } from "node:crypto";
import type { CallOutcome, ProgramRunner } from "../../population/program-runner.ts";
import type { RepairCase } from "./assertions.ts";
import { gradeOf } from "./grade.ts";
import { valueText } from "./value-text.ts";

/** What became of a program on some cases. */
export interface TrialResult {
  /** Per case, 0 to 1; 1 is passed. */
  readonly grades: readonly number[];
  readonly passed: number;
  /** Equal for programs that answered alike. */
  readonly signature: string;
  /** Steps of each call. */
  readonly fuelUsed: readonly number[];
}

/** Steps of one call of a program that nothing is known of; a core takes them in some ten milliseconds. */
export const FUEL_MAX = 1_000_000;
/** Steps that every candidate has: a loop over all numbers up to a few thousand. */
const FUEL_LEAST = 10_000;
/** A candidate may need so many times what the given program needs, where that is little and where it is much. */
const FUEL_TIMES = { little: 20, much: 4 } as const;

/**
 * Steps of one call for the neighbours of a program whose calls took so many. A text that grows with each step costs the square of
 * the steps, so what never ends should not have many more than what ends.
 */
export function fuelFor(used: readonly number[]): number {
  const most = Math.max(0, ...used.filter((steps) => steps < FUEL_MAX));
  return Math.min(
    FUEL_MAX,
    FUEL_LEAST + Math.max(FUEL_TIMES.little * Math.min(most, FUEL_LEAST), FUEL_TIMES.much * most),
  );
}

/** Runs the cases. Rejects when the runner is broken or the signal aborts. */
export async function tryProgram(
  runner: ProgramRunner,
  program: { readonly text: string; readonly entry: string },
  cases: readonly RepairCase[],
  options: { readonly fuel: number; readonly signal: AbortSignal },
): Promise<TrialResult> {
  if (cases.length === 0) return { grades: [], passed: 0, signature: "", fuelUsed: [] };
  const run = await runner.run(
    program,
    cases.map(({ args }) => args),
    options,
  );
  const grades = cases.map((test, index) => gradeOf(test, run.outcomes[index] ?? { kind: "fuel" }));
  return {
    grades,
    passed: grades.filter((grade) => grade === 1).length,
    signature: signatureOf(run.outcomes),
    fuelUsed: run.fuelUsed,
  };
}

/** A hash of what was answered; `threw` counts as one answer, whatever was said. */
export function signatureOf(outcomes: readonly CallOutcome[]): string {
  const hash = createHash("sha256");
  for (const outcome of outcomes) {
    hash.update(outcome.kind);
    if (outcome.kind === "returned") hash.update(valueText(outcome.value));
    hash.update("\n");
  }
  return hash.digest("base64url").slice(0, 16);
}
