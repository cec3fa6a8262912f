/**
 * The evolution floor's front door, published as `planaria/evolution`: new code earns its place with evidence.
 */

/** The arbiter: propose code, read its decisions. */
export { Arbiter, defaultStages, offlineStages } from "./arbiter.ts";
export { SOURCE_CHARACTERS_MAX } from "./options.ts";
export type { ArbiterOptions, JudgedTurn, Proposal, Rigor } from "./options.ts";

/** What it decides. */
export type {
  Decision,
  Difference,
  EvidenceLine,
  ProbationReport,
  Ruling,
  StageReport,
  StateDifference,
  Verdict,
} from "./decision.ts";

/** Stages: the road from source to promotion, extensible. */
export type { Attack, Finding, Stage, StageVerdict, Trial } from "./stage.ts";
export { SIGNAL_GRACE_MS } from "./stage.ts";
export { compileStage } from "./stages/compile.ts";
export { smokeStage } from "./stages/smoke.ts";
export { replayStage } from "./stages/replay.ts";

/** What can go wrong. */
export { EvolutionError } from "./errors.ts";
export type { EvolutionErrorCode, VerdictCode } from "./errors.ts";
