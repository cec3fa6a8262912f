/**
 * The road from a text to a promotion, in order. Users may add stages of their own, or leave some out.
 *
 *   compile -> static -> smoke -> adversary -> replay -> mirror -> split -> (promotion, probation)
 *   `------------------ offline -------------------'    `--- live ---'
 */
import type { Stage } from "./stage.ts";
import { adversaryStage } from "./stages/adversary.ts";
import { compileStage } from "./stages/compile.ts";
import { mirrorStage } from "./stages/mirror.ts";
import { lastReplayStage, replayStage } from "./stages/replay.ts";
import { smokeStage } from "./stages/smoke.ts";
import { splitStage } from "./stages/split.ts";
import { staticStage } from "./stages/static.ts";

/** All stages: for agents that are asked all the time. A candidate proves itself on live turns before it serves. */
export const defaultStages: readonly Stage[] = [
  compileStage,
  staticStage,
  smokeStage,
  adversaryStage,
  replayStage,
  mirrorStage,
  splitStage,
];

/** The stages that need recorded turns only: for agents without live traffic, and for tests. Probation follows here as well. */
export const offlineStages: readonly Stage[] = [compileStage, staticStage, smokeStage, adversaryStage, lastReplayStage];
