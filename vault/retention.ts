/**
 * Retention: which snapshots and branches are no longer kept. A decision only; the collector carries it out, as ordinary
 * commits that are in the log like all others.
 *
 * Invariants:
 * 1. The first rule whose pattern fits a label decides; a label that fits none is kept for ever. Without a policy all is.
 * 2. A snapshot stays while it is among the newest `count` of its rule on its branch, or younger than `ageMs`. Of a branch
 *    that was left behind (no name, and the retained log has passed it) the count keeps nothing: each roll-back leaves such
 *    a branch, with a few snapshots that no later one would ever push out.
 * 3. A branch goes only when it has no name and no snapshot that is kept, and no point within the retained log needs it.
 *
 * Ages go by wall time. A clock that jumps back keeps longer; one that jumps ahead leaves what `count` protects.
 */
import { VaultError } from "./errors.ts";
import type { Landmark } from "./landmark.ts";
import type { BranchId, Seq } from "./model.ts";

/** How long snapshots with certain labels are kept. */
export interface RetentionRule {
  /** Which labels: text that must be equal, but that `#` stands for a number and a `*` at the end for anything. */
  readonly label: string;
  /** The newest so many of a branch are kept. */
  readonly count?: number;
  /** Younger ones are kept. With `count`: what either of them keeps. */
  readonly ageMs?: number;
}

/** See the header. */
export interface RetentionPolicy {
  readonly rules: readonly RetentionRule[];
  /**
   * Branches that roll-backs and replaced names have left behind go once the retained log has passed them. False for
   * callers who keep branches by their ids.
   */
  readonly dropsUnnamed: boolean;
}

/** What the decision needs to know of a branch. */
export interface RetainedBranch {
  readonly id: BranchId;
  readonly parent: { readonly branch: BranchId } | undefined;
  readonly createdSeq: Seq;
  readonly head: Seq;
  readonly names: { readonly size: number };
  readonly landmarks: readonly Pick<Landmark, "kind" | "seq" | "label" | "timeMs">[];
}

/** The moment for which it is decided. */
export interface RetentionMoment {
  readonly nowMs: number;
  /** The oldest entry of the retained log. */
  readonly firstSeq: number;
}

/** What is to be done. */
export type RetentionAction =
  | { readonly type: "forget"; readonly branch: BranchId; readonly label: string; readonly seq: Seq }
  | { readonly type: "drop"; readonly branch: BranchId };

/** Throws VAULT_RETENTION_INVALID. */
export function validRetention(policy: RetentionPolicy): RetentionPolicy {
  for (const rule of policy.rules) {
    const { label, count, ageMs } = rule;
    if (label === "" || label.indexOf("*") !== label.lastIndexOf("*") || label.slice(0, -1).includes("*"))
      throw invalid(rule, "its label is empty, or has a * that is not at its end");
    if (count === undefined && ageMs === undefined) throw invalid(rule, "it has neither a count nor an age");
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0))
      throw invalid(rule, `its count ${count} is no whole number from zero up`);
    if (ageMs !== undefined && !(ageMs >= 0)) throw invalid(rule, `its age ${ageMs} is no time`);
  }
  return policy;
}

/** What goes by now: snapshots first, then branches, children before their parents. Yields after each branch. */
export function* retentionPlan(
  branches: readonly RetainedBranch[],
  policy: RetentionPolicy,
  moment: RetentionMoment,
): Generator<void, readonly RetentionAction[]> {
  const patterns = policy.rules.map(({ label }) => patternOf(label));
  const forget: RetentionAction[] = [];
  const drop: RetentionAction[] = [];
  /** Branches that some later one was forked from within the retained log: its past there is theirs. */
  const needed = new Set<BranchId>();
  // Newest first: a parent is older than its children.
  for (const branch of branches.toSorted((a, b) => b.id - a.id)) {
    const isLeft =
      policy.dropsUnnamed && branch.names.size === 0 && branch.head < moment.firstSeq && !needed.has(branch.id);
    const gone = forgotten(branch, policy.rules, { patterns, nowMs: moment.nowMs, isLeft });
    if (!isLeft || keepsSnapshots(branch, gone.length)) {
      if (branch.parent !== undefined && branch.createdSeq >= moment.firstSeq) needed.add(branch.parent.branch);
      forget.push(...gone);
    } else drop.push({ type: "drop", branch: branch.id });
    yield;
  }
  return [...forget, ...drop];
}

function keepsSnapshots({ landmarks }: RetainedBranch, gone: number): boolean {
  return landmarks.filter(({ kind }) => kind === "snapshot").length > gone;
}

/** The snapshots of one branch that no rule keeps. */
function forgotten(
  branch: RetainedBranch,
  rules: readonly RetentionRule[],
  {
    patterns,
    nowMs,
    isLeft,
  }: { readonly patterns: readonly RegExp[]; readonly nowMs: number; readonly isLeft: boolean },
): readonly RetentionAction[] {
  const gone: RetentionAction[] = [];
  const newer = rules.map(() => 0);
  for (const { kind, label, seq, timeMs } of branch.landmarks.toReversed()) {
    if (kind !== "snapshot") continue;
    const index = patterns.findIndex((pattern) => pattern.test(label));
    const rule = rules[index];
    if (rule === undefined) continue;
    const rank = newer[index]!++;
    const isKept = rank < (isLeft ? 0 : (rule.count ?? 0)) || nowMs - timeMs < (rule.ageMs ?? 0);
    if (!isKept) gone.push({ type: "forget", branch: branch.id, label, seq });
  }
  return gone;
}

function patternOf(label: string): RegExp {
  const isOpen = label.endsWith("*");
  const parts = (isOpen ? label.slice(0, -1) : label).split("#").map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join("[0-9]+")}${isOpen ? "" : "$"}`, "su");
}

function invalid({ label }: RetentionRule, why: string): VaultError {
  const message = `the retention rule for ${JSON.stringify(label)} makes no sense: ${why}`;
  return new VaultError("VAULT_RETENTION_INVALID", message, { details: { label, why } });
}
