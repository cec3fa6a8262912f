/** Runs random cases through real OTP and through `simulate`, until enough events are compared or two traces differ. */
import { simulate } from "../../runtime/supervision/simulate/simulate.ts";
import type { SimCase, Trace } from "./case.ts";
import { eventCount, firstDifference } from "./compare.ts";
import type { Difference } from "./compare.ts";
import { randomCase } from "./generate.ts";
import type { Reference } from "./reference.ts";
import { shrink } from "./shrink.ts";

/** Cases handed to erl at once. */
const CASES_AT_ONCE = 200;

/** What was compared so far. */
export interface Tally {
  readonly cases: number;
  readonly actions: number;
  readonly events: number;
  /** Cases in which OTP did as we do only when it was asked again; on a machine that is not starved there are none. */
  readonly unsteady: number;
}

/** Two traces of one case that differ, the case made as small as it gets. */
export interface Mismatch {
  readonly found: string;
  readonly smallest: SimCase;
  readonly otp: Trace;
  readonly difference: Difference;
}

/** How the comparison ended. */
export interface Outcome extends Tally {
  readonly mismatch: Mismatch | undefined;
}

/** How long and from where. */
export interface ComparisonOptions {
  readonly reference: Reference;
  readonly seed: number;
  readonly eventsMin: number;
  /** The first case; 0 unless a run is to be repeated from somewhere. */
  readonly firstNumber?: number;
  readonly onProgress?: (tally: Tally) => void;
}

/**
 * Compares until at least `eventsMin` events agreed, or until the first difference. A difference counts when it is there
 * twice: the reference waits a few real milliseconds for children that hang, and a machine that gives it no time to run
 * meanwhile has it kill others too.
 */
export async function compareWithOtp(options: ComparisonOptions): Promise<Outcome> {
  const { reference, seed, eventsMin, firstNumber = 0, onProgress } = options;
  let tally: Tally = { cases: 0, actions: 0, events: 0, unsteady: 0 };
  for (let first = firstNumber; tally.events < eventsMin; first += CASES_AT_ONCE) {
    const cases = Array.from({ length: CASES_AT_ONCE }, (_, index) =>
      randomCase({ seed, number: first + index, hasDynamic: reference.facts.dynamic }),
    );
    // One batch after the other: both sides are busy with it.
    const traces = await reference.run(cases);
    const different = cases.filter((one, index) => differenceOf(one, traces[index]) !== undefined);
    for (const one of different)
      if ((await compareCase(reference, one)) !== undefined)
        return { ...tally, mismatch: await smallestOf(reference, one) };
    tally = added(tally, traces);
    tally = { ...tally, unsteady: tally.unsteady + different.length };
    onProgress?.(tally);
  }
  return { ...tally, mismatch: undefined };
}

/** One case through both sides; undefined where they agree. */
export async function compareCase(reference: Reference, one: SimCase): Promise<Mismatch | undefined> {
  const [otp] = await reference.run([one]);
  const difference = differenceOf(one, otp);
  if (otp === undefined || difference === undefined) return undefined;
  return { found: one.id, smallest: one, otp, difference };
}

function differenceOf(one: SimCase, otp: Trace | undefined): Difference | undefined {
  const ours = simulate(one);
  if (otp === undefined || !("steps" in ours)) return { index: 0, otp: otp?.steps[0], ours: undefined };
  return firstDifference(one.kind, otp, ours);
}

async function smallestOf(reference: Reference, found: SimCase): Promise<Mismatch> {
  const smallest = await shrink(found, async (one) => (await compareCase(reference, one)) !== undefined);
  const mismatch = await compareCase(reference, smallest);
  if (mismatch === undefined) throw new Error(`case ${found.id} differs, and does not when it is run once more`);
  return { ...mismatch, found: found.id };
}

function added({ cases, actions, events, unsteady }: Tally, traces: readonly Trace[]): Tally {
  return {
    cases: cases + traces.length,
    actions: actions + traces.reduce((sum, { steps }) => sum + steps.length, 0),
    events: events + traces.reduce((sum, trace) => sum + eventCount(trace), 0),
    unsteady,
  };
}
