/**
 * What the evidence says now: fail, pass, void or open, with every value beside its threshold. Pure.
 *
 * pass needs all of: no harm, failures proved below the margin, CPU time proved below its limit; and where answers are judged
 * a proved gain: in fitness (E >= 2K/alpha), or in CPU time (at alpha/2K) with no loss of fitness. Two ways, half of alpha each.
 */
import type { EvidenceLine } from "../decision.ts";
import type { VerdictCode } from "../errors.ts";
import type { Evidence, Immediate } from "./guard-rails.ts";
import { FITNESS_MARGIN } from "./settings.ts";
import type { EvidenceSettings } from "./settings.ts";
import { logFitnessEvidence, meanGain, shrunkGain } from "../statistics/fitness.ts";
import type { HarmState } from "../statistics/harm.ts";
import { logHarmEvidence } from "../statistics/harm.ts";
import { LOG_RATIO_PAIRS_MIN, logRatioBounds } from "../statistics/log-ratio.ts";
import { noHarmInterval } from "../statistics/no-harm.ts";

/** Share of turns that the control may fail to repeat, or that may fall out, before the measurement is worth nothing. */
const NOISE_SHARE_MAX = 0.05;
/** And never for fewer turns than these: one of ten is no noise level. */
const NOISE_TURNS_MIN = 3;
/** Pairs after which noise ends a measurement that goes on. */
const NOISE_PAIRS_MIN = 100;

/** What the evidence says. */
export interface Conclusion {
  readonly verdict: "fail" | "pass" | "open" | "void";
  readonly reason: string;
  readonly code?: VerdictCode;
  readonly difference?: Immediate["difference"];
  /** Every value that was weighed. */
  readonly lines: readonly EvidenceLine[];
  /** Better in fitness, or cheaper without being worse; of evidence that knows a fitness. */
  readonly hasGain: boolean;
  /** Counts. */
  readonly figures: Readonly<Record<string, number>>;
}

interface Judged {
  readonly line: EvidenceLine;
  /** What harm on this line is called. */
  readonly code: VerdictCode;
  /** Without it nothing passes. */
  readonly isNeeded: boolean;
}

/** Concludes. `isOver`: no more pairs will come, so noise is judged however few there were. */
export function concludeEvidence(evidence: Evidence, { isOver }: { readonly isOver: boolean }): Conclusion {
  const judged = judgedLines(evidence);
  const lines = judged.map(({ line }) => line);
  const shown = { lines, hasGain: isBetter(lines), figures: figuresOf(evidence) };
  const { immediate, heapHarm } = evidence;
  const broken = whatIsBroken(evidence, isOver);
  if (evidence.userFault !== undefined) return { verdict: "void", reason: evidence.userFault, ...shown };
  if (immediate !== undefined) return { verdict: "fail", ...immediate, ...shown };
  if (broken !== undefined) return { verdict: "void", ...broken, ...shown };
  if (heapHarm !== undefined) return { verdict: "fail", reason: heapHarm, code: "EVOLUTION_MEMORY", ...shown };
  const harm = judged.find(({ line }) => line.says === "harm");
  if (harm !== undefined) {
    const { difference } = evidence;
    const side = difference === undefined ? {} : { difference };
    return { verdict: "fail", reason: harm.line.text, code: harm.code, ...side, ...shown };
  }
  const open = judged.filter(({ line, isNeeded }) => isNeeded && line.says === "open").map(({ line }) => line);
  if (open.length > 0) return { verdict: "open", reason: open.map(({ text }) => text).join("; "), ...shown };
  if (evidence.settings.answers === "judged" && !shown.hasGain)
    return { verdict: "open", reason: "no gain is proved, neither in fitness nor in CPU time", ...shown };
  return { verdict: "pass", reason: passReason(evidence, lines), ...shown };
}

/** The measurement itself, judged by its control (A/A) and by what fell out. */
function whatIsBroken(
  { settings, broken, pairs, voids, noise }: Evidence,
  isOver: boolean,
): { readonly reason: string; readonly code?: VerdictCode } | undefined {
  if (logHarmEvidence(broken) >= Math.log(1 / settings.harmAlpha)) {
    const { shadowOnly } = broken;
    const reason = `the running version's own shadow failed ${shadowOnly} turns that were answered live: the measurement is broken`;
    return { reason, code: "EVOLUTION_MEASUREMENT_BROKEN" };
  }
  if (!isOver && pairs < NOISE_PAIRS_MIN) return undefined;
  if (isTooMuch(noise, pairs))
    return { reason: `the running version itself repeats only ${pairs - noise} of ${pairs} turns` };
  if (isTooMuch(voids, pairs + voids))
    return { reason: `${voids} of ${pairs + voids} turns fell out because the machine failed them` };
  return undefined;
}

function isTooMuch(count: number, of: number): boolean {
  return count >= Math.min(NOISE_TURNS_MIN, of) && count > of * NOISE_SHARE_MAX;
}

function judgedLines(evidence: Evidence): readonly Judged[] {
  const { failures, effects, slow, settings } = evidence;
  const harm = (name: string, state: HarmState, what: string, code: VerdictCode): Judged => ({
    line: harmLine({ name, state, what, pairs: evidence.pairs, harmAlpha: settings.harmAlpha }),
    code,
    isNeeded: false,
  });
  return [
    harm("failures", failures, "failed", "EVOLUTION_HARM"),
    harm("effects", effects, "had other effects than the live agent", "EVOLUTION_HARM"),
    harm("slow", slow.harm, "was slower than nearly all turns of the running version", "EVOLUTION_TOO_SLOW"),
    { line: noHarmLine(evidence), code: "EVOLUTION_HARM", isNeeded: true },
    { line: cpuLine(evidence), code: "EVOLUTION_TOO_SLOW", isNeeded: true },
    ...fitnessLines(evidence).map((line) => ({ line, code: "EVOLUTION_HARM" as const, isNeeded: false })),
  ];
}

function harmLine(given: {
  readonly name: string;
  readonly state: HarmState;
  readonly what: string;
  readonly pairs: number;
  readonly harmAlpha: number;
}): EvidenceLine {
  const { name, state, what, pairs, harmAlpha } = given;
  const value = logHarmEvidence(state);
  const threshold = Math.log(1 / harmAlpha);
  const { shadowOnly, championOnly } = state;
  const says = value >= threshold ? "harm" : "open";
  const text = `only the candidate ${what} in ${turns(shadowOnly)}, only the running version in ${championOnly}: ln E ${round(value)} of ${round(threshold)}`;
  return { name, pairs, value, threshold, says, text };
}

/** Which proof acquits, and which accuses, was chosen before the first pair: docs/adr/0029. */
function noHarmLine({ failureRise, harmless, settings }: Evidence): EvidenceLine {
  const { low, mean, pairs } = noHarmInterval(failureRise, settings.harmAlpha);
  const value = logFitnessEvidence(harmless);
  const threshold = Math.log(1 / settings.alpha);
  const text = `it fails ${points(mean)} points more often; that this is less than ${points(settings.marginPoints)} is shown by ln E ${round(value)} of ${round(threshold)}`;
  const says = low > 0 ? "harm" : value >= threshold ? "no harm" : "open";
  return { name: "no harm", pairs, value, threshold, says, text };
}

function cpuLine({ cpu, settings }: Evidence): EvidenceLine {
  const { cpuRatioMax: threshold, alpha, harmAlpha } = settings;
  const { mean, pairs } = logRatioBounds(cpu, alpha);
  const least = Math.exp(mean - logRatioBounds(cpu, harmAlpha).halfWidth);
  const most = Math.exp(mean + logRatioBounds(cpu, alpha).halfWidth);
  const mostOfMany = Math.exp(mean + logRatioBounds(cpu, gainAlpha(settings)).halfWidth);
  const ratio = pairs === 0 ? 1 : Math.exp(mean);
  const bound =
    pairs < LOG_RATIO_PAIRS_MIN
      ? `needs ${LOG_RATIO_PAIRS_MIN} pairs, has ${pairs}`
      : `from ${round(least)} to ${round(most)}`;
  const text = `${round(ratio)} times the CPU time (${bound}); ${threshold} is allowed`;
  const says = least > threshold ? "harm" : mostOfMany < 1 ? "gain" : most < threshold ? "no harm" : "open";
  return { name: "cpu", pairs, value: ratio, threshold, says, text };
}

function fitnessLines(evidence: Evidence): readonly EvidenceLine[] {
  const { fitness, fitnessLoss, fitnessKept, settings } = evidence;
  if (fitness === undefined) return [];
  const value = logFitnessEvidence(fitness);
  const threshold = Math.log(1 / gainAlpha(settings));
  const { low, pairs } = noHarmInterval(fitnessLoss, settings.harmAlpha);
  const kept = logFitnessEvidence(fitnessKept);
  const keptMin = Math.log(WAYS / settings.alpha);
  return [
    {
      name: "fitness",
      pairs,
      value,
      threshold,
      says: value >= threshold ? "gain" : low > 0 ? "harm" : "open",
      text: `fitness changes by ${round(meanGain(fitness), 4)} (${round(shrunkGain(fitness), 4)} without luck): ln E ${round(value)} of ${round(threshold)}`,
    },
    {
      name: "fitness loss",
      pairs,
      value: kept,
      threshold: keptMin,
      says: kept >= keptMin ? "no harm" : "open",
      text: `that fitness falls by less than ${FITNESS_MARGIN} is shown by ln E ${round(kept)} of ${round(keptMin)}`,
    },
  ];
}

/** To a gain: better in fitness, or cheaper without being worse. Who may take either has half of alpha for each. */
const WAYS = 2;

/** The error limit of one way to a gain, for the best of so many candidates. */
function gainAlpha({ alpha, candidatesTried }: EvidenceSettings): number {
  return alpha / (WAYS * candidatesTried);
}

/** Better in fitness, or cheaper without being worse. */
function isBetter(lines: readonly EvidenceLine[]): boolean {
  const says = (name: string): string | undefined => lines.find((line) => line.name === name)?.says;
  return says("fitness") === "gain" || (says("fitness loss") === "no harm" && says("cpu") === "gain");
}

function passReason({ pairs, settings, differing, fitness }: Evidence, lines: readonly EvidenceLine[]): string {
  const cpu = lines.find(({ name }) => name === "cpu")?.value ?? 1;
  const answers =
    settings.answers === "equal" || fitness === undefined
      ? `${pairs} turns answered alike`
      : `${pairs} turns, ${differing} answered otherwise, fitness up by ${round(shrunkGain(fitness), 4)}`;
  return `${answers}, at ${round(cpu)} times the CPU time`;
}

function figuresOf(evidence: Evidence): Readonly<Record<string, number>> {
  const { pairs, voids, noise, differing, cpu, crashes, fitness } = evidence;
  return {
    pairs,
    noise,
    differing,
    voids,
    crashes,
    cpuRatio: Math.exp(cpu.mean),
    ...(fitness === undefined ? {} : { fitnessGain: meanGain(fitness) }),
  };
}

function turns(count: number): string {
  return count === 1 ? "1 turn" : `${count} turns`;
}

function points(share: number): string {
  return (share * 100).toFixed(1);
}

function round(value: number, digits = 2): string {
  return value.toFixed(digits);
}
