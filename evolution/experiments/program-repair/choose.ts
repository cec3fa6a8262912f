/**
 * Which of several patches that pass what may be seen is handed in. Nobody asks the hidden tests here.
 *
 *     passing patches --made-up inputs--> groups that answer alike --weights added up--> the likeliest group, its likeliest patch
 *
 * A repair can be written in many ways, an accident in few: so weights are added within a group. What throws, never ends or answers
 * in another kind than the examples on inputs like theirs counts less, and so does what hardly looks at its input
 * or never enters its loops; what answers like the program with its bug is none.
 */
import { seededRandom } from "../../../runtime/index.ts";
import type { ProgramRun, ProgramRunner } from "../../population/program-runner.ts";
import { inputsLike } from "./inputs.ts";
import type { Patch } from "./pool.ts";
import type { RepairProblem } from "./program.ts";
import { signatureOf } from "./signature.ts";

/** Made-up inputs. */
const INPUTS = 24;
/** Steps of one call: inputs are small, and who needs more on them is no better than who never ends. */
const COMPARED_FUEL = 50_000;
/** Passing patches that are compared, the likeliest. */
const COMPARED_MAX = 64;
/** What is left of a patch's weight for each input on which it misbehaves, times the share of these inputs. */
const MISBEHAVED = 0.1;

/** A patch, with what it answers on made-up inputs. */
interface Compared {
  readonly patch: Patch;
  readonly signature: string;
  /** Share of the inputs on which it throws, never ends, or answers in another kind. */
  readonly misbehaved: number;
  /** Different answers. */
  readonly answers: number;
  /** Share of its functions and loops that ran at all. */
  readonly exercised: number;
}

/** The most plausible patch; `undefined` where there is none. Runs each candidate once. */
export async function choosePatch(
  runner: ProgramRunner,
  problem: RepairProblem,
  passing: readonly Patch[],
  options: { readonly seed: number; readonly signal: AbortSignal },
): Promise<{ readonly patch: Patch | undefined; readonly evaluations: number }> {
  const likely = passing.toSorted((a, b) => b.weight - a.weight).slice(0, COMPARED_MAX);
  if (likely.length < 2) return { patch: likely[0], evaluations: 0 };
  const given = problem.guiding.cases.map(({ args }) => args);
  const inputs = inputsLike(given, INPUTS, seededRandom(options.seed));
  const calls = [...given, ...inputs];
  const kinds = new Set(
    problem.guiding.cases.flatMap(({ expected }) => (expected === undefined ? [] : [kindOf(expected.value)])),
  );
  const limits = { fuel: COMPARED_FUEL, signal: options.signal };
  const run = async (text: string): Promise<ProgramRun> =>
    await runner.run({ text, entry: problem.entry }, calls, limits);
  const original = await run(problem.text);
  const runs = await Promise.all(likely.map(async (patch) => ({ patch, run: await run(patch.text) })));
  const unchanged = signatureOf(original.outcomes);
  const compared = runs.map(({ patch, run }) => comparedOf(patch, run, given.length, kinds));
  const changed = compared.filter(({ signature }) => signature !== unchanged);
  return { patch: likeliest(changed.length > 0 ? changed : compared), evaluations: likely.length + 1 };
}

function comparedOf(
  patch: Patch,
  { outcomes, coverage }: ProgramRun,
  given: number,
  kinds: ReadonlySet<string>,
): Compared {
  const onInputs = outcomes.slice(given);
  const bad = onInputs.filter(
    (outcome) => outcome.kind !== "returned" || (kinds.size > 0 && !kinds.has(kindOf(outcome.value))),
  );
  return {
    patch,
    signature: signatureOf(outcomes),
    misbehaved: bad.length / Math.max(1, onInputs.length),
    answers: new Set(outcomes.map((outcome) => signatureOf([outcome]))).size,
    exercised: coverage === undefined || coverage.length === 0 ? 1 : coverage.filter(Boolean).length / coverage.length,
  };
}

/** The likeliest patch of the group that is likeliest as a whole. Pure. */
export function likeliest(compared: readonly Compared[]): Patch | undefined {
  const most = Math.max(1, ...compared.map(({ answers }) => answers));
  const worth = ({ patch, misbehaved, answers, exercised }: Compared): number =>
    patch.weight * MISBEHAVED ** (2 * misbehaved) * (answers / most) ** 2 * exercised ** 2;
  const groups = new Map<string, number>();
  for (const each of compared) groups.set(each.signature, (groups.get(each.signature) ?? 0) + worth(each));
  const ranked = compared.toSorted(
    (a, b) => (groups.get(b.signature) ?? 0) - (groups.get(a.signature) ?? 0) || worth(b) - worth(a),
  );
  return ranked[0]?.patch;
}

function kindOf(value: unknown): string {
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : "number";
  return Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
}
