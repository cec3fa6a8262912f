/** What is in a vault, branch by branch, without reading any of their content. */
import type { BranchState } from "./branch-state.ts";
import { isImportName } from "./import-name.ts";
import type { BranchId, Seq, Snapshot } from "./model.ts";
import { treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import type { VaultState } from "./state.ts";

/** One branch. */
export interface BranchOverview {
  readonly branch: BranchId;
  /** Undefined: left behind by a promotion, a roll-back, or an import that is running or was killed. */
  readonly name: string | undefined;
  readonly head: Seq;
  readonly createdAtMs: number;
  readonly parent: { readonly branch: BranchId; readonly seq: Seq } | undefined;
  /** Keys and values of its newest state, roughly: what was written over since is counted until it is merged. */
  readonly bytes: number;
  readonly snapshots: readonly Snapshot[];
}

/** All branches, by id. */
export function overviewOf({ branches }: VaultState): readonly BranchOverview[] {
  return [...branches.values()].toSorted((a, b) => a.id - b.id).map(overviewOfBranch);
}

function overviewOfBranch({ id, names, head, createdAtMs, parent, top, landmarks }: BranchState): BranchOverview {
  const name = [...names].find((each) => !isImportName(each));
  let bytes = 0;
  for (const { table, roots } of top.chain()) bytes += (table?.bytes ?? 0) + (roots === undefined ? 0 : bytesOf(roots));
  const snapshots = landmarks.filter(({ kind }) => kind === "snapshot");
  return {
    branch: id,
    name,
    head,
    createdAtMs,
    parent,
    bytes,
    snapshots: snapshots.map(({ label, seq, timeMs }) => ({ label, seq, timeMs })),
  };
}

function bytesOf(roots: Roots): number {
  return treesOf(roots).reduce((sum, { bytes }) => sum + bytes, 0);
}
