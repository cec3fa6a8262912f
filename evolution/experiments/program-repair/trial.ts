/** Tries one program on cases: what it answered, how good that is, and a mark by which equal behaviour is recognised. */
import type { ProgramRunner } from "../../population/program-runner.ts";
import type { RepairCase } from "./assertions.ts";
import { gradeOf } from "./grade.ts";
import type { ScriptTest } from "./script-test.ts";
import { signatureOf } from "./signature.ts";

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

/** What a program is tried on. */
export interface RepairTests {
  readonly cases: readonly RepairCase[];
  /** A test that is a program itself: one grade more, behind those of the cases. */
  readonly script?: ScriptTest | undefined;
}

/** Runs the cases, and the script. Rejects when the runner is broken or the signal aborts. */
export async function tryProgram(
  runner: ProgramRunner,
  program: { readonly text: string; readonly entry: string },
  { cases, script }: RepairTests,
  options: { readonly fuel: number; readonly signal: AbortSignal },
): Promise<TrialResult> {
  const calls = cases.map(({ args }) => args);
  const { outcomes, fuelUsed } = calls.length === 0 ? NOTHING : await runner.run(program, calls, options);
  const grades = cases.map((test, index) => gradeOf(test, outcomes[index] ?? { kind: "fuel" }));
  if (script !== undefined) grades.push(await script.play(runner, program.text, options));
  const signature = `${signatureOf(outcomes)} ${script === undefined ? "" : grades.at(-1)}`;
  return { grades, passed: grades.filter((grade) => grade === 1).length, signature, fuelUsed };
}

const NOTHING = { outcomes: [], fuelUsed: [] } as const;
