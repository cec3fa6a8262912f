/**
 * What an agent's export consists of: its past as far back as the log reaches, found among the landmarks of its branch and
 * of the branches it was forked from. Decisions only; reading and writing is in export.ts.
 *
 *     snapshots older than the log        the state from which the log goes on     records of the log
 *     o --difference--> o --difference--> o -- write, snapshot, write, restore --> target
 *
 * A member of the lineage is passed on to the next when its fork lies in the log. The oldest state is the landmark from
 * which no record of its branch is missing.
 */
import { EMPTY_LAYER } from "./branch-state.ts";
import type { BranchState } from "./branch-state.ts";
import type { Landmark } from "./landmark.ts";
import type { StateLayer } from "./layer.ts";
import type { BranchId } from "./model.ts";
import { lineage } from "./past.ts";
import type { PastState } from "./past.ts";
import type { VaultState } from "./state.ts";

/** A position in the log, down to the record. */
export interface Position {
  readonly seq: number;
  readonly part: number;
}

/** A state that the export names: a snapshot from before the log, or the one from which the log goes on. */
export interface OldState extends Position {
  readonly layer: StateLayer;
  /** Undefined for a state that no record made: the export's own time will do. */
  readonly timeMs: number | undefined;
  /** Of a snapshot. */
  readonly label: string | undefined;
}

/** One branch of the lineage, as far as its records in the log belong to the target's past. */
export interface Member {
  readonly branch: BranchState;
  readonly untilSeq: number;
}

/** See the header. */
export interface Timeline {
  /** Oldest first. The last one is where the log goes on. */
  readonly states: readonly OldState[];
  /** Records of the log behind this position belong to the export, ... */
  readonly after: Position;
  /** ... if they are of these branches. Oldest first; empty when the target needs no log. */
  readonly members: readonly Member[];
}

const EMPTY_STATE = { layer: EMPTY_LAYER, part: -1, label: undefined };

/** The past of `target`, with a log that begins at `firstSeq` (undefined: there is none). */
export function timelineOf(state: VaultState, target: PastState, firstSeq: number = Infinity): Timeline {
  const members = membersOf(state, target);
  const chain = linked(members, firstSeq);
  const oldest = chain[0];
  const start = oldest === undefined ? undefined : startOf(oldest, firstSeq);
  const labels = members.flatMap(snapshotsOf);
  if (start === undefined || (target.label !== undefined && target.seq < firstSeq)) {
    const { states, ...moment } = momentOf(target);
    return { ...moment, states: [...labels.filter(({ seq }) => seq <= target.seq && seq < firstSeq), ...states] };
  }
  const older = labels.filter((each) => each.seq < firstSeq || !isBehind(each, start));
  return { states: [...older, start], after: start, members: chain };
}

/** The state of `target` and nothing before it. */
export function momentOf({ layer, seq }: PastState): Timeline {
  const at = { layer, seq, part: Infinity, timeMs: undefined, label: undefined };
  return { states: [at], after: at, members: [] };
}

/** Whether a record at `position` comes behind `other`. */
export function isBehind(position: Position, other: Position): boolean {
  return position.seq > other.seq || (position.seq === other.seq && position.part > other.part);
}

function membersOf(state: VaultState, { branch, seq }: PastState): readonly Member[] {
  const top = state.branches.get(branch);
  if (top === undefined) return [];
  const members = [...lineage(state, top)].map((each) => ({ ...each, untilSeq: Math.min(each.untilSeq, seq) }));
  return members.toReversed();
}

/** The youngest members that hang together in the log: each but the first was forked within it. */
function linked(members: readonly Member[], firstSeq: number): readonly Member[] {
  for (const [index, member] of members.toReversed().entries()) {
    const from = members.length - 1 - index;
    const isBornHere = member.branch.createdSeq >= firstSeq;
    const older = members[from - 1];
    if (!isBornHere || older === undefined || startOf(older, firstSeq) === undefined) return members.slice(from);
    if (!isForkTold(member, older, firstSeq)) return members.slice(from);
  }
  return members;
}

/** Whether what a fork changed can be told: it began with its parent's state at that moment, or with a point that is still there. */
function isForkTold({ branch }: Member, { branch: parent }: Member, firstSeq: number): boolean {
  const seq = branch.parent?.seq ?? 0;
  const isOfHead = branch.landmarks.some((each) => each.kind === "start" && each.seq === branch.createdSeq);
  if (isOfHead || seq >= parent.head) return true;
  const mark = parent.landmarkBefore(seq);
  if (mark === undefined) return parent.parent === undefined && parent.createdSeq >= firstSeq;
  const through = mark.through ?? mark.seq;
  return through >= seq || through + 1 >= firstSeq;
}

/** The first kept state of a member from which none of its later records is missing. */
function startOf({ branch, untilSeq }: Member, firstSeq: number): OldState | undefined {
  const { createdSeq: seq, createdAtMs: timeMs, parent } = branch;
  if (seq >= firstSeq && parent === undefined) return { ...EMPTY_STATE, seq, timeMs };
  const isWhole = ({ seq: at, through, isPartial }: Landmark): boolean =>
    at >= firstSeq || (!isPartial && (through === undefined || through + 1 >= firstSeq));
  const landmark = branch.landmarks.find((each) => each.seq <= untilSeq && isWhole(each));
  return landmark === undefined ? undefined : { ...positionOf(landmark), label: undefined };
}

function snapshotsOf({ branch, untilSeq }: Member): readonly OldState[] {
  const snapshots = branch.landmarks.filter(({ kind, seq }) => kind === "snapshot" && seq <= untilSeq);
  return snapshots.map((landmark) => ({ ...positionOf(landmark), label: landmark.label }));
}

function positionOf({ layer, seq, part, timeMs }: Landmark): Omit<OldState, "label"> {
  return { layer, seq, part, timeMs };
}

/** The members by their id. */
export function byId(members: readonly Member[]): ReadonlyMap<BranchId, Member> {
  return new Map(members.map((member) => [member.branch.id, member]));
}
