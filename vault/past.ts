/**
 * Points in a branch's past: which state was current at a label, a seq or a time.
 *
 *     landmark (nearest before the point) + the branch's frames from there to the point = the state at the point
 *     a point before the branch was forked is a point of its parent
 *
 * Invariants:
 * 1. The answer is exact or there is none: a point whose frames have left the log is VAULT_POINT_EXPIRED.
 * 2. Reading the past takes nothing from the present: a branch is frozen (O(1)) at most.
 */
import assert from "node:assert/strict";
import { EMPTY_LAYER } from "./branch-state.ts";
import type { BranchState } from "./branch-state.ts";
import { VaultError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Holds } from "./holds.ts";
import { StateLayer } from "./layer.ts";
import type { Log } from "./log.ts";
import { readFrames } from "./log-scan.ts";
import type { BranchId, Op, Point, Seq } from "./model.ts";
import { readRecords } from "./record.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { branchUnknown, keyOf } from "./state.ts";
import type { VaultState } from "./state.ts";

/** What the past is read from. */
export interface Past {
  readonly state: VaultState;
  readonly log: Pick<Log, "lastSeq" | "writtenSeq" | "written">;
  readonly folder: SegmentFolder;
  /** Where states that are being replayed are claimed; not needed where nothing is collected. */
  readonly holds?: Holds;
}

/** A state as it was, and where: `label` when it is a listed snapshot. */
export interface PastState {
  readonly layer: StateLayer;
  readonly branch: BranchId;
  readonly seq: Seq;
  readonly label: string | undefined;
}

/**
 * Throws VAULT_POINT_UNKNOWN, VAULT_POINT_EXPIRED, VAULT_BRANCH_UNKNOWN when the branch is dropped meanwhile, or
 * VAULT_LOG_DAMAGED when the frames cannot be read.
 */
export async function stateAt(past: Past, branch: BranchState, point: Point): Promise<PastState> {
  const found = await find(past, branch, point);
  // The caller claims it too, but only in a later turn.
  past.holds?.watch(found.layer);
  return found;
}

async function find(past: Past, branch: BranchState, point: Point): Promise<PastState> {
  if ("label" in point) return snapshotState(past, branch, point.label);
  if ("seq" in point) return stateAtSeq(past, branch, point.seq);
  const seq = await seqAtTime(past, branch, point.timeMs);
  if (branch.isDropped) throw branchUnknown(branch.id);
  return stateAtSeq(past, branch, seq);
}

function snapshotState({ state }: Past, branch: BranchState, label: string): PastState {
  for (const { branch: owner, untilSeq } of lineage(state, branch)) {
    const found = owner.landmarks.findLast(
      (each) => each.kind === "snapshot" && each.label === label && each.seq <= untilSeq,
    );
    if (found !== undefined) return { layer: found.layer, branch: owner.id, seq: found.seq, label };
  }
  throw pointUnknown(branch, `has no snapshot ${JSON.stringify(label)}`, { label });
}

async function stateAtSeq(past: Past, branch: BranchState, seq: number): Promise<PastState> {
  // NaN and fractions fail here as well.
  if (!Number.isSafeInteger(seq) || seq > past.log.lastSeq)
    throw pointUnknown(branch, `has no entry ${seq} yet`, { seq });
  if (seq >= branch.head) return { layer: branch.freeze(), branch: branch.id, seq: branch.head, label: undefined };
  if (seq < branch.createdSeq) return stateOfParent(past, branch, seq);
  const landmark = branch.landmarkBefore(seq);
  const found = { branch: branch.id, seq: asSeq(seq), label: undefined };
  if (landmark !== undefined && (landmark.through ?? landmark.seq) >= seq) return { ...found, layer: landmark.layer };
  const fromSeq = landmark === undefined ? branch.createdSeq : (landmark.through ?? landmark.seq) + 1;
  if (landmark === undefined && branch.parent !== undefined)
    throw pointExpired(branch, seq, "its start has left the log");
  const below = landmark?.layer ?? EMPTY_LAYER;
  return { ...found, layer: await replay(past, branch, { below, fromSeq, untilSeq: seq }) };
}

async function stateOfParent(past: Past, branch: BranchState, seq: number): Promise<PastState> {
  const { parent } = branch;
  if (parent === undefined || seq < 1) throw pointUnknown(branch, `did not exist at entry ${seq}`, { seq });
  const from = past.state.branches.get(parent.branch);
  if (from === undefined) throw pointExpired(branch, seq, `its parent ${parent.branch} was dropped`);
  return stateAtSeq(past, from, Math.min(seq, parent.seq));
}

interface Replay {
  readonly below: StateLayer;
  readonly fromSeq: number;
  readonly untilSeq: number;
}

async function replay(
  { log, folder, holds }: Past,
  branch: BranchState,
  { below, fromSeq, untilSeq }: Replay,
): Promise<StateLayer> {
  // The branch may be dropped while the log is read; `below` lies under the new layer and so stays in reach.
  holds?.watch(below);
  await log.written(untilSeq);
  const layer = StateLayer.over(below);
  await folder.reading(async () => {
    const { firstSeq } = folder;
    if (firstSeq === undefined || firstSeq > fromSeq)
      throw pointExpired(branch, untilSeq, `the log begins at ${firstSeq}`);
    await readFrames(folder, { fromSeq, untilSeq, writtenSeq: log.writtenSeq }, (frame) => {
      for (const op of opsOf(frame, branch.id)) layer.table?.put(keyOf(op), "put" in op ? op.value : null);
    });
  });
  layer.table?.freeze();
  return layer;
}

function opsOf(frame: Frame, branch: BranchId): Op[] {
  return readRecords(frame.body).flatMap((record) => {
    if (record.branch !== branch) return [];
    assert.notEqual(record.type, "restore", "a restore is a landmark: no replay goes across it");
    return record.type === "write" ? [...record.ops] : [];
  });
}

/** The last entry of the log at or before `timeMs`. */
async function seqAtTime({ state, log, folder }: Past, branch: BranchState, timeMs: number): Promise<number> {
  const oldest = [...lineage(state, branch)].at(-1)?.branch ?? branch;
  if (!(timeMs >= oldest.createdAtMs)) throw pointUnknown(branch, `did not exist at ${timeText(timeMs)}`, { timeMs });
  const { lastSeq } = log;
  await log.written(lastSeq);
  return folder.reading(async () => {
    for (const [index, header] of [...folder.segments.entries()].toReversed()) {
      const untilSeq = (folder.segments[index + 1]?.firstSeq ?? lastSeq + 1) - 1;
      let seq: number | undefined;
      const visit = (frame: Frame) => (frame.timeMs <= timeMs ? (seq = frame.seq) : undefined);
      await readFrames(folder, { fromSeq: header.firstSeq, untilSeq, writtenSeq: lastSeq }, visit);
      if (seq !== undefined) return seq;
    }
    throw pointExpired(branch, timeMs, `the log begins after that time`);
  });
}

/** The branch and its forebears, each with the last seq that belongs to the branch's past. */
export function* lineage(
  state: VaultState,
  branch: BranchState,
): Generator<{ readonly branch: BranchState; readonly untilSeq: number }, void> {
  let untilSeq = Infinity;
  for (let at: BranchState | undefined = branch; at !== undefined;) {
    yield { branch: at, untilSeq };
    untilSeq = Math.min(untilSeq, at.parent?.seq ?? 0);
    at = at.parent === undefined ? undefined : state.branches.get(at.parent.branch);
  }
}

function asSeq(seq: number): Seq {
  return seq as Seq; // A safe integer not beyond the log's last seq: see stateAtSeq.
}

/** As its users know it; most forks have no name. */
function nameOf(branch: BranchState): string {
  const [name] = branch.names;
  return name === undefined ? `branch ${branch.id}` : `agent ${JSON.stringify(name)}`;
}

/** No date holds any number: NaN, or what lies beyond the calendar, stays a number. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `time ${timeMs}` : date.toISOString();
}

function pointUnknown(branch: BranchState, what: string, details: Readonly<Record<string, unknown>>): VaultError {
  const message = `${nameOf(branch)} ${what}`;
  return new VaultError("VAULT_POINT_UNKNOWN", message, { details: { branch: branch.id, ...details } });
}

function pointExpired(branch: BranchState, point: number, why: string): VaultError {
  const message = `${nameOf(branch)} can no longer be read at ${point}: ${why}; keep snapshots or a longer log`;
  return new VaultError("VAULT_POINT_EXPIRED", message, { details: { branch: branch.id, point } });
}
