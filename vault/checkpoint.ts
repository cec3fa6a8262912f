/**
 * The checkpoint: folds the log into pages and lets its tail go.
 *
 *     capture (one moment) --> log durable up to there --> fold layers --> rows and place, all or none --> release segments
 *
 * Invariants:
 * 1. A checkpoint at seq C holds exactly the frames up to C: what is captured of one moment is what it writes.
 * 2. Nothing reaches the pages before the log has it durably; a page never holds what a crash would undo.
 * 3. The rows and the place in the log change together, after all pages: a crash before that leaves the last checkpoint
 *    and unreachable pages, nothing else.
 * 4. A segment is released when all of it is behind the checkpoint and more than `retainBytes` of log lie behind it too.
 * 5. A checkpoint that fails changes nothing; what it had captured is dirty again.
 */
import { CheckpointCapture } from "./checkpoint-capture.ts";
import type { Clock } from "./clock.ts";
import { VaultError } from "./errors.ts";
import type { Folder } from "./fold.ts";
import type { StateLayer } from "./layer.ts";
import type { Log } from "./log.ts";
import type { LogPlace } from "./log-scan.ts";
import { writeRows } from "./row-writer.ts";
import type { RowChange } from "./row-writer.ts";
import { branchKey, landmarksKey, nameKey } from "./rows.ts";
import { encodeArena, encodeBranch, encodeGlobal, encodeLandmark, encodeName } from "./rows.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { Slices } from "./slices.ts";
import type { VaultState } from "./state.ts";
import type { PageStore } from "./store.ts";

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

/** Runs one checkpoint. Rejects with VAULT_COMMIT_FAILED, VAULT_FAILED, VAULT_STORE_FAILED or VAULT_PAGE_DAMAGED. */
export async function runCheckpoint(
  options: CheckpointOptions,
): Promise<CheckpointReport & { readonly place: LogPlace }> {
  const { log, folder, clock } = options;
  const startMs = clock.monotonicMs();
  const pagesBefore = folder.pagesWritten;
  const slices = new Slices();
  const capture = new CheckpointCapture(options);
  // Asked for in the turn of the capture: it also tells when one of these commits is undone.
  const isDurable = log.barrier(capture.seq);
  isDurable.catch(() => undefined); // it is awaited below
  try {
    await capture.finish(slices);
    await isDurable;
    const place = capture.place();
    if (place === undefined) throw new VaultError("VAULT_COMMIT_FAILED", "the commits to be checkpointed were undone");
    await writeCapture(options, { capture, place }, slices);
    return {
      place,
      seq: capture.seq,
      pages: folder.pagesWritten - pagesBefore,
      branches: capture.branches.length,
      orphans: capture.dropped.reduce((sum, id) => sum + (folder.nextPages.get(id) ?? 1) - 1, 0),
      durationMs: clock.monotonicMs() - startMs,
    };
  } catch (error) {
    folder.abandon();
    capture.giveBack();
    throw error;
  }
}

/** Lets go of the log's old segments behind `place`. Rejects with VAULT_RELEASE_FAILED; then they stay for another time. */
export async function releaseSegments(options: CheckpointOptions, place: LogPlace): Promise<void> {
  await options.segments.release((segment) => isSegmentNeeded(options, place, segment.no));
}

async function writeCapture(
  { uuid, store, folder }: CheckpointOptions,
  { capture, place }: { readonly capture: CheckpointCapture; readonly place: LogPlace },
  slices: Slices,
): Promise<void> {
  const changes: RowChange[] = capture.deletes.map((key) => [key, undefined]);
  for (const id of capture.dropped) {
    changes.push([branchKey(id), undefined]);
    for (const [key] of store.rangeMeta(landmarksKey(id))) changes.push([key, undefined]);
    await slices.pause();
  }
  for (const [name, branch] of capture.names)
    changes.push(branch === undefined ? [nameKey(name), undefined] : encodeName(name, branch));
  const { branches, landmarks } = capture;
  const wanted = new Set<StateLayer>();
  for (const { layer } of branches) wanted.add(layer);
  for (const { layer } of landmarks) wanted.add(layer);
  for (const { row, layer, foldFor } of branches) {
    changes.push(encodeBranch({ ...row, roots: await folder.fold(layer, wanted, foldFor) }));
    await slices.pause();
  }
  for (const { row, layer, foldFor } of landmarks) {
    changes.push(encodeLandmark({ ...row, roots: await folder.fold(layer, wanted, foldFor) }));
    await slices.pause();
  }
  await folder.flush();
  for (const [arena, nextPage] of folder.takeArenas()) {
    changes.push(encodeArena(arena, nextPage));
    await slices.pause();
  }
  changes.push(encodeGlobal({ uuid, place, ...capture.counts }));
  // Twice: many rows are written to a journal first.
  await folder.ensureRoom(2 * changes.reduce((sum, [key, value]) => sum + key.length + (value?.length ?? 0), 0));
  await writeRows(store, changes, slices);
}

function isSegmentNeeded({ segments, retainBytes }: CheckpointOptions, place: LogPlace, no: number): boolean {
  if (no >= place.segmentNo) return true;
  const behind = segments.segments.filter((segment) => segment.no < place.segmentNo);
  return behind.reduce((sum, { bytes }) => sum + bytes, 0) <= retainBytes;
}
