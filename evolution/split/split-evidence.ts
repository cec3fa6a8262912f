/**
 * What a split knows: whose failures they were, and what either version's own requests cost and were worth. Unpaired, because a
 * request is answered by one version only; with the paired guard rails beside it, which see every turn in both.
 *
 * Invariants
 * 1. Of a session only the first failure counts, and one value of cost and fitness: sessions that fail go on failing where they
 *    are, and would make a crowd out of one accident (statistics/split.ts).
 * 2. The share a failure is weighed by was fixed before its request.
 * 3. Bounded: sessions beyond `SESSIONS_MAX` are not weighed a second time by mistake, they are not weighed at all.
 */
import type { EvidenceLine } from "../decision.ts";
import { CPU_GRAIN_MS } from "../evidence/guard-rails.ts";
import { FITNESS_MARGIN } from "../evidence/settings.ts";
import type { EvidenceSettings } from "../evidence/settings.ts";
import { addSplitFailure, emptySplit, logSplitEvidence } from "../statistics/split.ts";
import type { SplitState } from "../statistics/split.ts";
import { addTwoSample, emptyTwoSample, twoSampleBounds } from "../statistics/two-sample.ts";
import type { TwoSampleState } from "../statistics/two-sample.ts";
import type { RampSigns } from "./ramp.ts";
import type { ArmCounts } from "./thompson.ts";

/** Sessions told apart in one split. */
const SESSIONS_MAX = 100_000;

/** One request and how its own version did. */
export interface SplitRequest {
  readonly arm: "candidate" | "champion";
  readonly session: string;
  /** The candidate's share as the request came. */
  readonly share: number;
  readonly isFailed: boolean;
  /** In cells of one kind, in ms; `undefined` where none was measured. */
  readonly cpuMs: number | undefined;
  readonly fitness: number | undefined;
}

/** What became of one version's own requests. */
export interface Arm extends ArmCounts {
  readonly failures: number;
}

/** All that a split knows. */
export interface SplitEvidence {
  readonly settings: Pick<EvidenceSettings, "harmAlpha" | "cpuRatioMax">;
  candidate: Arm;
  champion: Arm;
  failures: SplitState;
  cpu: TwoSampleState;
  fitness: TwoSampleState;
  /** Sessions that were weighed, and whether one of their requests has failed. */
  readonly sessions: Map<string, boolean>;
}

/** Nothing seen yet. */
export function emptySplitEvidence(settings: SplitEvidence["settings"]): SplitEvidence {
  const none = { requests: 0, failures: 0, loss: 0 };
  return {
    settings,
    candidate: none,
    champion: none,
    failures: emptySplit(),
    cpu: emptyTwoSample(),
    fitness: emptyTwoSample(),
    sessions: new Map(),
  };
}

/** Weighs a request. Changes `evidence`. */
export function addRequest(evidence: SplitEvidence, request: SplitRequest): void {
  const { arm, session, share, isFailed, cpuMs, fitness } = request;
  const { requests, failures, loss } = evidence[arm];
  evidence[arm] = {
    requests: requests + 1,
    failures: failures + Number(isFailed),
    loss: loss + (isFailed ? 1 : 1 - (fitness ?? 1)),
  };
  const known = evidence.sessions.get(session);
  if (known === undefined && evidence.sessions.size >= SESSIONS_MAX) return;
  evidence.sessions.set(session, (known ?? false) || isFailed);
  const isShadows = arm === "candidate";
  if (isFailed && known !== true && share > 0 && share < 1)
    evidence.failures = addSplitFailure(evidence.failures, { isShadows, shadowShare: share });
  if (known !== undefined) return;
  if (cpuMs !== undefined)
    evidence.cpu = addTwoSample(evidence.cpu, { isShadows, value: Math.log(cpuMs + CPU_GRAIN_MS) });
  if (fitness !== undefined) evidence.fitness = addTwoSample(evidence.fitness, { isShadows, value: fitness });
}

/** What the ramp is to know. Pure. */
export function signsOf(evidence: SplitEvidence): RampSigns {
  const lines = splitLines(evidence);
  const logHarmMax = Math.log(1 / evidence.settings.harmAlpha);
  const isHarmed = lines.some(({ says }) => says === "harm");
  return {
    logHarm: isHarmed ? Number.POSITIVE_INFINITY : logSplitEvidence(evidence.failures),
    logHarmMax,
    isLeaning: isLeaning(evidence),
  };
}

/** Every value beside its threshold. Pure. */
export function splitLines(evidence: SplitEvidence): readonly EvidenceLine[] {
  return [failureLine(evidence), cpuLine(evidence), ...fitnessLine(evidence)];
}

function failureLine({ failures, candidate, champion, settings }: SplitEvidence): EvidenceLine {
  const value = logSplitEvidence(failures);
  const threshold = Math.log(1 / settings.harmAlpha);
  return {
    name: "split failures",
    pairs: candidate.requests + champion.requests,
    value,
    threshold,
    says: value >= threshold ? "harm" : "open",
    text: `${candidate.failures} of its own ${candidate.requests} requests failed, ${champion.failures} of the running version's ${champion.requests}: ln M ${value.toFixed(2)} of ${threshold.toFixed(2)}`,
  };
}

function cpuLine({ cpu, settings }: SplitEvidence): EvidenceLine {
  const { difference, halfWidth, requests: pairs } = twoSampleBounds(cpu, settings.harmAlpha);
  const least = Math.exp(difference - halfWidth);
  const ratio = Math.exp(difference);
  const threshold = settings.cpuRatioMax;
  const text = `${ratio.toFixed(2)} times the CPU time in sessions of its own (at least ${least.toFixed(2)}); ${threshold} is allowed`;
  return { name: "split cpu", pairs, value: ratio, threshold, says: least > threshold ? "harm" : "open", text };
}

function fitnessLine({ fitness, settings }: SplitEvidence): readonly EvidenceLine[] {
  if (fitness.champion.pairs + fitness.shadow.pairs === 0) return [];
  const { difference, halfWidth, requests: pairs } = twoSampleBounds(fitness, settings.harmAlpha);
  const isWorse = difference + halfWidth < -FITNESS_MARGIN;
  const text = `fitness of its own sessions differs by ${difference.toFixed(4)} (give or take ${halfWidth.toFixed(4)})`;
  return [
    {
      name: "split fitness",
      pairs,
      value: difference,
      threshold: -FITNESS_MARGIN,
      says: isWorse ? "harm" : "open",
      text,
    },
  ];
}

/** Half-way to a proof of harm, in cost or in fitness: at a tenth of the certainty the bound is across already. */
function isLeaning({ cpu, fitness, settings }: SplitEvidence): boolean {
  const alpha = Math.min(0.4, Math.sqrt(settings.harmAlpha));
  const cost = twoSampleBounds(cpu, alpha);
  const worth = twoSampleBounds(fitness, alpha);
  return (
    cost.difference - cost.halfWidth > Math.log(settings.cpuRatioMax) ||
    worth.difference + worth.halfWidth < -FITNESS_MARGIN
  );
}
