/**
 * The guard rails: pairs go in, one at a time, and at any moment they say whether the candidate is proved harmful, proved
 * fit to serve, or neither yet.
 *
 *   pair -> observe -> failures, effects, slow turns (harm tests)  -> any at 1/harmAlpha ............... fail
 *                   -> out of memory, crashes, reaching out       -> at once ........................... fail
 *                   -> failures (a bet on the margin), CPU, fitness -> all proved ...................... pass
 *                   -> control against the live agent (A/A)       -> the measurement itself is off ..... void
 *
 * Invariants
 * 1. Every test is valid at every look, so concluding after each pair costs nothing (docs/adr/0029).
 * 2. Who serves is never accused by noise: what the control does not repeat either counts for nobody.
 * 3. Constant memory, and constant time per pair beside reading its texts: windows are bounded.
 * 4. State is plain data; `addPair` changes the evidence it is given, and only that.
 */
import type { Difference } from "../decision.ts";
import type { VerdictCode } from "../errors.ts";
import type { Pair } from "../pairs/pair.ts";
import { addFitness, emptyFitness } from "../statistics/fitness.ts";
import type { FitnessState } from "../statistics/fitness.ts";
import { addHarm, emptyHarm } from "../statistics/harm.ts";
import type { HarmState } from "../statistics/harm.ts";
import { addLogRatio, emptyLogRatio } from "../statistics/log-ratio.ts";
import type { LogRatioState } from "../statistics/log-ratio.ts";
import { memoryVerdict } from "../statistics/memory.ts";
import type { MemorySample } from "../statistics/memory.ts";
import { addNoHarm, emptyNoHarm } from "../statistics/no-harm.ts";
import type { NoHarmState } from "../statistics/no-harm.ts";
import type { Observation } from "./observation.ts";
import { observe } from "./observation.ts";
import { FITNESS_MARGIN } from "./settings.ts";
import type { EvidenceSettings } from "./settings.ts";
import { addSlow, emptySlow } from "./slow-turns.ts";
import type { SlowState } from "./slow-turns.ts";
import { UserFault } from "./users-view.ts";

/** Pairs before CPU time is compared: code warms up. */
const WARM_UP_PAIRS = 50;
/** CPU time that is added to both sides, in ms: differences within the clock's grain are none. */
export const CPU_GRAIN_MS = 0.05;
/** Turns from one look at the heap to the next: ten looks, which a verdict needs, come before a CPU time can be proved. */
const HEAP_EVERY_PAIRS = 15;
/** How long the heap has to last if it goes on growing. */
const HEAP_HORIZON_TURNS = 10_000;
/**
 * What a heap may hold of garbage, since nothing is collected before a look: an agent that throws 400 KB away each turn was seen to go
 * up and down between 1.3 and 10 MB, around 5.
 */
const GARBAGE_BYTES = 8 << 20;
/** One that throws little away creeps up by less than half of this before V8 collects. */
const CREEP_BYTES = 1 << 20;
/** More than these and no statistics are needed. */
const CRASHES_MAX = 3;

/** What needs no counting: it fails now. */
export interface Immediate {
  readonly code: VerdictCode;
  readonly reason: string;
  readonly difference?: Difference;
}

/** All that is known of a candidate beside its champion. */
export interface Evidence {
  readonly settings: EvidenceSettings;
  /** Pairs that say something. */
  pairs: number;
  /** Pairs that say nothing, because the machine failed. */
  voids: number;
  /** Pairs in which the control itself did not repeat the live answer. */
  noise: number;
  /** Of the others, those in which the candidate's answer is another. */
  differing: number;
  failures: HarmState;
  effects: HarmState;
  /** Control against the live agent. */
  broken: HarmState;
  slow: SlowState;
  /** How much more often it fails, as an interval: it accuses, and never acquits. */
  failureRise: NoHarmState;
  /** The bet that it fails more often by less than the margin: the only proof of that. */
  harmless: FitnessState;
  cpu: LogRatioState;
  fitness: FitnessState | undefined;
  /** How much fitness is lost, as an interval: it accuses, and never acquits. */
  fitnessLoss: NoHarmState;
  /** The bet that less than the margin is lost, for goals that are none of fitness. */
  fitnessKept: FitnessState;
  heap: MemorySample[];
  /** Set once the heap was found harmful; a reload begins a new series. */
  heapHarm: string | undefined;
  crashes: number;
  immediate: Immediate | undefined;
  /** A function of the user's is at fault. */
  userFault: string | undefined;
  /** The first answer that is another than the live one. */
  difference: Difference | undefined;
}

/** Nothing seen yet. */
export function emptyEvidence(settings: EvidenceSettings): Evidence {
  const alpha = settings.harmAlpha;
  return {
    settings,
    pairs: 0,
    voids: 0,
    noise: 0,
    differing: 0,
    crashes: 0,
    failures: emptyHarm(),
    effects: emptyHarm(),
    broken: emptyHarm(),
    slow: emptySlow(),
    failureRise: emptyNoHarm({ alpha }),
    harmless: emptyFitness({ floor: -settings.marginPoints }),
    fitnessLoss: emptyNoHarm({ alpha }),
    fitnessKept: emptyFitness({ floor: -FITNESS_MARGIN }),
    cpu: emptyLogRatio(),
    fitness: settings.fitness === undefined ? undefined : emptyFitness(),
    heap: [],
    heapHarm: undefined,
    immediate: undefined,
    userFault: undefined,
    difference: undefined,
  };
}

/** Weighs one more pair. Changes `evidence`. Never throws for what a candidate or a user's function does. */
export function addPair(evidence: Evidence, pair: Pair): void {
  try {
    addObservation(evidence, observe(pair, evidence.settings), pair);
  } catch (error) {
    if (!(error instanceof UserFault)) throw error;
    evidence.userFault ??= error.message;
  }
}

/** Weighs a pair that was looked at already. Changes `evidence`. */
export function addObservation(evidence: Evidence, seen: Observation, pair: Pair): void {
  if (seen.isVoid) evidence.voids += 1;
  else weigh(evidence, seen, pair);
}

/** Both shadows begin anew from their states: so does what is known of their heaps. Changes `evidence`. */
export function restarted(evidence: Evidence): void {
  evidence.heap = [];
}

function weigh(evidence: Evidence, seen: Observation, pair: Pair): void {
  const { candidate, control } = seen;
  evidence.pairs += 1;
  if (candidate.isCrashed) evidence.crashes += 1;
  compareAnswers(evidence, seen);
  evidence.immediate ??= immediateOf(evidence, seen, pair);
  const failed = { didShadowFail: candidate.isFailed, didChampionFail: control.isFailed };
  evidence.failures = addHarm(evidence.failures, failed);
  const rise = Number(candidate.isFailed) - Number(control.isFailed);
  evidence.failureRise = addNoHarm(evidence.failureRise, rise);
  evidence.harmless = addFitness(evidence.harmless, -rise);
  evidence.broken = addHarm(evidence.broken, {
    didShadowFail: control.isFailed,
    didChampionFail: seen.isLiveFailed,
  });
  evidence.effects = addHarm(evidence.effects, {
    didShadowFail: candidate.isDiverging,
    didChampionFail: control.isDiverging,
  });
  weighCost(evidence, seen);
  weighFitness(evidence, seen);
}

function compareAnswers(evidence: Evidence, { candidate, control, difference }: Observation): void {
  if (!control.isRepeated) evidence.noise += 1;
  else if (!candidate.isRepeated) {
    evidence.differing += 1;
    evidence.difference ??= difference;
  }
}

function immediateOf(evidence: Evidence, seen: Observation, { turn, number }: Pair): Immediate | undefined {
  const { candidate, control, difference, ending, isExact } = seen;
  const place = `turn ${number} (${turn.method})`;
  const shown = difference === undefined ? {} : { difference };
  if (candidate.isOutOfMemory && !control.isOutOfMemory)
    return { code: "EVOLUTION_MEMORY", reason: `${place}: ${ending}`, ...shown };
  if (isExact && control.isRepeated && !candidate.isRepeated) {
    const code = candidate.isCrashed || candidate.isFailed ? "EVOLUTION_HARM" : "EVOLUTION_ANSWER_DIFFERS";
    return { code, reason: `${place}: ${ending}`, ...shown };
  }
  if (isExact && control.isRepeated && seen.otherEffect !== undefined && !candidate.isFailed) {
    const reason = `${place}: it answers alike, but has other effects than the running version (${seen.otherEffect})`;
    return { code: "EVOLUTION_HARM", reason };
  }
  if (evidence.crashes > CRASHES_MAX && candidate.isCrashed && !control.isCrashed)
    return {
      code: "EVOLUTION_HARM",
      reason: `${place}: it hit a limit ${evidence.crashes} times: ${ending}`,
      ...shown,
    };
  return undefined;
}

function weighCost(evidence: Evidence, { candidate, control }: Observation): void {
  if (candidate.cpuMs === undefined || control.cpuMs === undefined) return;
  if (evidence.pairs > WARM_UP_PAIRS) {
    const ratio = (candidate.cpuMs + CPU_GRAIN_MS) / (control.cpuMs + CPU_GRAIN_MS);
    evidence.cpu = addLogRatio(evidence.cpu, Math.log(ratio));
    const costs = { shadowMs: candidate.cpuMs, championMs: control.cpuMs };
    evidence.slow = addSlow(evidence.slow, costs, evidence.settings.cpuRatioMax);
  }
  if (evidence.pairs % HEAP_EVERY_PAIRS === 0) weighHeap(evidence, candidate.heapBytes, control.heapBytes);
}

function weighHeap(evidence: Evidence, shadow = 0, champion = 0): void {
  if (shadow < 1 || champion < 1) return;
  evidence.heap = [...evidence.heap, { shadow, champion }].slice(-HEAP_SAMPLES_MAX);
  const verdict = memoryVerdict(evidence.heap, {
    heapBytes: evidence.settings.heapBytesMax,
    horizonRequests: HEAP_HORIZON_TURNS,
    requestsPerSample: HEAP_EVERY_PAIRS,
    leadBytesMin: GARBAGE_BYTES,
    growthBytesMin: CREEP_BYTES,
  });
  if (verdict.isHarmful) evidence.heapHarm ??= verdict.reason;
}

/** Twenty make a trend; more are kept for the medians. */
const HEAP_SAMPLES_MAX = 100;

function weighFitness(evidence: Evidence, { candidate, control }: Observation): void {
  if (evidence.fitness === undefined || candidate.fitness === undefined || control.fitness === undefined) return;
  const gain = candidate.fitness - control.fitness;
  evidence.fitness = addFitness(evidence.fitness, gain);
  evidence.fitnessLoss = addNoHarm(evidence.fitnessLoss, -gain);
  evidence.fitnessKept = addFitness(evidence.fitnessKept, gain);
}
