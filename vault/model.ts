/**
 * The vault's words: what callers hand in and what they get back. Types only, no behaviour.
 *
 * Keys are text of 1 to 512 bytes in UTF-8, ordered bytewise; values are opaque bytes. Bytes that were handed in or
 * handed out are shared: nobody changes them afterwards.
 */

/**
 * When a commit counts as kept: `disk` after the log's fdatasync (survives a power cut), `os` after write(2) (survives
 * the end of this process), `memory` at once (survives neither; written when the log gets to it).
 */
export type Durability = "disk" | "os" | "memory";

/** A position in the vault's log. Strictly increasing over the vault's life; numbers of undone commits are left out. */
export type Seq = number & { readonly __seq: true };

/** A branch. Never used twice. */
export type BranchId = number & { readonly __branch: true };

/** Where and when something was made that was imported from another vault. */
export interface Origin {
  readonly seq: Seq;
  readonly timeMs: number;
}

/** One change of one key. */
export type Op = { readonly put: string; readonly value: Uint8Array } | { readonly delete: string };

/** One atomic action. Several in one commit are one frame of the log: all or nothing. */
export type Action =
  /**
   * `epoch`: the writer's, refused with VAULT_EPOCH_STALE when lower than the branch's. `origin`: of a write that was made in
   * another vault.
   */
  | {
      readonly type: "write";
      readonly branch: BranchId;
      readonly ops: readonly Op[];
      readonly epoch?: number;
      readonly origin?: Origin;
    }
  /** Points `name` to `branch`, or frees it. With `expect` (also when it is undefined) a compare-and-set. */
  | {
      readonly type: "name";
      readonly name: string;
      readonly branch: BranchId | undefined;
      readonly expect?: BranchId | undefined;
    }
  | { readonly type: "snapshot"; readonly branch: BranchId; readonly label: string }
  | { readonly type: "drop"; readonly branch: BranchId }
  /** The snapshot is no longer kept; refused with VAULT_POINT_UNKNOWN when there is none with this label and seq. */
  | { readonly type: "forget"; readonly branch: BranchId; readonly label: string; readonly seq: Seq };

/** How a commit is kept. */
export interface CommitOptions {
  /** Default: the vault's. */
  readonly durability?: Durability;
  /** Opaque bytes kept with the frame and shown by `history()`. */
  readonly note?: Uint8Array;
}

/** A commit that was applied and is readable. */
export interface Commit {
  readonly seq: Seq;
  /**
   * Settles when the promise of the durability mode is kept. Rejects with VAULT_COMMIT_FAILED (disk full) or
   * VAULT_FAILED; the commit and every later unsettled one have then been undone in memory.
   */
  readonly durable: Promise<void>;
  /** True once `durable` is fulfilled; in memory mode at once, so that no await is needed. */
  readonly isDurable: boolean;
}

/** A point in a branch's past. */
export type Point = { readonly label: string } | { readonly seq: number } | { readonly timeMs: number };

/** Which keys a range lists. */
export interface RangeOptions {
  readonly prefix?: string;
  /** Included. */
  readonly from?: string;
  /** Excluded. */
  readonly to?: string;
  readonly limit?: number;
  /** From the last key down; the bounds mean what they always mean. */
  readonly reverse?: boolean;
}

/** One state, live or frozen. */
export interface View {
  /** The value, or undefined. The bytes stay as they are: safe to keep, not to be changed. */
  get(key: string): Uint8Array | undefined;
  has(key: string): boolean;
  /** Bytewise key order. On a live branch, entries ahead are seen as they are when they are reached. */
  range(options?: RangeOptions): Iterable<readonly [string, Uint8Array]>;
  /**
   * As `range`, with the deleted keys that have not been tidied away yet (null): `range` walks over them too, so who has to
   * bound its own work counts these.
   */
  entries(options?: Omit<RangeOptions, "limit">): Iterable<readonly [string, Uint8Array | null]>;
}

/** A labelled moment of a branch. */
export interface Snapshot {
  readonly label: string;
  readonly seq: Seq;
  readonly timeMs: number;
}

/** One thing that was done to a branch. */
export interface HistoryEntry {
  readonly seq: Seq;
  readonly timeMs: number;
  readonly kind: "create" | "write" | "snapshot" | "fork" | "restore" | "name";
  readonly label?: string;
  /** The keys that were written or deleted, in order. */
  readonly keys: readonly string[];
  readonly note?: Uint8Array;
  /** Of a write that was imported: its seq and time in the vault it comes from. */
  readonly origin?: Origin;
}

/** A key that two states hold differently: absent where the state does not have it. */
export interface Change {
  readonly key: string;
  readonly before?: Uint8Array;
  readonly after?: Uint8Array;
}

/**
 * A named line of states. Live: it always shows the newest one. Once it is dropped, reading it throws
 * VAULT_BRANCH_UNKNOWN; views and iterations that were begun before go on.
 */
export interface Branch extends View {
  readonly id: BranchId;
  readonly name: string | undefined;
  /** Seq of the last commit that changed its content (or made it). */
  readonly head: Seq;
  readonly parent: { readonly branch: BranchId; readonly seq: Seq } | undefined;
  /**
   * Raises the writer epoch and returns it: a later write with a lower epoch is refused with VAULT_EPOCH_STALE.
   * Durable with the next write on the branch.
   */
  fence(): number;
  readonly epoch: number;
  /** Oldest first. */
  snapshots(): readonly Snapshot[];
  /**
   * A frozen view of a past point. Rejects with VAULT_POINT_UNKNOWN when there is no such label or the point lies
   * before the branch, with VAULT_POINT_EXPIRED when the retained log no longer reaches it.
   */
  at(point: Point): Promise<View>;
  /** Newest first: what the retained log still holds of this branch and of its forebears before the fork, plus all snapshots. */
  history(options?: { readonly limit?: number }): Promise<readonly HistoryEntry[]>;
}

/** How the vault stands. */
export interface VaultStats {
  readonly branches: number;
  readonly seq: Seq;
  readonly durableSeq: Seq;
  readonly checkpointSeq: Seq;
  /** Bytes of frames in the retained log. */
  readonly logBytes: number;
  readonly memtableBytes: number;
  /** Pages in the store, including those no branch reaches any more. */
  readonly pages: number;
  /** Pages that were needed when they were last collected; undefined before the first collection since opening. */
  readonly livePages: number | undefined;
  /** Pages read from the page file since the vault was opened; what the cache had is not counted. */
  readonly pageReads: number;
  /** fdatasync calls on the log since the vault was opened. */
  readonly fsyncs: number;
}

/** What opening the vault found in the log. */
export interface RecoveryReport {
  /** Frames replayed behind the checkpoint. */
  readonly entries: number;
  /** The last frame was incomplete and was left out; it had not been acknowledged as durable. */
  readonly tornTail: boolean;
  readonly durationMs: number;
  readonly checkpointSeq: Seq;
}
