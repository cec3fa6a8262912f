/**
 * Stage 1: does it compile? esbuild bundles the source; its message, with line and column, is the reason when not.
 */
import { SandboxError, compile } from "../../sandbox/index.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";

/** Compiles the proposal's source into the candidate. */
export const compileStage: Stage = {
  name: "compile",
  async run(trial: Trial): Promise<StageVerdict> {
    const { source, agent } = trial.proposal;
    try {
      // What is proposed was generated: it must not pull files of this machine into the code that agents run.
      trial.candidate = await compile({ source, name: `${agent}.agent.ts`, standsAlone: true }, { whose: agent });
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      return { verdict: "fail", reason: error.message };
    }
    const isSame = trial.candidate.hash === trial.champion.artifact.hash;
    if (isSame) return { verdict: "fail", reason: "it is the very code that is running" };
    const bytes = Buffer.byteLength(trial.candidate.code);
    return { verdict: "pass", reason: "it compiles", figures: { bytes } };
  },
};
