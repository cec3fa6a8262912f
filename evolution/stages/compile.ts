/**
 * Stage 1: does it compile? esbuild bundles the source; its message, with line and column, is the reason when not. What the next stage
 * judges, the code as it is written, is looked at on the same trip to the compiler's process.
 */
import { SandboxError, compileInspected } from "../../sandbox/index.ts";
import type { VerdictCode } from "../errors.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";

/** Compiles the proposal's source into the candidate, and leaves what was seen in it. */
export const compileStage: Stage = {
  name: "compile",
  async run(trial: Trial): Promise<StageVerdict> {
    const { source, agent } = trial.proposal;
    try {
      // What is proposed was generated: it must not pull files of this machine into the code that agents run.
      const { artifact, findings } = await compileInspected({ source, name: `${agent}.agent.ts` }, { whose: agent });
      trial.candidate = artifact;
      trial.findings = findings;
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      const isLarge = error.code === "SANDBOX_ARTIFACT_TOO_LARGE";
      return failed(isLarge ? "EVOLUTION_SOURCE_TOO_LARGE" : "EVOLUTION_COMPILE_FAILED", error.message);
    }
    const isSame = trial.candidate.hash === trial.champion.artifact.hash;
    if (isSame) return failed("EVOLUTION_SAME_CODE", "it is the very code that is running");
    const bytes = Buffer.byteLength(trial.candidate.code);
    return { verdict: "pass", reason: "it compiles", figures: { bytes } };
  },
};

function failed(code: VerdictCode, reason: string): StageVerdict {
  return { verdict: "fail", code, reason };
}
