/**
 * The evolution floor's front door, published as `planaria/evolution`: new code earns its place with evidence.
 */

/** The arbiter: propose code, read its decisions. */
export { Arbiter } from "./arbiter.ts";
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
export { defaultStages, offlineStages } from "./road.ts";
export type { Attack, Finding, Stage, StageVerdict, Trial } from "./stage.ts";
export { SIGNAL_GRACE_MS } from "./stage.ts";
export { compileStage } from "./stages/compile.ts";
export { staticStage } from "./stages/static.ts";
export { smokeStage } from "./stages/smoke.ts";
export { adversaryStage } from "./stages/adversary.ts";
export { lastReplayStage, replayStage } from "./stages/replay.ts";
export { mirrorStage } from "./stages/mirror.ts";
export { splitStage } from "./stages/split.ts";

/** Attacks that were found and are kept: `arbiter.attacks`. */
export type { Attacks, ImportedAttacks } from "./attacks.ts";
export type { KeptAttack } from "./attacks/attack.ts";
export type { RefusedLine } from "./attacks/lines.ts";

/** Populations: searching for programs, and for modules of agents. */
export { evolve } from "./population/evolve.ts";
export type { EvolveResult } from "./population/evolve.ts";
export { evolveAgent } from "./population/agents/evolve-agent.ts";
export type { AgentEvolution, EvolveAgentOptions } from "./population/agents/evolve-agent.ts";
export type { EvolveOptions, SearchBudget } from "./population-options.ts";
export type { Case, Problem, TextRange } from "./population/problem.ts";
export type { CaseFailure, Evaluation, Individual } from "./population/individual.ts";
export type { SearchEvent } from "./population/events.ts";
export type { SearchProgress } from "./population/progress.ts";
export type { CallOutcome, ProgramRun, ProgramRunner } from "./population/program-runner.ts";

/**
 * Who proposes changes of programs: with weights, one after the other, two at once; of two parents; of constants; by models. All but
 * the last are what `evolve` uses by itself.
 */
export { drawnMutator, enumeratingMutator, pairMutator } from "./mutation/ast-mutators.ts";
export type { DrawOptions } from "./mutation/ast-mutators.ts";
export { subtreeMutator, unionMutator } from "./mutation/crossover.ts";
export { numericMutator } from "./mutation/numeric.ts";
export { defaultMutators } from "./mutation/default-mutators.ts";
export { llmMutator } from "./mutation/llm-mutator.ts";
export type { LlmMutator } from "./mutation/llm-mutator.ts";
export type { CassetteOptions, LlmLimits, LlmMutatorOptions, ModelPrice, PromptForm } from "./llm-options.ts";
export { operators } from "./mutation/operators.ts";
export type { Operator } from "./mutation/operator.ts";
export type { Edit } from "./mutation/edit.ts";
export type {
  Coverage,
  MutationGround,
  Mutator,
  MutatorKind,
  Proposal as MutationProposal,
  ProposalMeta,
} from "./mutation/mutator.ts";

/** What is new: forms that do not depend on names, and how much two texts have in common. */
export { formHash } from "./mutation/normal-form.ts";
export { resemblance, sketchOf } from "./mutation/min-hash.ts";
export type { Sketch } from "./mutation/min-hash.ts";

/** What can go wrong. */
export { EvolutionError } from "./errors.ts";
export type { EvolutionErrorCode, VerdictCode } from "./errors.ts";
