/**
 * The ramp: how a candidate's share of live answers grows, step by step, and when it is taken away. Pure.
 *
 *   step 1 -> step 2 -> … -> done         up: enough own requests in this step, no sign of harm, fitness not falling
 *        \\------ any harm ------> back    stuck: a sign that neither grows into harm nor goes away
 */

/** Where a ramp stands. */
export interface Ramp {
  /** Index of the step. */
  readonly step: number;
  /** Requests that the candidate answered, or should have, in this step. */
  readonly own: number;
}

/** What is known at a look. */
export interface RampSigns {
  /** Natural logarithm of the evidence for harm; 0 says nothing. */
  readonly logHarm: number;
  /** Evidence at which the candidate is taken back: ln(1 / harmAlpha). */
  readonly logHarmMax: number;
  /** A latency or fitness that is neither proven worse nor harmless leans to the bad side. */
  readonly isLeaning: boolean;
}

/** The rules of a ramp. */
export interface RampRules {
  readonly steps: readonly number[];
  /** Own requests a step takes at the least. */
  readonly turnsMin: number;
}

/** What to do next. */
export type RampMove = "stay" | "up" | "done" | "back" | "stuck";

/** A step that waits for a sign to go away gives up after this many times its own requests. */
const PATIENCE = 5;

/** A ramp at its first step. */
export const bottom: Ramp = { step: 0, own: 0 };

/** Decides after each of the candidate's requests. */
export function nextMove(ramp: Ramp, signs: RampSigns, { steps, turnsMin }: RampRules): RampMove {
  if (signs.logHarm >= signs.logHarmMax) return "back";
  if (ramp.own < turnsMin) return "stay";
  const isOpen = signs.logHarm > signs.logHarmMax / 2 || signs.isLeaning; // half-way, on the scale on which evidence adds up
  if (isOpen) return ramp.own >= turnsMin * PATIENCE ? "stuck" : "stay";
  return ramp.step + 1 < steps.length ? "up" : "done";
}

/** One more request of the candidate's own. */
export function counted({ step, own }: Ramp): Ramp {
  return { step, own: own + 1 };
}

/** The next step, from its beginning. */
export function raised({ step }: Ramp): Ramp {
  return { step: step + 1, own: 0 };
}

/** The share at a step; the last one's beyond the end. */
export function shareAt({ step }: Ramp, { steps }: RampRules): number {
  return steps[Math.min(step, steps.length - 1)] ?? 0;
}
