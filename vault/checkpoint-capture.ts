/**
 * The capture of a checkpoint: what changed since the last one, as it was at one moment, without holding the thread for
 * all of it.
 *
 *     one turn:   which branches changed, names, counts, the end of the log
 *     in slices:  each of those branches; one that a commit is about to change is captured just before
 *
 * Invariants:
 * 1. What is captured of a branch is its state at `seq`: nothing changes a branch but records, and those ask first.
 *    Freezing it, or undoing a commit that came after `seq`, takes nothing of that away.
 * 2. `giveBack` makes everything that was captured due again; what has changed since then stays changed.
 */
import type { BranchState } from "./branch-state.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import type { Clock } from "./clock.ts";
import type { FoldFor } from "./fold.ts";
import { isPrunable } from "./landmark.ts";
import type { Landmark } from "./landmark.ts";
import type { StateLayer } from "./layer.ts";
import type { LogPlace } from "./log-scan.ts";
import type { BranchId } from "./model.ts";
import type { LogRecord } from "./record.ts";
import { landmarkKey } from "./rows.ts";
import type { BranchRow, GlobalRow, LandmarkRow } from "./rows.ts";
import type { Slices } from "./slices.ts";

/** A branch younger than this is probably a shadow that will be dropped soon. */
const YOUNG_MS = 30_000;
/** Sorts behind every action of a frame. */
const PART_LAST = 0xffff_ffff;

/** A row whose layer has still to be folded. */
export interface PendingRow<T> {
  readonly row: Omit<T, "roots">;
  readonly layer: StateLayer;
  readonly foldFor: FoldFor;
}

interface Pruned {
  readonly branch: BranchState;
  readonly landmarks: readonly Landmark[];
}

/** See the header. To be made in the turn whose state it is to hold. */
export class CheckpointCapture {
  readonly seq: number;
  readonly place: () => LogPlace | undefined;
  /** Names that changed, with what they point to. */
  readonly names: readonly (readonly [name: string, branch: BranchId | undefined])[];
  readonly branches: PendingRow<BranchRow>[] = [];
  readonly landmarks: (PendingRow<LandmarkRow> & { readonly landmark: Landmark })[] = [];
  /** Keys of landmarks that serve nothing any more. */
  readonly deletes: Uint8Array[] = [];
  /** Branches that were dropped. */
  readonly dropped: BranchId[] = [];
  readonly #options: CheckpointOptions;
  readonly #firstSeq: number;
  readonly #counts: Pick<GlobalRow, "nextBranch" | "branches" | "names">;
  readonly #memtableBytes: number;
  readonly #ids: readonly BranchId[];
  /** Branches that are still to be captured. */
  readonly #due: Set<BranchId>;
  readonly #pruned: Pruned[] = [];
  #landmarkCount = 0;

  constructor(options: CheckpointOptions) {
    const { state, log, segments } = options;
    this.#options = options;
    this.seq = log.lastSeq;
    this.place = log.mark();
    this.#firstSeq = segments.firstSeq ?? 1;
    this.names = [...state.dirtyNames].map((name) => [name, state.names.get(name)] as const);
    this.#ids = [...state.dirtyBranches];
    this.#due = new Set(this.#ids);
    for (const { landmarks } of state.branches.values()) this.#landmarkCount += landmarks.length;
    this.#counts = { nextBranch: state.nextBranch, branches: state.branches.size, names: state.names.size };
    this.#memtableBytes = state.memtableBytes;
    state.memtableBytes = 0;
    state.dirtyBranches.clear();
    state.dirtyNames.clear();
    state.beforeRecord = (record) => this.#beforeRecord(record);
  }

  /** Captures what is left. Rejects with the reason of the slices' signal. */
  async finish(slices: Slices): Promise<void> {
    for (const id of this.#due) {
      this.#capture(id);
      await slices.pause();
    }
    this.#options.state.beforeRecord = undefined;
  }

  /** How many rows there are once this is written; known when it is finished. */
  get counts(): Pick<GlobalRow, "nextBranch" | "branches" | "names" | "landmarks"> {
    return { ...this.#counts, landmarks: this.#landmarkCount };
  }

  /** See invariant 2. */
  giveBack(): void {
    const { state } = this.#options;
    state.beforeRecord = undefined;
    for (const id of this.#ids) state.dirtyBranches.add(id);
    for (const [name] of this.names) state.dirtyNames.add(name);
    for (const { landmark } of this.landmarks) landmark.isStored = false;
    // Their rows are still there, and nobody else would delete them.
    for (const { branch, landmarks } of this.#pruned) {
      const standing = landmarks.filter(({ isUndone }) => isUndone !== true);
      branch.landmarks = [...standing, ...branch.landmarks].toSorted(byPlace);
    }
    state.memtableBytes += this.#memtableBytes;
  }

  #beforeRecord(record: LogRecord): void {
    if (record.branch !== undefined) this.#capture(record.branch);
    if (record.type === "fork" || record.type === "restore") this.#capture(record.source.branch);
  }

  #capture(id: BranchId): void {
    if (!this.#due.delete(id)) return;
    const branch = this.#options.state.branches.get(id);
    if (branch === undefined) {
      this.dropped.push(id);
      return;
    }
    const before = branch.landmarks.length;
    this.#captureBranch(branch);
    this.#prune(branch);
    this.#captureLandmarks(branch);
    this.#landmarkCount += branch.landmarks.length - before;
  }

  #captureBranch(branch: BranchState): void {
    const { clock } = this.#options;
    const { id, parent, createdSeq, createdAtMs, head, epoch } = branch;
    const layer = branch.freeze();
    const last = branch.landmarks.at(-1);
    if (last === undefined || last.seq < head || last.isPartial) {
      const rest = { label: "", timeMs: clock.now(), through: undefined, isPartial: false, isStored: false };
      branch.addLandmark({ kind: "checkpoint", seq: head, part: PART_LAST, layer, ...rest });
    }
    const row = { id, parent, createdSeq, createdAtMs, head, epoch };
    this.branches.push({ row, layer, foldFor: foldFor(clock, branch) });
  }

  /** Drops the landmarks that serve no point any more. */
  #prune(branch: BranchState): void {
    const gone = branch.landmarks.filter((landmark) => isPrunable(landmark, this.#firstSeq));
    if (gone.length === 0) return;
    branch.landmarks = branch.landmarks.filter((landmark) => !isPrunable(landmark, this.#firstSeq));
    for (const landmark of gone) this.deletes.push(landmarkKey(branch.id, landmark));
    this.#pruned.push({ branch, landmarks: gone });
  }

  #captureLandmarks(branch: BranchState): void {
    for (const landmark of branch.landmarks) {
      if (landmark.isStored) continue;
      const { kind, seq, part, timeMs, label, through, isPartial, layer } = landmark;
      // Set now, not when it is written: a commit in between that changes the landmark clears it again.
      landmark.isStored = true;
      const row = { branch: branch.id, kind, seq, part, timeMs, label, through, isPartial };
      this.landmarks.push({ row, layer, landmark, foldFor: foldFor(this.#options.clock, branch) });
    }
  }
}

function foldFor(clock: Clock, { id, createdAtMs }: BranchState): FoldFor {
  return { arena: id, isYoung: clock.now() - createdAtMs < YOUNG_MS };
}

function byPlace(a: Landmark, b: Landmark): number {
  return a.seq - b.seq || a.part - b.part;
}
