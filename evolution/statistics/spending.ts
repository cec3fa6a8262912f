/**
 * How much of alpha a trial may spend, over the life of an agent that tries one candidate after the other.
 *
 * 1. `strict`: alpha 6 / (pi^2 j^2) for the j-th trial. All trials together, without end, spend alpha at most
 *    (Euler's sum of 1/j^2), so one false promotion ever has probability at most alpha.
 * 2. `normal`: alpha for each trial: of the trials with a harmless claim, alpha go wrong, for ever.
 */
import { between, within } from "./range.ts";

/**
 * The error limit of the `trialNumber`-th trial (counted from 1) out of `alpha` (0 to 1, both excluded). RangeError
 * elsewhere.
 */
export function trialAlpha(alpha: number, trialNumber: number, mode: "normal" | "strict"): number {
  between("alpha", alpha, 0, 1);
  within("trialNumber", trialNumber, 1, Number.MAX_SAFE_INTEGER);
  if (!Number.isInteger(trialNumber)) throw new RangeError(`trialNumber is ${trialNumber}: it must be a whole number`);
  return mode === "strict" ? (alpha * 6) / (Math.PI * trialNumber) ** 2 : alpha;
}
