/**
 * What evidence is weighed by: the numbers of the options, after the spending of this trial, and the user's own functions.
 */
import { trialAlpha } from "../statistics/spending.ts";
import type { ParsedArbiterOptions } from "../options.ts";

/** Mean fitness that a candidate may lose where its gain lies elsewhere. */
export const FITNESS_MARGIN = 0.01;

/** The numbers and functions that pairs are weighed by. */
export interface EvidenceSettings extends Pick<
  ParsedArbiterOptions,
  "answers" | "harmAlpha" | "marginPoints" | "cpuRatioMax" | "fitness" | "isFailure" | "clean"
> {
  /** Chance of a wrong promotion in this one trial. */
  readonly alpha: number;
  /** K of e-BH: of how many candidates this one was chosen. */
  readonly candidatesTried: number;
  /** The isolate's heap limit, in bytes. */
  readonly heapBytesMax: number;
}

/** What `settingsOf` reads of a trial. */
export interface SettingsSource {
  readonly options: ParsedArbiterOptions;
  readonly number: number;
  readonly candidatesTried: number;
  readonly control: { readonly spec: { readonly limits: { readonly heapMb: number } } };
}

/** The settings of a trial. Pure. */
export function settingsOf({ options, number, candidatesTried, control }: SettingsSource): EvidenceSettings {
  const { answers, harmAlpha, marginPoints, cpuRatioMax, fitness, isFailure, clean } = options;
  return {
    answers,
    harmAlpha,
    marginPoints,
    cpuRatioMax,
    fitness,
    isFailure,
    clean,
    alpha: trialAlpha(options.alpha, Math.max(1, number), options.spending),
    candidatesTried,
    heapBytesMax: control.spec.limits.heapMb * 2 ** 20,
  };
}
