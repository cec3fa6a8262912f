/**
 * The vault: where every agent's state lives. See design notes in docs/adr/0002-log-is-the-truth.md.
 *
 *     commit --> state in memory (readable at once) --> log (durable) --> pages (checkpoint)
 *     open   <-- state in memory <-- frames behind the checkpoint <-- rows and pages
 *
 * Invariants:
 * 1. What a commit promised to keep is there after any end of the process, and after a power cut in disk mode.
 * 2. A commit is applied whole, readable when the call returns, and undone whole if it cannot be kept.
 * 3. One process has the vault open. All of it runs on one thread, so a state changes only within `#submit`.
 * 4. Values are opaque: nothing here decodes an agent's bytes.
 */
import type { BranchState } from "./branch-state.ts";
import { CheckpointRunner, wordsOf } from "./checkpoint-runner.ts";
import { diffLayers } from "./diff.ts";
import { VaultError } from "./errors.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import { Holds } from "./holds.ts";
import type { LogEntry } from "./log-entry.ts";
import type { LogFailure } from "./log.ts";
import { Maintenance } from "./maintenance.ts";
import type {
  Action,
  Branch,
  BranchId,
  Change,
  Commit,
  CommitOptions,
  Op,
  RecoveryReport,
  Seq,
  VaultStats,
  View,
} from "./model.ts";
import { openParts } from "./open.ts";
import type { VaultOptions, VaultParts } from "./open.ts";
import { Pressure } from "./pressure.ts";
import type { Source } from "./record.ts";
import { bytesExpected, checkStep, nameStep, plain, stepOf, validOps } from "./request.ts";
import type { Step } from "./request.ts";
import { Applying, branchUnknown } from "./state.ts";
import { FrozenView, LiveBranch, layerOf } from "./view.ts";
import type { ViewContext } from "./view.ts";

/** Tables beyond this size mean that checkpoints cannot keep up or keep failing: no more is taken. */
const MEMTABLE_BYTES_MAX: number = 1024 * 1024 * 1024;

/** What may wait before callers are asked to: a second of a slow disk, ... */
const QUEUED_BYTES_ROOM: number = 16 * 1024 * 1024;
/** ... and a checkpoint's worth of tables several times over. */
const MEMTABLE_BYTES_ROOM: number = 256 * 1024 * 1024;

/** See the header, and model.ts for the words. */
export class Vault implements AsyncDisposable {
  readonly #options: VaultOptions;
  readonly #parts: VaultParts;
  readonly #context: ViewContext;
  readonly #checkpoints: CheckpointRunner;
  readonly #ending = new AbortController();
  readonly #frames = new FrameBuffer();
  readonly #pressure: Pressure;
  /** Collecting, checking, backing up: what runs beside the data path. */
  readonly maintenance: Maintenance;
  #nextSeq: number;
  /** The last commit that gave a name up. It waits for all earlier ones: who takes a free name builds upon them. */
  #lastFreed: LogEntry | undefined;
  #failure: VaultError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens a vault, or makes one in an empty or missing folder. Rejects with VAULT_PATH_INVALID, VAULT_PATH_DENIED,
   * VAULT_LOCKED (details.pid), VAULT_FORMAT_UNKNOWN, VAULT_LOG_DAMAGED (details: segment, offset, firstLostSeq),
   * VAULT_PAGES_DAMAGED, VAULT_STORE_FAILED.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    const handlers: { failed?: (failure: LogFailure) => void; progress?: () => void } = {};
    const onFailure = (failure: LogFailure) => handlers.failed?.(failure);
    const parts = await openParts(options, { onFailure, onProgress: () => handlers.progress?.() });
    const vault = new Vault(options, parts);
    handlers.failed = (failure) => vault.#onLogFailure(failure);
    handlers.progress = () => vault.#pressure.relieve();
    if (parts.lost !== undefined) options.onEvent({ type: "log.lost", ...parts.lost });
    for (const segment of parts.segments.mended) options.onEvent({ type: "segment.mended", segment });
    if (parts.stranded.length > 0) options.onEvent({ type: "segments.stranded", segments: parts.stranded });
    options.onEvent({ type: "vault.recovered", ...parts.recovery });
    if (parts.lost !== undefined) await vault.#leaveLossBehind();
    vault.#checkpoints.grew(0, 0);
    return vault;
  }

  private constructor(options: VaultOptions, parts: VaultParts) {
    const { state, log, segments, store, checkpoint, recovery, replayedBytes } = parts;
    this.#options = options;
    this.#parts = parts;
    this.#context = { state, log, folder: segments, pages: store, holds: new Holds(), damages: parts.damages };
    this.#nextSeq = log.lastSeq + 1;
    this.#pressure = new Pressure({
      queuedBytes: () => log.queuedBytes,
      queuedBytesMax: QUEUED_BYTES_ROOM,
      tableBytes: () => state.memtableBytes,
      tableBytesMax: MEMTABLE_BYTES_ROOM,
    });
    this.#checkpoints = new CheckpointRunner({
      parts: checkpoint,
      checkpointBytes: options.checkpointBytes,
      memtableBytes: options.memtableBytes,
      checkpointSeq: recovery.checkpointSeq,
      replayedBytes,
      onEvent: options.onEvent,
      onStoreFailure: (error) => this.#fail(error),
      onEnd: () => this.#pressure.relieve(),
    });
    this.maintenance = new Maintenance({
      vault: this,
      options,
      parts,
      context: this.#context,
      checkpoints: this.#checkpoints,
      closing: this.#ending.signal,
      step: options.onStep ?? (() => undefined),
    });
  }

  get uuid(): string {
    return this.#parts.uuid;
  }

  get recovery(): RecoveryReport {
    return this.#parts.recovery;
  }

  /** Everything up to here is on the disk. Never decreases. */
  get durableSeq(): Seq {
    return asSeq(this.#parts.log.durableSeq);
  }

  /** In the order of the names. */
  names(): readonly { readonly name: string; readonly branch: BranchId }[] {
    const names = [...this.#parts.state.names].map(([name, branch]) => ({ name, branch }));
    return names.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The branch a name points to. */
  head(name: string): Branch | undefined {
    const id = this.#parts.state.names.get(name);
    return id === undefined ? undefined : this.branch(id);
  }

  branch(id: BranchId): Branch | undefined {
    const state = this.#parts.state.branches.get(id);
    return state === undefined ? undefined : this.#handleOf(state);
  }

  /** A new branch that holds `ops`. Throws VAULT_NAME_TAKEN and what `commit` throws. */
  create(options: { readonly name?: string; readonly ops?: readonly Op[] } & CommitOptions): {
    readonly branch: Branch;
    readonly commit: Commit;
  } {
    const id = this.#newId();
    const ops = validOps(options.ops ?? []);
    const steps = [plain({ type: "create", branch: id })];
    if (ops.length > 0) steps.push(plain({ type: "write", branch: id, epoch: 0, ops }));
    if (options.name !== undefined) steps.push(nameStep(options.name, id));
    return this.#submitNew(id, steps, options);
  }

  /**
   * A new branch that begins with the state of `from`. O(1) in the size of the state, unless `from` is a point between
   * snapshots: then the changes since the pages below it are written out. `ops` are written on top of it, in the same commit. Throws VAULT_NAME_TAKEN, VAULT_BRANCH_UNKNOWN
   * and what `commit` throws.
   */
  fork(
    from: Branch | View,
    options: { readonly name?: string; readonly ops?: readonly Op[] } & CommitOptions = {},
  ): { readonly branch: Branch; readonly commit: Commit } {
    const id = this.#newId();
    const ops = validOps(options.ops ?? []);
    const steps = [plain({ type: "fork", branch: id, source: this.#sourceOf(from) })];
    if (ops.length > 0) steps.push(plain({ type: "write", branch: id, epoch: 0, ops }));
    if (options.name !== undefined) steps.push(nameStep(options.name, id));
    return this.#submitNew(id, steps, options);
  }

  /**
   * The branch's content becomes that of `view`. What it held stays reachable as the snapshot `before-restore-<seq>`,
   * where seq is that of this commit. `ops` are written on top of it, in the same commit.
   */
  restore(branch: BranchId, view: View, options: CommitOptions & { readonly ops?: readonly Op[] } = {}): Commit {
    this.#assertOpen();
    const label = `before-restore-${this.#nextSeq}`;
    const source = this.#sourceOf(view);
    const steps = [plain({ type: "snapshot", branch, label }), plain({ type: "restore", branch, source })];
    if ((options.ops ?? []).length > 0) {
      steps.push(stepOf(this.#parts.state, { type: "write", branch, ops: options.ops ?? [] }));
    }
    return this.#submit(steps, options);
  }

  /**
   * Applies all actions or none. Throws synchronously, with nothing changed: VAULT_KEY_INVALID, VAULT_NAME_INVALID,
   * VAULT_VALUE_TOO_LARGE, VAULT_EPOCH_STALE, VAULT_BRANCH_UNKNOWN, VAULT_NAME_TAKEN, VAULT_CLOSED, VAULT_FAILED,
   * VAULT_COMMIT_FAILED (too much is waiting for a full disk).
   *
   *     const { durable } = vault.commit([{ type: "write", branch, ops: [{ put: "a", value }] }]);
   *     await durable;
   */
  commit(actions: readonly Action[], options: CommitOptions = {}): Commit {
    this.#assertOpen();
    return this.#submit(
      actions.map((action) => stepOf(this.#parts.state, action)),
      options,
    );
  }

  /**
   * The keys that the two states hold differently, in order; of live branches as they are when the iteration begins. Takes
   * time in proportion to the difference. Throws VAULT_POINT_UNKNOWN for views of another vault, VAULT_PAGE_DAMAGED.
   */
  *diff(before: View, after: View): Generator<Change, void> {
    const [a, b] = [before, after].map((view) => layerOf(view, this.#context));
    if (a === undefined || b === undefined) throw foreignView();
    const { pages, holds } = this.#context;
    const hold = holds.take([...a.allRoots(), ...b.allRoots()]);
    try {
      yield* diffLayers(pages, a, b);
    } finally {
      holds.release(hold);
    }
  }

  /**
   * Undefined when there is room for more commits; else a promise that resolves when the disk has caught up and it is worth
   * asking again. Whoever makes commits without end asks first; commits themselves never wait.
   */
  room(): Promise<void> | undefined {
    return this.#failure === undefined && this.#closing === undefined ? this.#pressure.room() : undefined;
  }

  /** Everything up to `seq` (default: everything so far) is on the disk. Rejects with VAULT_COMMIT_FAILED, VAULT_FAILED. */
  async barrier(seq?: Seq): Promise<void> {
    this.#assertOpen();
    await this.#parts.log.barrier(seq ?? Infinity);
  }

  /**
   * Folds everything so far into pages. Commits go on meanwhile. Rejects with VAULT_COMMIT_FAILED when the disk is full
   * (nothing is lost, try again), VAULT_FAILED, VAULT_PAGE_DAMAGED.
   */
  async checkpoint(): Promise<void> {
    this.#assertOpen();
    await this.#checkpoints.now();
  }

  stats(): VaultStats {
    const { state, log, store } = this.#parts;
    return {
      branches: state.branches.size,
      seq: asSeq(this.#nextSeq - 1),
      durableSeq: this.durableSeq,
      checkpointSeq: asSeq(this.#checkpoints.seq),
      logBytes: log.bytes,
      memtableBytes: state.memtableBytes,
      pages: store.stats().pages,
      livePages: this.maintenance.livePages,
      pageReads: store.stats().pageReads,
      fsyncs: log.fsyncs,
    };
  }

  /** Waits for what was acknowledged or queued, checkpoints, releases the lock. Calling it again waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** From then on the damage lies behind a checkpoint, and the next opening needs no leave. A vault that cannot is closed. */
  async #leaveLossBehind(): Promise<void> {
    try {
      await this.checkpoint();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #submitNew(
    id: BranchId,
    steps: readonly Step[],
    options: CommitOptions,
  ): { readonly branch: Branch; readonly commit: Commit } {
    const commit = this.#submit(steps, options);
    return { commit, branch: this.#handleOf(this.#parts.state.branch(id)) };
  }

  /** The one place where the state changes: what is applied are windows into the very bytes that are logged. */
  #submit(steps: readonly Step[], { durability, note }: CommitOptions): Commit {
    const { state, log } = this.#parts;
    log.assertOpen();
    const seq = asSeq(this.#nextSeq);
    const timeMs = this.#options.clock.now();
    const content = { seq, timeMs, note, records: steps.map(({ record }) => record) };
    const { frame, records } = this.#frames.encode(content, bytesExpected(steps) + (note?.length ?? 0));
    const applying = new Applying(seq, timeMs, { isFinal: false });
    try {
      for (let part = 0; part < records.length; part++) {
        checkStep(state, steps[part]!);
        applying.part = part;
        state.apply(records[part]!, applying);
      }
    } catch (error) {
      applying.run();
      throw error;
    }
    this.#nextSeq++;
    const { touched, takesName, freesName } = applying;
    const after: LogEntry[] = [];
    for (const { lastEntry } of touched) if (lastEntry?.isSettled === false) after.push(lastEntry);
    if ((takesName || freesName) && this.#lastFreed?.isSettled === false) after.push(this.#lastFreed);
    const level = durability ?? this.#options.durability;
    const entry = log.append({ seq, frame, level, after, undo: applying });
    if (freesName) this.#lastFreed = entry;
    let depth = 0;
    for (const branch of touched) {
      if (!entry.isSettled) branch.lastEntry = entry;
      depth = Math.max(depth, branch.top.depth);
    }
    this.#checkpoints.grew(frame.length, depth);
    return entry;
  }

  #sourceOf(from: View): Source {
    this.#assertOpen();
    const { state } = this.#parts;
    const live = LiveBranch.stateOf(from, this.#context);
    if (live !== undefined) {
      if (live.isDropped) throw branchUnknown(live.id);
      return { from: "head", branch: live.id };
    }
    const past = FrozenView.pastOf(from, this.#context);
    if (past === undefined) throw foreignView();
    const { branch, seq, label, layer } = past;
    const owner = state.branches.get(branch);
    const isListed =
      label !== undefined && owner?.landmarks.some((each) => each.layer === layer && each.label === label);
    if (isListed === true) return { from: "snapshot", branch, seq, label };
    if (owner?.top.below === layer && owner.table.count === 0) return { from: "head", branch };
    const { entries, roots } = layer.unfolded();
    const ops = [...entries].map(([key, value]): Op => (value === null ? { delete: key } : { put: key, value }));
    return { from: "roots", branch, seq, roots, ops };
  }

  #fail(cause: VaultError): VaultError {
    if (this.#failure !== undefined) return this.#failure;
    const message = `the vault takes no more commits: ${cause.message}`;
    this.#pressure.release();
    this.#failure = cause.code === "VAULT_FAILED" ? cause : new VaultError("VAULT_FAILED", message, { cause });
    this.#options.onEvent({ type: "vault.failed", ...wordsOf(cause) });
    return this.#failure;
  }

  #onLogFailure({ error, commits, isFatal }: LogFailure): void {
    if (commits > 0) this.#options.onEvent({ type: "commit.failed", commits, ...wordsOf(error) });
    if (isFatal) this.#fail(error);
  }

  async #close(): Promise<void> {
    this.#pressure.release();
    this.#ending.abort(new VaultError("VAULT_CLOSED", "the vault is closed"));
    const { log, store, lock, damages } = this.#parts;
    await this.maintenance.idle();
    try {
      if (this.#failure === undefined) {
        await log.barrier(Infinity);
        await this.#checkpoints.now();
      } else await this.#checkpoints.finish();
    } catch {
      // Told already: to the commits that were not kept, and as an event. The log has all the rest.
    }
    await log.close();
    await damages.settled();
    await store.close();
    lock.release();
    this.#options.onEvent({ type: "vault.closed", seq: log.lastSeq });
  }

  #handleOf(state: BranchState): Branch {
    state.handle ??= new LiveBranch(this.#context, state);
    return state.handle;
  }

  #newId(): BranchId {
    this.#assertOpen();
    return this.#parts.state.nextBranch as BranchId; // The counter that all ids come from.
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new VaultError("VAULT_CLOSED", "the vault is closed");
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#parts.state.memtableBytes <= MEMTABLE_BYTES_MAX) return;
    const message = `${this.#parts.state.memtableBytes} bytes wait for a checkpoint, over the limit of ${MEMTABLE_BYTES_MAX}`;
    throw new VaultError("VAULT_COMMIT_FAILED", message, { details: { bytesMax: MEMTABLE_BYTES_MAX } });
  }
}

function foreignView(): VaultError {
  return new VaultError("VAULT_POINT_UNKNOWN", "this view does not come from this vault");
}

function asSeq(seq: number): Seq {
  return seq as Seq; // Only for positions that the log or the vault's own counter gave out.
}
