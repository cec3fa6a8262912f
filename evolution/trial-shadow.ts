/** A shadow of a trial: with the answers that the arbiter's owner simulates, where it does. */
import type { AgentControl, Shadow } from "../runtime/index.ts";
import type { Trial } from "./stage.ts";

/** As `control.shadow`, under the options of the trial. */
export async function trialShadow(trial: Trial, options: Parameters<AgentControl["shadow"]>[0]): Promise<Shadow> {
  const { simulate } = trial.options;
  return await trial.control.shadow({ ...options, ...(simulate === undefined ? {} : { simulate }) });
}
