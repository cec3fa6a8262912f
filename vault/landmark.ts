/**
 * Landmarks: the states of a branch's past that are kept as they were. A point in time is the nearest landmark before
 * it plus the log from there on.
 *
 *     ---- start ------ snapshot "a" ------------ checkpoint ------ restore ------> head
 *            |<- through ->|
 *
 * Invariants:
 * 1. A branch's landmarks are in the order of their seqs.
 * 2. From `seq` to `through` the branch's state was the landmark's. `through` is set when the branch changes again, or gets
 *    another landmark: only the last one of a branch may be without.
 * 3. A landmark that its own frame changed afterwards (a snapshot in the middle of a commit) is `isPartial`: it answers
 *    for its label only, not for a seq.
 */
import type { StateLayer } from "./layer.ts";
import type { Seq } from "./model.ts";

/**
 * `start` (made, or forked from a head), `restore` (the state was taken from a past point) and `checkpoint` serve points
 * in time and go with the log; a `snapshot` has a label and stays.
 */
export type LandmarkKind = "start" | "snapshot" | "restore" | "checkpoint";

/** One kept state. See the header. */
export interface Landmark {
  kind: LandmarkKind;
  readonly seq: Seq;
  /** Index of the action within its frame: tells landmarks with one seq apart. */
  readonly part: number;
  readonly timeMs: number;
  label: string;
  readonly layer: StateLayer;
  through: number | undefined;
  isPartial: boolean;
  /** Whether the store has it as it is. */
  isStored: boolean;
  /** The commit that made it was undone: whoever has put it aside does not bring it back. */
  isUndone?: true;
}

/** The last landmark whose state was current at some seq up to `seq`. */
export function landmarkBefore(landmarks: readonly Landmark[], seq: number): Landmark | undefined {
  return landmarks.findLast((landmark) => landmark.seq <= seq && !landmark.isPartial);
}

/** Whether `landmark` can still serve a point in time when the log begins at `firstSeq`. */
function isReachable({ through }: Pick<Landmark, "through">, firstSeq: number): boolean {
  return through === undefined || through + 1 >= firstSeq;
}

/** Whether `landmark` serves nothing any more when the log begins at `firstSeq`: no label, and no point in time. */
export function isPrunable(landmark: Pick<Landmark, "kind" | "isPartial" | "through">, firstSeq: number): boolean {
  return landmark.kind !== "snapshot" && (landmark.isPartial || !isReachable(landmark, firstSeq));
}

/** Notes that another landmark follows `last` at `seq`, though nothing changes. Returns what takes the note back, if one was made. */
export function endLandmark(last: Landmark | undefined, seq: number): (() => void) | undefined {
  if (last === undefined || last.through !== undefined || last.isPartial) return undefined;
  const { isStored } = last;
  last.through = Math.max(last.seq, seq - 1);
  last.isStored = false;
  return () => {
    last.through = undefined;
    last.isStored = isStored;
  };
}

/** Notes that the branch changes at `seq`. Returns what takes the note back; most often there is nothing to note. */
export function closeLandmark(
  branch: { readonly landmarks: readonly Landmark[] },
  seq: number,
): (() => void) | undefined {
  const last = branch.landmarks.at(-1);
  if (last === undefined || last.through !== undefined || last.isPartial) return undefined;
  const isStored = last.isStored;
  if (last.seq === seq) last.isPartial = true;
  else last.through = seq - 1;
  last.isStored = false;
  return () => {
    last.isPartial = false;
    // A checkpoint may have set a landmark behind it meanwhile: then its time has ended all the same.
    if (branch.landmarks.at(-1) !== last) return;
    last.through = undefined;
    last.isStored = isStored;
  };
}
