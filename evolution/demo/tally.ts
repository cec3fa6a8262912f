/**
 * Counting the client's requests, phase by phase. A request belongs to the phase in which it was sent, whenever its answer
 * comes.
 *
 *   sent --> answered | refused (an error with a code came back) | lost (nothing came back within the time limit)
 *
 * Invariant: asked = answered + refused + lost + those still under way.
 */

/** One phase as it is being counted. */
export interface Phase {
  readonly name: string;
  asked: number;
  answered: number;
  lost: number;
  /** Refusals by error code. */
  readonly refused: Map<string, number>;
  /** Of answered requests, in ms from the moment each was due. */
  readonly latenciesMs: number[];
}

/** A phase's figures. */
export interface PhaseReport {
  readonly name: string;
  readonly asked: number;
  readonly answered: number;
  readonly refused: number;
  readonly refusedByCode: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How a request ended. */
export type Ending =
  | { readonly type: "answered"; readonly ms: number }
  | { readonly type: "refused"; readonly code: string }
  | { readonly type: "lost" };

/** A phase in which nothing happened yet. */
export function newPhase(name: string): Phase {
  return { name, asked: 0, answered: 0, lost: 0, refused: new Map(), latenciesMs: [] };
}

/** Counts the end of a request that was counted as asked before. */
export function countEnding(phase: Phase, ending: Ending): void {
  switch (ending.type) {
    case "answered":
      phase.answered += 1;
      phase.latenciesMs.push(ending.ms);
      return;
    case "refused":
      phase.refused.set(ending.code, (phase.refused.get(ending.code) ?? 0) + 1);
      return;
    case "lost":
      phase.lost += 1;
  }
}

/** The figures of one phase, or of several taken together. */
export function reportOf(name: string, phases: readonly Phase[]): PhaseReport {
  const latenciesMs = phases.flatMap((phase) => phase.latenciesMs);
  const refusedByCode: Record<string, number> = {};
  for (const [code, count] of phases.flatMap(({ refused }) => [...refused])) {
    refusedByCode[code] = (refusedByCode[code] ?? 0) + count;
  }
  return {
    name,
    asked: sum(phases.map(({ asked }) => asked)),
    answered: sum(phases.map(({ answered }) => answered)),
    refused: sum(Object.values(refusedByCode)),
    refusedByCode,
    lost: sum(phases.map(({ lost }) => lost)),
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
    maxMs: percentile(latenciesMs, 100),
  };
}

/** The nearest-rank percentile: the smallest value that `percent` of all values do not exceed. 0 when there is none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
