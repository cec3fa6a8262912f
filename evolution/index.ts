/**
 * The evolution floor's front door, published as `planaria/evolution`: new code earns its place with evidence.
 */

/** The arbiter: propose code, read its decisions. */
export { Arbiter, defaultStages } from "./arbiter.ts";
export type { ArbiterOptions, Proposal } from "./options.ts";

/** What it decides. */
export type { Decision, Difference, ProbationReport, Ruling, StageReport, Verdict } from "./decision.ts";

/** Stages: the road from source to promotion, extensible. */
export type { Stage, StageVerdict, Trial } from "./stage.ts";
export { compileStage } from "./stages/compile.ts";
export { smokeStage } from "./stages/smoke.ts";
export { replayStage } from "./stages/replay.ts";

/** What can go wrong. */
export { EvolutionError } from "./errors.ts";
export type { EvolutionErrorCode } from "./errors.ts";
