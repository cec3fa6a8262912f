/**
 * Brings a running agent to what its definition says, between two messages: its queue and its state stay.
 *
 *   plan (what differs from what runs?) -> smoke (new code loads and migrates, on a fork, in a shadow) -> swap
 *
 * Code is new when it is not what was deployed last; code that has evolved from what was deployed stays. So a restart, a
 * promotion and a restore are all found as they are: the plan compares with the agent, not with what was saved before.
 */
import { isDeepStrictEqual } from "node:util";
import type { Artifact } from "../sandbox/index.ts";
import { SandboxError } from "../sandbox/index.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import type { AgentControl } from "./control.ts";
import { RuntimeError } from "./errors.ts";
import { handlerError } from "./faults.ts";
import type { Shadow } from "./shadow.ts";

/** What can differ between an agent and its definition. */
export type Change = "code" | "settings" | "text";

/** What an agent is, or is to be. */
interface Deployed {
  readonly spec: AgentSpec;
  readonly artifact: Artifact;
}

/** How to get from what runs to what is wanted. */
export interface RedeployPlan {
  /** Never empty. */
  readonly changed: readonly Change[];
  readonly artifact: Artifact;
  readonly profile: "trusted" | "hardened";
  readonly originHash: string;
  /** The version that must still run, where it is to go on. */
  readonly expect: string | undefined;
}

/** Decides. `undefined` when the agent is what its definition says. */
export function redeployPlan(
  running: Deployed & { readonly current: CurrentCode },
  wanted: Deployed,
): RedeployPlan | undefined {
  const { current } = running;
  const isNewCode = wanted.artifact.hash !== current.originHash;
  const changed: Change[] = isNewCode ? ["code"] : [];
  if (!isDeepStrictEqual(settingsOf(wanted.spec), settingsOf(running.spec))) changed.push("settings");
  if (wanted.spec.text !== running.spec.text) changed.push("text");
  if (changed.length === 0) return undefined;
  const hasEvolved = !isNewCode && current.hash !== current.originHash;
  return {
    changed,
    artifact: isNewCode ? wanted.artifact : running.artifact,
    profile: hasEvolved ? current.profile : wanted.spec.profile,
    originHash: isNewCode ? wanted.artifact.hash : current.originHash,
    expect: isNewCode ? undefined : current.hash,
  };
}

/** As they lie in the vault: a fork has the id of its parent there, and what is undefined is not written. */
function settingsOf(spec: AgentSpec): unknown {
  return JSON.parse(JSON.stringify({ ...spec, id: "", text: "" }));
}

/** What `redeploy` is told. */
export interface RedeployOptions {
  readonly plan: RedeployPlan;
  readonly spec: AgentSpec;
  /** Asked once, just before anything is changed. */
  readonly isWanted: () => Promise<boolean>;
  /** Runs the smoke test when it is its turn. */
  readonly inTurn: (smoke: () => Promise<void>) => Promise<void>;
}

/**
 * Carries the plan out. Durable when it resolves with `done`; with `unwanted` or `overtaken` (another version than the one
 * it was made for runs by now) nothing was changed. Rejects with the reason why the code does not load or migrate; the agent
 * then goes on as it was, its state untouched.
 */
export async function redeploy(
  control: AgentControl,
  { plan, spec, isWanted, inTurn }: RedeployOptions,
): Promise<"done" | "unwanted" | "overtaken"> {
  const { artifact, profile, originHash, expect, changed } = plan;
  if (changed.includes("code")) await inTurn(() => smoke(control, { artifact, profile, spec }));
  if (!(await isWanted())) return "unwanted";
  const label = `before-reload-${control.seq}`;
  const swap = { artifact, profile, label, deploy: { spec, originHash } };
  try {
    await control.swap(expect === undefined ? swap : { ...swap, expect });
    return "done";
  } catch (error) {
    if (expect !== undefined && control.code.current.hash !== expect) return "overtaken";
    throw error;
  }
}

/** On a fork of the present state, in a cell of its own: it loads, and its migration runs. The live agent does not wait. */
async function smoke(
  control: AgentControl,
  code: { readonly artifact: Artifact; readonly profile: "trusted" | "hardened"; readonly spec: AgentSpec },
): Promise<void> {
  await using shadow = await control.shadow({ ...code, isAlone: true });
  await migrateOnTrial(shadow, control);
}

/** Runs `migrate` on the shadow's copy of the real state, where the versions differ. */
async function migrateOnTrial(shadow: Shadow, control: AgentControl): Promise<void> {
  const { id, code } = control;
  const from = code.current.version;
  const { version, hasMigrate } = shadow.loaded;
  if (version === from) return;
  if (!hasMigrate) {
    const text = `the state of ${id} has version ${from}, the new code declares ${version} and has no migrate()`;
    throw new RuntimeError("RUNTIME_SWAP_FAILED", text, { details: { agent: id } });
  }
  const { outcome } = await shadow.migrate(from, control.nowMs);
  switch (outcome.kind) {
    case "done":
      return;
    case "threw":
      throw handlerError({ agent: id, method: "migrate", artifact: shadow.artifact }, outcome.fault);
    case "exceeded":
    case "lost":
      throw new SandboxError(outcome.code, `${id}.migrate: ${outcome.message}`);
  }
}
