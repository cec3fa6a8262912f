/**
 * Carrying out retention: what the policy no longer keeps is forgotten and dropped by ordinary commits.
 *
 * They are of the kind that nobody waits for ("memory"): they cannot be undone and hold nobody up, and the sweep waits for
 * the log anyway before it deletes a page. One that a power cut takes is due again at the next collection.
 */
import type { MaintenanceContext } from "./maintenance.ts";
import type { BranchId } from "./model.ts";
import type { Past } from "./past.ts";
import { isPrunable } from "./landmark.ts";
import { retentionPlan } from "./retention.ts";
import type { RetentionAction } from "./retention.ts";
import type { Slices } from "./slices.ts";
import type { VaultState } from "./state.ts";

/** Actions of one commit. */
const ACTIONS_AT_ONCE = 128;

/** Applies the vault's policy. Rejects with VAULT_FAILED, VAULT_CLOSED, VAULT_COMMIT_FAILED. */
export async function applyRetention(
  on: MaintenanceContext,
  slices: Slices,
): Promise<{ readonly snapshots: number; readonly branches: number }> {
  const { options, context, vault } = on;
  const { state, folder } = context;
  const count = { snapshots: 0, branches: 0 };
  if (options.retention === undefined) return count;
  const planned = state.nextBranch;
  const moment = { nowMs: options.clock.now(), firstSeq: folder.firstSeq ?? 0 };
  const plan = await slices.drive(retentionPlan([...state.branches.values()], options.retention, moment));
  for (let i = 0; i < plan.length; i += ACTIONS_AT_ONCE) {
    // Decided again in the turn of the commit: callers went on working while the plan was made.
    const isDue = stillDue(state, { planned, firstSeq: moment.firstSeq });
    const due = plan.slice(i, i + ACTIONS_AT_ONCE).filter(isDue);
    if (due.length > 0) vault.commit(due, { durability: "memory" });
    for (const { type } of due) count[type === "forget" ? "snapshots" : "branches"]++;
    await slices.pause();
  }
  return count;
}

/** Has the next checkpoint look at the branches with landmarks that serve nothing any more. */
export async function touchPrunable({ state, folder }: Past, slices: Slices): Promise<void> {
  const firstSeq = folder.firstSeq ?? 1;
  for (const { id, landmarks } of state.branches.values()) {
    if (landmarks.some((each) => isPrunable(each, firstSeq))) state.dirtyBranches.add(id);
    await slices.pause();
  }
}

/** Whether an action of the plan still holds. `planned`: branches from this id on are newer than the plan. */
function stillDue(
  state: VaultState,
  { planned, firstSeq }: { readonly planned: number; readonly firstSeq: number },
): (action: RetentionAction) => boolean {
  const parents = new Set<BranchId>();
  for (let id = planned; id < state.nextBranch; id++) {
    const branch = state.branches.get(id as BranchId); // Below the counter that all ids come from.
    if (branch?.parent !== undefined) parents.add(branch.parent.branch);
  }
  return (action) => {
    const branch = state.branches.get(action.branch);
    if (branch === undefined) return false;
    const { names, head, landmarks } = branch;
    const isSnapshot = ({ kind }: (typeof landmarks)[number]) => kind === "snapshot";
    if (action.type === "drop")
      return names.size === 0 && head < firstSeq && !landmarks.some(isSnapshot) && !parents.has(branch.id);
    return landmarks.some((each) => isSnapshot(each) && each.seq === action.seq && each.label === action.label);
  };
}
