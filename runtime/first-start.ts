/**
 * The first start of an agent in a runtime: a new one, one that slept in the vault, or newly deployed code. Decides which
 * code runs and makes spec, code and state one commit.
 */
import type { Artifact } from "../sandbox/index.ts";
import type { Action, Op } from "../vault/index.ts";
import type { AgentSpec, CurrentCode } from "./agent-record.ts";
import { codeOps, following, specOp } from "./agent-record.ts";
import { RuntimeError } from "./errors.ts";
import type { Incarnation } from "./incarnation.ts";
import { currentOf } from "./current-code.ts";

/** Which code to load, and where it may run. */
export interface CodeChoice {
  readonly artifact: Artifact;
  readonly profile: "trusted" | "hardened";
  /** Hash of what the operator deployed. */
  readonly originHash: string;
}

/** What the vault knows of an agent's code. */
export interface KnownCode {
  readonly current: CurrentCode;
  readonly artifact: Artifact;
}

/**
 * Code given at `spawn` is a new deployment when it differs from what was deployed last. When it is the same, what has
 * evolved from it since stays current: restarting a program must not undo a promotion.
 */
export function chooseCode(given: Artifact, known: KnownCode | undefined, profile: AgentSpec["profile"]): CodeChoice {
  if (known === undefined || known.current.originHash !== given.hash) {
    return { artifact: given, profile, originHash: given.hash };
  }
  return { artifact: known.artifact, profile: known.current.profile, originHash: known.current.originHash };
}

/**
 * Commits the first (or migrated) state with spec and code, in the name of a life that was just loaded. Durable when it
 * resolves. `isNewMeasure`: what the agent answered before, on another state or as other code of its owner's, is no measure any
 * more. Rejects with the handler's error, RUNTIME_SWAP_FAILED when a migration is missing, or the vault's error.
 */
export async function commitFirst(
  life: Incarnation,
  options: {
    readonly choice: CodeChoice;
    readonly spec: AgentSpec;
    readonly known: KnownCode | undefined;
    readonly nowMs: number;
  },
): Promise<{ readonly current: CurrentCode; readonly isNewMeasure: boolean }> {
  const { choice, spec, known, nowMs } = options;
  const ops =
    known === undefined
      ? await life.runOwn("init", "", nowMs)
      : await migrationOps(life, { agent: spec.id, fromVersion: known.current.version, nowMs });
  const { id: branch, head } = life.options.branch;
  const label = `before-deploy-${head}`;
  const current = following(currentOf(life, choice.originHash), known?.current, label);
  const writes = [...ops, specOp(spec), ...codeOps(choice.artifact, current)];
  const isMigrated = known !== undefined && ops.length > 0;
  const names: readonly Action[] = isMigrated ? [{ type: "snapshot", branch, label }] : [];
  const epoch = life.fence();
  await life.commit([...names, { type: "write", branch, ops: writes, epoch }], spec.durability).durable;
  const isNewMeasure = ops.length > 0 || known?.current.originHash !== choice.originHash;
  return { current, isNewMeasure };
}

/** What `migrate` makes of the state, as ops; none when the versions agree. Rejects with RUNTIME_SWAP_FAILED without `migrate`. */
export async function migrationOps(
  life: Incarnation,
  from: { readonly agent: string; readonly fromVersion: number; readonly nowMs: number },
): Promise<Op[]> {
  const { version, hasMigrate } = life.loaded;
  if (version === from.fromVersion) return [];
  if (!hasMigrate) {
    const text = `the state of ${from.agent} has version ${from.fromVersion}, the new code declares ${version} and has no migrate()`;
    throw new RuntimeError("RUNTIME_SWAP_FAILED", text, { details: { agent: from.agent } });
  }
  return life.runOwn("migrate", String(from.fromVersion), from.nowMs);
}
