/**
 * Stage 2: does it start? On a fork of the real, present state: the module loads within its limits, knows every method
 * that is in use, and its migration runs.
 */
import type { Shadow } from "../../runtime/index.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { candidateOf, describeOutcome, verdictOfError } from "../stage.ts";

/** Loads the candidate on a fork of the present state. */
export const smokeStage: Stage = {
  name: "smoke",
  async run(trial: Trial): Promise<StageVerdict> {
    try {
      await using shadow = await trial.control.shadow({ artifact: candidateOf(trial) });
      return await smoke(trial, shadow);
    } catch (error) {
      return verdictOfError(error, "it does not start");
    }
  },
};

async function smoke(trial: Trial, shadow: Shadow): Promise<StageVerdict> {
  const known = new Set(shadow.loaded.methods.map(({ name }) => name));
  const used = new Set([...trial.control.methods, ...trial.control.turns().map(({ method }) => method)]);
  const missing = [...used].filter((method) => !known.has(method));
  if (missing.length > 0) return { verdict: "fail", reason: `it lacks ${missing.join(", ")}` };
  const failure = await migrateIfNeeded(trial, shadow);
  if (failure !== undefined) return failure;
  return { verdict: "pass", reason: "it loads on the present state", figures: { heapBytes: shadow.loaded.heapBytes } };
}

/** Runs the migration on the shadow's fork where the versions differ. Returns a verdict only when it fails. */
export async function migrateIfNeeded(trial: Trial, shadow: Shadow): Promise<StageVerdict | undefined> {
  const from = trial.champion.current.version;
  const to = shadow.loaded.version;
  if (from === to) return undefined;
  if (!shadow.loaded.hasMigrate) {
    return {
      verdict: "fail",
      reason: `it declares version ${to}, the state has version ${from}, and it has no migrate()`,
    };
  }
  const { outcome } = await shadow.migrate(from, 0);
  if (outcome.kind === "done") return undefined;
  return { verdict: "fail", reason: `its migrate() ${describeOutcome(outcome)}` };
}
