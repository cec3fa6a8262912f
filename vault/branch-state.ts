/**
 * What the vault knows about one branch. Data and the moves that keep it whole; who may move is decided in state.ts.
 *
 * Invariants:
 * 1. `top` is an open layer that belongs to this branch alone, and always lies on another layer.
 * 2. Everything else that is shared with views, forks and landmarks is frozen.
 */
import assert from "node:assert/strict";
import { VaultError } from "./errors.ts";
import { endLandmark, landmarkBefore } from "./landmark.ts";
import type { Landmark } from "./landmark.ts";
import { StateLayer } from "./layer.ts";
import type { LogEntry } from "./log-entry.ts";
import type { Memtable } from "./memtable.ts";
import type { Branch, BranchId, Seq } from "./model.ts";
import { NO_ROOTS } from "./roots.ts";

/** The branch that another was forked from, and the last seq that both share. */
export interface Parent {
  readonly branch: BranchId;
  readonly seq: Seq;
}

/** What a branch is born with and keeps. */
export interface BranchOrigin {
  readonly id: BranchId;
  readonly parent: Parent | undefined;
  readonly createdSeq: Seq;
  readonly createdAtMs: number;
}

/** Most forks have no name. */
const NO_NAMES: ReadonlySet<string> = new Set();

/** One branch. See the header. */
export class BranchState {
  readonly id: BranchId;
  readonly parent: Parent | undefined;
  readonly createdSeq: Seq;
  readonly createdAtMs: number;
  #names: Set<string> | undefined;
  head: Seq;
  epoch = 0;
  isDropped = false;
  top: StateLayer;
  landmarks: Landmark[] = [];
  /** What callers hold of this branch: the same object for as long as the vault is open. */
  handle: Branch | undefined;
  /** The last commit on this branch that may still be undone, or any older one. */
  lastEntry: LogEntry | undefined;

  constructor(origin: BranchOrigin, below: StateLayer) {
    this.id = origin.id;
    this.parent = origin.parent;
    this.createdSeq = origin.createdSeq;
    this.createdAtMs = origin.createdAtMs;
    this.head = origin.createdSeq;
    this.top = StateLayer.over(below);
  }

  get names(): ReadonlySet<string> {
    return this.#names ?? NO_NAMES;
  }

  addName(name: string): void {
    (this.#names ??= new Set()).add(name);
  }

  removeName(name: string): void {
    this.#names?.delete(name);
  }

  /** The table that takes writes. */
  get table(): Memtable {
    const { table } = this.top;
    assert.ok(table !== undefined && !table.isFrozen, "the top layer is open");
    return table;
  }

  /** The state as it is now, frozen and shareable. O(1) in the size of the state. */
  freeze(): StateLayer {
    const { below } = this.top;
    assert.ok(below !== undefined, "an open layer lies on another");
    if (this.table.count === 0) return below;
    const frozen = this.top;
    this.table.freeze();
    this.top = StateLayer.over(frozen);
    return frozen;
  }

  /** Adds a landmark, and ends the time of the one before it. Returns what takes both back. */
  addLandmark(landmark: Landmark): () => void {
    const reopen = endLandmark(this.landmarks.at(-1), landmark.seq);
    this.landmarks.push(landmark);
    return () => {
      this.landmarks = this.landmarks.filter((each) => each !== landmark);
      landmark.isUndone = true;
      reopen?.();
    };
  }

  /** The change at `seq` is undone: what a checkpoint that has begun since took down holds it, and was never stored. */
  forgetCheckpoints(seq: number): void {
    const { landmarks } = this;
    if (!landmarks.some((each) => each.kind === "checkpoint" && each.seq >= seq)) return;
    this.landmarks = landmarks.filter((each) => each.kind !== "checkpoint" || each.seq < seq);
  }

  /** Throws VAULT_POINT_UNKNOWN. */
  snapshot({ seq, label }: { readonly seq: number; readonly label: string }): Landmark {
    const isIt = (each: Landmark) => each.kind === "snapshot" && each.seq === seq && each.label === label;
    const found = this.landmarks.findLast(isIt);
    if (found !== undefined) return found;
    const message = `branch ${this.id} has no snapshot ${JSON.stringify(label)} at ${seq}`;
    throw new VaultError("VAULT_POINT_UNKNOWN", message, { details: { branch: this.id, label, seq } });
  }

  landmarkBefore(seq: number): Landmark | undefined {
    return landmarkBefore(this.landmarks, seq);
  }
}

/** A layer that holds nothing. */
export const EMPTY_LAYER: StateLayer = StateLayer.ofRoots(NO_ROOTS);
