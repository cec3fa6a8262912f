/**
 * Recovery: the last checkpoint, then every frame behind it.
 *
 *     rows --> state at the checkpoint --replay frames--> state at the last whole frame --sync--> new segment
 *
 * Invariants:
 * 1. What is served afterwards is a prefix of what was written, and contains all that was acknowledged.
 * 2. Nothing is served before it is durable: what was replayed is synced first, since it may only have been in the
 *    page cache.
 * 3. Nothing is written behind a torn tail: the log goes on in a new segment.
 */
import { BranchState } from "./branch-state.ts";
import { VaultError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { endLandmark } from "./landmark.ts";
import { StateLayer } from "./layer.ts";
import { firstPlace, scanLog } from "./log-scan.ts";
import type { LogPlace } from "./log-scan.ts";
import { readRecords } from "./record.ts";
import { ARENA_PREFIX, BRANCH_PREFIX, GLOBAL_KEY, LANDMARK_PREFIX, NAME_PREFIX } from "./rows.ts";
import { decodeArena, decodeBranch, decodeGlobal, decodeLandmark, decodeName, pagesDamaged } from "./rows.ts";
import type { GlobalRow } from "./rows.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { segmentName } from "./segment.ts";
import { treesOf } from "./roots.ts";
import { Applying, VaultState } from "./state.ts";
import type { PageStore } from "./store.ts";

/** What the page store knew. */
export interface Loaded {
  readonly state: VaultState;
  readonly nextPages: Map<number, number>;
  /** Where the log goes on behind the checkpoint; undefined when there was none yet. */
  readonly place: LogPlace | undefined;
}

/** Before the first segment of a new vault. */
const LOG_START: LogPlace = { segmentNo: 0, offset: 0, crc: 0, seq: 0 };

/** What the log added. */
export interface Replayed {
  readonly entries: number;
  readonly bytes: number;
  /** Behind the last whole frame. */
  readonly end: LogPlace;
  readonly isTorn: boolean;
  /** An entry names pages that the checkpoint may not know of (page-numbers.ts). */
  readonly namesPages: boolean;
}

/** Where the rows of a checkpoint are: the page store, or a backup of it. */
export type RowSource = Pick<PageStore, "readMeta" | "rangeMeta">;

/** Reads the rows of the last checkpoint. Throws VAULT_PAGES_DAMAGED, VAULT_FORMAT_UNKNOWN. */
export function loadCheckpoint(store: RowSource, uuid: string): Loaded {
  const state = new VaultState();
  const nextPages = new Map<number, number>();
  const bytes = store.readMeta(GLOBAL_KEY);
  if (bytes === undefined) return { state, nextPages, place: undefined };
  const global = decodeGlobal([GLOBAL_KEY, bytes]);
  if (global.uuid !== uuid) throw pagesDamaged("the page store belongs to another vault", { uuid: global.uuid });
  state.nextBranch = global.nextBranch;
  for (const row of store.rangeMeta(BRANCH_PREFIX)) addBranch(state, decodeBranch(row));
  const landmarks = addLandmarks(state, store);
  for (const row of store.rangeMeta(NAME_PREFIX)) addName(state, decodeName(row));
  for (const row of store.rangeMeta(ARENA_PREFIX)) {
    const { arena, nextPage } = decodeArena(row);
    nextPages.set(arena, nextPage);
  }
  skipNamedPages(state, nextPages);
  checkCounts(global, { branches: state.branches.size, names: state.names.size, landmarks });
  return { state, nextPages, place: global.place };
}

/**
 * A counter whose row is lost would begin again and have needed pages written over. The top page of a tree is the last that
 * its build numbers, so behind the highest root of an arena no page is needed.
 */
function skipNamedPages(state: VaultState, nextPages: Map<number, number>): void {
  for (const { top, landmarks } of state.branches.values()) {
    for (const layer of [top, ...landmarks.map((landmark) => landmark.layer)]) {
      for (const roots of layer.allRoots()) {
        for (const { id } of treesOf(roots)) nextPages.set(id.arena, Math.max(nextPages.get(id.arena) ?? 1, id.no + 1));
      }
    }
  }
}

/** Replays the log behind the checkpoint into `state` and syncs it. Throws VAULT_LOG_DAMAGED, VAULT_PAGES_DAMAGED. */
export async function replayLog(segments: SegmentFolder, { state, place }: Loaded): Promise<Replayed> {
  const start = startPlace(segments, place);
  if (start === undefined) return { entries: 0, bytes: 0, end: LOG_START, isTorn: false, namesPages: false };
  let entries = 0;
  let bytes = 0;
  let namesPages = false;
  const { end, isTorn } = await scanLog(segments, start, (frame) => {
    entries++;
    bytes += frame.bytes;
    namesPages = replayFrame(state, frame) || namesPages;
  });
  if (entries > 0) await syncSegments(segments, start.segmentNo);
  return { entries, bytes, end, isTorn, namesPages };
}

function startPlace(segments: SegmentFolder, place: LogPlace | undefined): LogPlace | undefined {
  const [oldest] = segments.segments;
  if (place === undefined) {
    if (oldest === undefined || oldest.firstSeq === 1) return oldest === undefined ? undefined : firstPlace(oldest);
    const details = { firstSeq: oldest.firstSeq };
    throw pagesDamaged("the page store is empty although the log begins behind a checkpoint", details);
  }
  if (segments.segments.some(({ no }) => no === place.segmentNo)) return place;
  const segment = segmentName(place.segmentNo);
  const message = `log segment ${segment}, where the last checkpoint ends, is missing: entries from ${place.seq + 1} on may be lost`;
  const details = { segment, offset: place.offset, firstLostSeq: place.seq + 1 };
  throw new VaultError("VAULT_LOG_DAMAGED", message, { details });
}

/** Applies an entry; true when it names pages. */
function replayFrame(state: VaultState, frame: Frame): boolean {
  const { seq, timeMs } = frame;
  // Nothing is taken back during recovery: an entry that cannot be applied ends it.
  const applying = new Applying(seq, timeMs, { isFinal: true });
  let namesPages = false;
  try {
    for (const record of readRecords(frame.body)) {
      state.apply(record, applying);
      applying.part++;
      if ("source" in record && record.source.from === "roots") namesPages = true;
    }
    return namesPages;
  } catch (cause) {
    const message = `entry ${seq} of the log does not fit the state before it`;
    throw new VaultError("VAULT_LOG_DAMAGED", message, { details: { firstLostSeq: seq }, cause });
  }
}

/** Makes everything in the segments from `fromNo` on durable. */
export async function syncSegments(segments: SegmentFolder, fromNo: number): Promise<void> {
  for (const { no } of segments.segments) {
    if (no < fromNo) continue;
    const file = await segments.openSegment(no);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

function addBranch(state: VaultState, row: ReturnType<typeof decodeBranch>): void {
  const branch = new BranchState(row, StateLayer.ofRoots(row.roots));
  branch.head = row.head;
  branch.epoch = row.epoch;
  state.branches.set(row.id, branch);
}

function addLandmarks(state: VaultState, store: RowSource): number {
  const rows = store.rangeMeta(LANDMARK_PREFIX).map(decodeLandmark);
  for (const { branch: id, roots, ...row } of rows) {
    const branch = state.branches.get(id);
    if (branch === undefined) throw pagesDamaged(`a snapshot row names branch ${id}, which has no row`, { branch: id });
    // Rows of older versions may not say when the time of a landmark ended that was followed by another.
    endLandmark(branch.landmarks.at(-1), row.seq);
    branch.landmarks.push({ ...row, layer: StateLayer.ofRoots(roots), isStored: true });
  }
  return rows.length;
}

function addName(state: VaultState, { name, branch: id }: ReturnType<typeof decodeName>): void {
  const branch = state.branches.get(id);
  if (branch === undefined)
    throw pagesDamaged(`name ${JSON.stringify(name)} points to no branch`, { name, branch: id });
  state.names.set(name, id);
  branch.addName(name);
}

function checkCounts(global: GlobalRow, found: Pick<GlobalRow, "branches" | "names" | "landmarks">): void {
  for (const what of ["branches", "names", "landmarks"] as const) {
    if (global[what] === found[what]) continue;
    const details = { what, expected: global[what], found: found[what] };
    throw pagesDamaged(`the page store has ${found[what]} ${what} where it should have ${global[what]}`, details);
  }
}
