/**
 * The vault's state, and how a record changes it. The same code applies what is committed now and what recovery replays.
 *
 *     record + { seq, time } --apply--> branches, names, landmarks   (and the steps that take it back)
 *
 * Invariants:
 * 1. Applying the same records to the same state gives the same state: nothing is asked of a clock, a disk or chance.
 * 2. A record either applies whole or throws and leaves nothing: whatever it did is among its undo steps.
 * 3. Undo steps are run newest first over all commits, so each finds the state it left.
 */
import { BranchState, EMPTY_LAYER } from "./branch-state.ts";
import { VaultError } from "./errors.ts";
import { closeLandmark } from "./landmark.ts";
import type { LandmarkKind } from "./landmark.ts";
import { StateLayer } from "./layer.ts";
import type { Undoing } from "./log-entry.ts";
import type { BranchId, Op, Seq } from "./model.ts";
import type { LogRecord, Source } from "./record.ts";
import type { Roots } from "./roots.ts";

const NO_STEPS: (() => void)[] = [];
const NONE_TOUCHED: BranchState[] = [];

/** The records of one commit being applied: where it stands, what it touched, and the steps that take it back. */
export class Applying implements Undoing {
  readonly seq: Seq;
  readonly timeMs: number;
  readonly isFinal: boolean;
  /** Index of the record within its frame. */
  part = 0;
  /** A name was taken that nobody had, or given up: no branch stands between the commits that do one and the other. */
  takesName = false;
  freesName = false;
  // Both lists have one element most of the time, and are made with it: an empty one that grows takes room for 17.
  #steps: (() => void)[] = NO_STEPS;
  #touched: BranchState[] = NONE_TOUCHED;

  /** `isFinal`: nobody will take it back. */
  constructor(seq: Seq, timeMs: number, { isFinal }: { readonly isFinal: boolean }) {
    this.seq = seq;
    this.timeMs = timeMs;
    this.isFinal = isFinal;
  }

  get touched(): readonly BranchState[] {
    return this.#touched;
  }

  onUndo(step: () => void): void {
    if (this.isFinal) return;
    if (this.#steps === NO_STEPS) this.#steps = [step];
    else this.#steps.push(step);
  }

  touch(branch: BranchState): void {
    if (this.#touched === NONE_TOUCHED) this.#touched = [branch];
    else if (!this.#touched.includes(branch)) this.#touched.push(branch);
  }

  /** Runs the steps, newest first, once. */
  run(): void {
    const steps = this.#steps;
    this.#steps = NO_STEPS;
    for (const step of steps.toReversed()) step();
  }
}

/** All branches and names. See the header. */
export class VaultState {
  readonly branches: Map<BranchId, BranchState> = new Map();
  readonly names: Map<string, BranchId> = new Map();
  /** What the next checkpoint has to write. Undone changes may stay here: writing a row again does no harm. */
  readonly dirtyBranches: Set<BranchId> = new Set();
  readonly dirtyNames: Set<string> = new Set();
  nextBranch = 1;
  /** Bytes in tables since the last checkpoint began, roughly. */
  memtableBytes = 0;
  /** Told each record just before it is applied, while a checkpoint takes down the state before it. */
  beforeRecord: ((record: LogRecord) => void) | undefined;

  /** Throws VAULT_BRANCH_UNKNOWN. */
  branch(id: BranchId): BranchState {
    const branch = this.branches.get(id);
    if (branch === undefined) throw branchUnknown(id);
    return branch;
  }

  /** Throws VAULT_BRANCH_UNKNOWN, or VAULT_POINT_UNKNOWN for a source that is not there; then nothing has changed. */
  apply(record: LogRecord, applying: Applying): void {
    this.beforeRecord?.(record);
    switch (record.type) {
      case "write":
        return this.#write(this.branch(record.branch), record.epoch, record.ops, applying);
      case "create":
        return this.#add(new BranchState(this.#origin(record.branch, undefined, applying), EMPTY_LAYER), applying);
      case "fork":
        return this.#fork(record.branch, record.source, applying);
      case "restore":
        return this.#restore(this.branch(record.branch), record.source, applying);
      case "snapshot":
        return this.#mark(this.branch(record.branch), { kind: "snapshot", label: record.label }, applying);
      case "name":
        return this.#name(record.name, record.branch, applying);
      case "drop":
        return this.#drop(this.branch(record.branch), applying);
      case "forget":
        return this.#forget(this.branch(record.branch), record, applying);
    }
  }

  #write(branch: BranchState, epoch: number, ops: readonly Op[], applying: Applying): void {
    const { head, epoch: previousEpoch, table } = branch;
    const reopen = this.#change(branch, applying);
    const bytes = table.bytes;
    const before = ops.map((op) => ("put" in op ? table.put(op.put, op.value) : table.put(op.delete, null)));
    const grown = table.bytes - bytes;
    this.memtableBytes += grown;
    branch.epoch = Math.max(branch.epoch, epoch);
    if (applying.isFinal) return;
    // One step for all of it: this is the hot path, and almost no write is ever taken back.
    applying.onUndo(() => {
      if (branch.epoch === epoch) branch.epoch = previousEpoch;
      this.memtableBytes -= grown;
      for (let i = ops.length - 1; i >= 0; i--) table.restore(keyOf(ops[i]!), before[i]);
      branch.head = head;
      branch.forgetCheckpoints(applying.seq);
      reopen?.();
    });
  }

  #fork(id: BranchId, source: Source, applying: Applying): void {
    const from = this.branches.get(source.branch);
    const layer = this.#layerOf(source);
    if (from !== undefined) applying.touch(from);
    // Whatever the parent did before this record belongs to the past of both.
    const seq = source.from === "head" ? seqBefore(applying) : source.seq;
    const parent = { branch: source.branch, seq };
    const kind = source.from === "head" ? "start" : "restore";
    this.#add(new BranchState(this.#origin(id, parent, applying), layer), applying, kind);
  }

  #restore(branch: BranchState, source: Source, applying: Applying): void {
    const layer = this.#layerOf(source);
    const from = this.branches.get(source.branch);
    if (from !== undefined) applying.touch(from);
    const { head, top } = branch;
    const reopen = this.#change(branch, applying);
    branch.freeze();
    branch.top = StateLayer.over(layer);
    applying.onUndo(() => {
      goBack(branch, top);
      branch.head = head;
      branch.forgetCheckpoints(applying.seq);
      reopen?.();
    });
    this.#mark(branch, { kind: "restore", label: "" }, applying);
  }

  #drop(branch: BranchState, applying: Applying): void {
    applying.touch(branch);
    const names = [...branch.names];
    this.branches.delete(branch.id);
    for (const name of names) this.names.delete(name);
    branch.isDropped = true;
    if (names.length > 0) applying.freesName = true;
    this.#dirty(branch.id, names);
    applying.onUndo(() => {
      branch.isDropped = false;
      this.branches.set(branch.id, branch);
      for (const name of names) this.names.set(name, branch.id);
    });
  }

  /** What was a snapshot may still serve points in time, until the log has passed it. */
  #forget(branch: BranchState, { seq, label }: LogRecord & { type: "forget" }, applying: Applying): void {
    const landmark = branch.snapshot({ seq, label });
    landmark.kind = "checkpoint";
    landmark.label = "";
    landmark.isStored = false;
    applying.touch(branch);
    this.#dirty(branch.id, []);
    applying.onUndo(() => {
      landmark.kind = "snapshot";
      landmark.label = label;
      landmark.isStored = false;
    });
  }

  #name(name: string, id: BranchId | undefined, applying: Applying): void {
    const next = id === undefined ? undefined : this.branch(id);
    const previousId = this.names.get(name);
    const previous = previousId === undefined ? undefined : this.branches.get(previousId);
    if (previous === undefined) applying.takesName = true;
    // Nothing to take back: whoever takes the name next does not build upon this.
    if (previous === undefined && next === undefined) return;
    this.#point(name, previous, next);
    if (next === undefined) applying.freesName = true;
    for (const branch of [previous, next]) if (branch !== undefined) applying.touch(branch);
    applying.onUndo(() => this.#point(name, next, previous));
  }

  #point(name: string, from: BranchState | undefined, to: BranchState | undefined): void {
    from?.removeName(name);
    to?.addName(name);
    if (to === undefined) this.names.delete(name);
    else this.names.set(name, to.id);
    this.dirtyNames.add(name);
  }

  #add(branch: BranchState, applying: Applying, kind: LandmarkKind = "start"): void {
    this.nextBranch = Math.max(this.nextBranch, branch.id + 1);
    this.branches.set(branch.id, branch);
    applying.touch(branch);
    this.#dirty(branch.id, []);
    // Ids are never used twice, not even those of undone branches: pages may carry them.
    applying.onUndo(() => {
      branch.isDropped = true;
      this.branches.delete(branch.id);
    });
    this.#mark(branch, { kind, label: "" }, applying);
  }

  #mark(branch: BranchState, { kind, label }: { kind: LandmarkKind; label: string }, applying: Applying): void {
    const { seq, timeMs, part } = applying;
    const layer = branch.freeze();
    const landmark = { kind, label, seq, part, timeMs, layer, through: undefined, isPartial: false, isStored: false };
    applying.onUndo(branch.addLandmark(landmark));
    applying.touch(branch);
    this.#dirty(branch.id, []);
  }

  /** Notes that the branch's content changes with this record. Returns what reopens its last landmark, if that was closed. */
  #change(branch: BranchState, applying: Applying): (() => void) | undefined {
    branch.head = applying.seq;
    applying.touch(branch);
    this.dirtyBranches.add(branch.id);
    return closeLandmark(branch, applying.seq);
  }

  #layerOf(source: Source): StateLayer {
    switch (source.from) {
      case "head":
        return this.branch(source.branch).freeze();
      case "snapshot":
        return this.branch(source.branch).snapshot(source).layer;
      case "roots":
        return layerOfRoots(source.roots, source.ops);
    }
  }

  #origin(id: BranchId, parent: BranchState["parent"], { seq, timeMs }: Applying) {
    return { id, parent, createdSeq: seq, createdAtMs: timeMs };
  }

  #dirty(id: BranchId, names: readonly string[]): void {
    this.dirtyBranches.add(id);
    for (const name of names) this.dirtyNames.add(name);
  }
}

function seqBefore({ seq }: Applying): Seq {
  return (seq - 1) as Seq; // One less than a Seq is a position in the log as well.
}

/** The key an operation is about. */
export function keyOf(op: Op): string {
  return "put" in op ? op.put : op.delete;
}

/** A frozen state: `ops` over what is in pages. */
function layerOfRoots(roots: Roots, ops: Iterable<Op>): StateLayer {
  const below = StateLayer.ofRoots(roots);
  const layer = StateLayer.over(below);
  const { table } = layer;
  for (const op of ops) table?.put(keyOf(op), "put" in op ? op.value : null);
  if (table?.count === 0) return below;
  table?.freeze();
  return layer;
}

/** Takes a restore back: the branch goes on above the layer it had, whether or not that was frozen meanwhile. */
function goBack(branch: BranchState, top: StateLayer): void {
  branch.top = top.table?.isFrozen === false ? top : StateLayer.over(top);
}

/** The refusal of a branch that is not there: VAULT_BRANCH_UNKNOWN. */
export function branchUnknown(id: BranchId): VaultError {
  return new VaultError("VAULT_BRANCH_UNKNOWN", `there is no branch ${id}`, { details: { branch: id } });
}
