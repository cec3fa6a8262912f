/**
 * The checkpoint: folds the log into pages and lets its tail go.
 *
 *     capture (one turn) --> log durable up to there --> fold layers --> one transaction: rows, place --> release segments
 *
 * Invariants:
 * 1. A checkpoint at seq C holds exactly the frames up to C: what is captured in one turn is what it writes.
 * 2. Nothing reaches the pages before the log has it durably; a page never holds what a crash would undo.
 * 3. The rows and the place in the log change in one transaction, after all pages: a crash in between leaves the last
 *    checkpoint and unreachable pages, nothing else.
 * 4. A segment is released when all of it is behind the checkpoint and more than `retainBytes` of log lie behind it too.
 * 5. A checkpoint that fails changes nothing; what it had captured is dirty again.
 */
import type { BranchState } from "./branch-state.ts";
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import type { Folder, FoldFor } from "./fold.ts";
import { isPrunable } from "./landmark.ts";
import type { Landmark } from "./landmark.ts";
import type { StateLayer } from "./layer.ts";
import type { Log } from "./log.ts";
import type { LogPlace } from "./log-scan.ts";
import type { BranchId } from "./model.ts";
import { encodeArena, encodeBranch, encodeGlobal, encodeLandmark, encodeName } from "./rows.ts";
import { branchKey, landmarkKey, landmarksKey, nameKey } from "./rows.ts";
import type { BranchRow, LandmarkRow, Row } from "./rows.ts";
import type { Roots } from "./roots.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import type { VaultState } from "./state.ts";
import type { PageStore } from "./store.ts";

/** A branch younger than this is probably a shadow that will be dropped soon. */
const YOUNG_MS = 30_000;
/** Sorts behind every action of a frame. */
const PART_LAST = 0xffff_ffff;

/** The parts of the vault that a checkpoint works on. */
export interface CheckpointOptions {
  readonly uuid: string;
  readonly state: VaultState;
  readonly store: PageStore;
  readonly log: Log;
  readonly segments: SegmentFolder;
  readonly folder: Folder;
  readonly clock: Clock;
  readonly retainBytes: number;
}

/** What a checkpoint did: everything up to `seq` is in pages. */
export interface CheckpointReport {
  readonly seq: number;
  readonly pages: number;
  readonly branches: number;
  /** Pages that the arenas of dropped branches had taken: they may be garbage now. */
  readonly orphans: number;
  readonly durationMs: number;
}

/** A row whose layer has still to be folded. */
interface Pending<T> {
  readonly row: Omit<T, "roots">;
  readonly layer: StateLayer;
  readonly foldFor: FoldFor;
}

/** What one checkpoint writes, as it was in the turn of its capture. */
interface Capture {
  readonly seq: number;
  readonly place: () => LogPlace | undefined;
  readonly memtableBytes: number;
  readonly branchIds: readonly BranchId[];
  readonly names: readonly string[];
  readonly branches: readonly Pending<BranchRow>[];
  readonly landmarks: readonly (Pending<LandmarkRow> & { readonly landmark: Landmark })[];
  readonly puts: readonly Row[];
  readonly deletes: readonly Uint8Array[];
  readonly droppedBranches: readonly BranchId[];
  readonly global: {
    readonly nextBranch: number;
    readonly branches: number;
    readonly names: number;
    readonly landmarks: number;
  };
}

/** Runs one checkpoint. Rejects with VAULT_COMMIT_FAILED, VAULT_FAILED, VAULT_STORE_FAILED or VAULT_PAGE_DAMAGED. */
export async function runCheckpoint(
  options: CheckpointOptions,
): Promise<CheckpointReport & { readonly place: LogPlace }> {
  const { state, log, folder, clock } = options;
  const startMs = clock.monotonicMs();
  const pagesBefore = folder.pagesWritten;
  const capture = captureState(options);
  try {
    await log.barrier(capture.seq);
    const place = capture.place();
    if (place === undefined) throw new VaultError("VAULT_COMMIT_FAILED", "the commits to be checkpointed were undone");
    await writeCapture(options, capture, place);
    await options.segments.release((segment) => isSegmentNeeded(options, place, segment.no));
    return {
      place,
      seq: capture.seq,
      pages: folder.pagesWritten - pagesBefore,
      branches: capture.branches.length,
      orphans: capture.droppedBranches.reduce((sum, id) => sum + (folder.nextPages.get(id) ?? 1) - 1, 0),
      durationMs: clock.monotonicMs() - startMs,
    };
  } catch (error) {
    folder.abandon();
    for (const id of capture.branchIds) state.dirtyBranches.add(id);
    for (const name of capture.names) state.dirtyNames.add(name);
    for (const { landmark } of capture.landmarks) landmark.isStored = false;
    state.memtableBytes += capture.memtableBytes;
    throw error;
  }
}

/** Takes down, in one turn, everything that changed since the last checkpoint. */
function captureState(options: CheckpointOptions): Capture {
  const { state, log } = options;
  const branchIds = [...state.dirtyBranches];
  const names = [...state.dirtyNames];
  const dirty = branchIds.flatMap((id) => state.branches.get(id) ?? []);
  const branches = dirty.map((branch) => captureBranch(options, branch));
  const deletes: Uint8Array[] = dirty.flatMap((branch) => prune(branch, options.segments.firstSeq ?? 1));
  const landmarks = dirty.flatMap((branch) => captureLandmarks(options, branch));
  const puts: Row[] = [];
  for (const name of names) {
    const branch = state.names.get(name);
    if (branch === undefined) deletes.push(nameKey(name));
    else puts.push(encodeName(name, branch));
  }
  const counts = { branches: state.branches.size, names: state.names.size, landmarks: storedLandmarks(state) };
  const memtableBytes = state.memtableBytes;
  state.memtableBytes = 0;
  state.dirtyBranches.clear();
  state.dirtyNames.clear();
  return {
    seq: log.lastSeq,
    place: log.mark(),
    memtableBytes,
    branchIds,
    names,
    branches,
    landmarks,
    puts,
    deletes,
    droppedBranches: branchIds.filter((id) => !state.branches.has(id)),
    global: { nextBranch: state.nextBranch, ...counts },
  };
}

function captureBranch({ clock }: CheckpointOptions, branch: BranchState): Pending<BranchRow> {
  const { id, parent, createdSeq, createdAtMs, head, epoch } = branch;
  const layer = branch.freeze();
  const last = branch.landmarks.at(-1);
  if (last === undefined || last.seq < head || last.isPartial) {
    const rest = { label: "", timeMs: clock.now(), through: undefined, isPartial: false, isStored: false };
    branch.addLandmark({ kind: "checkpoint", seq: head, part: PART_LAST, layer, ...rest });
  }
  return { row: { id, parent, createdSeq, createdAtMs, head, epoch }, layer, foldFor: foldFor(clock, branch) };
}

function foldFor(clock: Clock, { id, createdAtMs }: BranchState): FoldFor {
  return { arena: id, isYoung: clock.now() - createdAtMs < YOUNG_MS };
}

/** Drops the landmarks that serve no point any more. Returns the keys of the rows to delete. */
function prune(branch: BranchState, firstSeq: number): Uint8Array[] {
  const isKept = (landmark: Landmark) => !isPrunable(landmark, firstSeq);
  const gone = branch.landmarks.filter((landmark) => !isKept(landmark));
  branch.landmarks = branch.landmarks.filter(isKept);
  return gone.map((landmark) => landmarkKey(branch.id, landmark));
}

function captureLandmarks({ clock }: CheckpointOptions, branch: BranchState): Capture["landmarks"] {
  return branch.landmarks
    .filter(({ isStored }) => !isStored)
    .map((landmark) => {
      const { kind, seq, part, timeMs, label, through, isPartial, layer } = landmark;
      // Set now, not when it is written: a commit in between that changes the landmark clears it again.
      landmark.isStored = true;
      const row = { branch: branch.id, kind, seq, part, timeMs, label, through, isPartial };
      return { row, layer, landmark, foldFor: foldFor(clock, branch) };
    });
}

/** How many landmark rows there are once this checkpoint is done. */
function storedLandmarks({ branches }: VaultState): number {
  let count = 0;
  for (const { landmarks } of branches.values()) count += landmarks.length;
  return count;
}

async function writeCapture(
  { uuid, store, folder }: CheckpointOptions,
  capture: Capture,
  place: LogPlace,
): Promise<void> {
  const wanted = new Set([...capture.branches, ...capture.landmarks].map(({ layer }) => layer));
  const rootsOf = async ({ layer, foldFor }: Pending<unknown>): Promise<Roots> => folder.fold(layer, wanted, foldFor);
  const puts = [...capture.puts];
  for (const pending of capture.branches) puts.push(encodeBranch({ ...pending.row, roots: await rootsOf(pending) }));
  for (const pending of capture.landmarks) puts.push(encodeLandmark({ ...pending.row, roots: await rootsOf(pending) }));
  await folder.flush();
  for (const [arena, nextPage] of folder.takeArenas()) puts.push(encodeArena(arena, nextPage));
  puts.push(encodeGlobal({ uuid, place, ...capture.global }));
  const droppedKeys = capture.droppedBranches.flatMap((id) => [
    branchKey(id),
    ...store.rangeMeta(landmarksKey(id)).map(([key]) => key),
  ]);
  await folder.ensureRoom(puts.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
  await store.transaction((draft) => {
    for (const key of [...capture.deletes, ...droppedKeys]) draft.deleteMeta(key);
    for (const [key, value] of puts) draft.putMeta(key, value);
  });
}

function isSegmentNeeded({ segments, retainBytes }: CheckpointOptions, place: LogPlace, no: number): boolean {
  if (no >= place.segmentNo) return true;
  const behind = segments.segments.filter((segment) => segment.no < place.segmentNo);
  return behind.reduce((sum, { bytes }) => sum + bytes, 0) <= retainBytes;
}
