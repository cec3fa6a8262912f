/**
 * The log: what makes a commit durable. One writer, one flush at a time.
 *
 *     append --> queue --> group (<= 1 MiB) --write--> segment --fdatasync--> durable --> told
 *                  ^ while a flush runs, entries queue here; the next group takes them all
 *
 * Whoever is told makes new commits, which takes as long as a flush when they are many. So the next group is on its way to
 * the disk before the one before it is told, and a large queue without one before it is halved: then two halves of the
 * writers take turns, one at work while the other's commits are flushed.
 *
 * Invariants:
 * 1. Frames are written in the order of their seqs. durableSeq never decreases, and everything up to it is on the disk.
 * 2. A `disk` entry settles after the fdatasync that covers it, an `os` entry after its write, a `memory` entry at once.
 *    What was written is synced after `syncEveryEntries` or `syncEveryMs`, never later than 1 s.
 * 3. A full disk undoes the entries that are not kept, newest first, and nothing else. Kept ones stay queued and are
 *    written when there is space, which is tried as often as syncs are due; the numbers of the undone ones are skipped
 *    (frame.ts, invariant 3).
 * 4. A frame whose commit was undone is not in the log: after a partial write, whatever frames the file took whole count
 *    as written. (What lies behind them is torn and does not check.)
 * 5. A failed fdatasync, or any error but a full disk, ends the log: the kernel may have dropped the pages, so asking
 *    again would lie. Reopening recovers from what is really there.
 * 6. Behind the last frame there are zeros (END_MARK), though the rest of the segment may hold what an earlier life left:
 *    so a last frame of which nothing is left to read still shows as a torn tail.
 */
import assert from "node:assert/strict";
import type { Clock, Timer } from "./clock.ts";
import { VaultError } from "./errors.ts";
import { joinFrames } from "./frame-buffer.ts";
import { sealFrame } from "./frame.ts";
import { LogEntry } from "./log-entry.ts";
import type { LogEntryOptions } from "./log-entry.ts";
import { judgeFault, syncFailed } from "./log-faults.ts";
import { firstPlace } from "./log-scan.ts";
import type { LogPlace } from "./log-scan.ts";
import { LogWaiters } from "./log-waiters.ts";
import type { Progress } from "./log-waiters.ts";
import type { OpenSegment, SegmentFolder } from "./segment-folder.ts";
import { END_MARK, SEGMENT_HEADER_BYTES, WriteStopped, readFully, writeFully } from "./segment.ts";

/** One flush at most, unless a single frame is larger. */
const GROUP_BYTES_MAX: number = 1024 * 1024;
/** Sealing more small frames than this in one turn would keep the thread for over a few milliseconds. */
const GROUP_ENTRIES_MAX = 4096;
/** Making so many commits takes about as long as a flush. Fewer are flushed at once: the flush is what they wait for. */
const HALVED_ENTRIES_MIN = 64;
const NOBODY: readonly LogEntry[] = [];
/** Bytes of entries that wait while the disk is full; beyond it nothing more is taken. */
const QUEUE_BYTES_MAX: number = 256 * 1024 * 1024;
/** The `os` mode's promise: a power cut loses less than this. */
const SYNC_MS_MAX = 1000;
/** The next segment is prepared when less than this share of the current one is left: no commit waits for its zeros. */
const SPARE_AT_SHARE = 0.5;

/** Who is told how the log does. */
export interface LogListeners {
  /** Commits were undone; `isFatal` says that the log takes no more. */
  readonly onFailure: (failure: LogFailure) => void;
  /** Something was written, or given up: less waits than before. */
  readonly onProgress: () => void;
}

/** What a log needs. */
export interface LogOptions extends LogListeners {
  readonly folder: SegmentFolder;
  readonly clock: Clock;
  readonly syncEveryMs: number;
  readonly syncEveryEntries: number;
}

/** What a fault took back. */
export interface LogFailure {
  readonly error: VaultError;
  readonly commits: number;
  readonly isFatal: boolean;
}

/** See the header. */
export class Log {
  readonly #options: LogOptions;
  #segment: OpenSegment | undefined;
  #place: LogPlace;
  #durableSeq: number;
  #queue: LogEntry[] = [];
  /** Written and, if they ask for it, waiting for the sync of their step. */
  #inFlight: readonly LogEntry[] = [];
  /** Kept, and not told yet. */
  #due: readonly LogEntry[] = [];
  #queuedBytes = 0;
  readonly #waiters = new LogWaiters();
  #unsyncedEntries = 0;
  #isSyncWanted = false;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #sparing: Promise<void> = Promise.resolve();
  #failed: VaultError | undefined;
  #fsyncs = 0;
  #appendedBytes = 0;

  /**
   * Goes on behind `end`, up to which everything is durable already. The first entry opens a new segment, so that a
   * vault can be opened and read on a full disk; the file for it is prepared meanwhile.
   */
  constructor(options: LogOptions, end: LogPlace) {
    this.#options = options;
    this.#place = end;
    this.#durableSeq = end.seq;
    this.#prepareSpare();
  }

  get durableSeq(): number {
    return this.#durableSeq;
  }

  get writtenSeq(): number {
    return this.#place.seq;
  }

  /** The last seq that is written or waits to be. Undone ones do not count. */
  get lastSeq(): number {
    return this.#queue.at(-1)?.seq ?? this.#place.seq;
  }

  /** Bytes that wait to be written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get fsyncs(): number {
    return this.#fsyncs;
  }

  /** Bytes of frames written since the log was started. */
  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  /** Bytes of the retained log; segments that are full or of an earlier run count whole. */
  get bytes(): number {
    const total = this.#options.folder.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#segment === undefined ? total : total - this.#bytesLeft();
  }

  /** Why nothing more is taken, if so. */
  get failure(): VaultError | undefined {
    return this.#failed;
  }

  /** Takes an entry at once; it is written by and by. Throws VAULT_FAILED, or VAULT_COMMIT_FAILED when too much waits. */
  assertOpen(): void {
    if (this.#failed !== undefined) throw this.#failed;
    if (this.#queuedBytes <= QUEUE_BYTES_MAX) return;
    const message = `${this.#queuedBytes} bytes wait for the disk, over the limit of ${QUEUE_BYTES_MAX}`;
    throw new VaultError("VAULT_COMMIT_FAILED", message, { details: { queuedBytes: this.#queuedBytes } });
  }

  append(options: LogEntryOptions): LogEntry {
    assert.ok(this.#failed === undefined && options.seq > this.lastSeq, "entries come in the order of their seqs");
    const entry = new LogEntry(options);
    this.#queue.push(entry);
    this.#queuedBytes += entry.frame.length;
    // Nobody waits for a memory entry: many of them share one write, with the next entry that somebody waits for, or when
    // the timer fires. It saves a write(2) per commit, half the time of such a call.
    if (entry.level === "memory" && this.#queuedBytes < GROUP_BYTES_MAX) this.#armTimer();
    else this.#kick();
    return entry;
  }

  /** Everything up to `seq` is on the disk. Rejects with VAULT_COMMIT_FAILED or VAULT_FAILED. */
  async barrier(seq: number): Promise<void> {
    await this.#wait(Math.min(seq, this.lastSeq), "durable");
  }

  /** Everything up to `seq` can be read back from the segments. Rejects as `barrier` does. */
  async written(seq: number): Promise<void> {
    await this.#wait(Math.min(seq, this.lastSeq), "written");
  }

  /** Remembers the end of what was appended so far; the returned function tells its place once that is written. */
  mark(): () => LogPlace | undefined {
    const last = this.#queue.at(-1);
    const place = this.#place;
    return () => (last === undefined ? place : last.end);
  }

  /** Waits for the flush that runs, and closes the segment. What still waits is not written: ask for a barrier first. */
  async close(): Promise<void> {
    this.#failed ??= new VaultError("VAULT_CLOSED", "the vault is closed");
    this.#timer?.cancel();
    await this.#running;
    await this.#sparing;
    await this.#segment?.file.close();
  }

  async #wait(seq: number, until: keyof Progress): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    if ((until === "durable" ? this.#durableSeq : this.writtenSeq) >= seq) return;
    const waiting = this.#waiters.wait(seq, until);
    if (until === "durable") this.#isSyncWanted = true;
    this.#kick();
    await waiting;
  }

  /** Starts the flush loop in the next microtask, so that commits of one turn share a group. */
  #kick(): void {
    this.#running ??= Promise.resolve().then(async () => this.#run());
  }

  /** Ends `running` in the same turn in which it saw that nothing is left, so that no later append is overlooked. */
  async #run(): Promise<void> {
    try {
      while (this.#failed === undefined && (this.#queue.length > 0 || this.#isSyncWanted)) await this.#step();
      this.#tellDue();
      this.#running = undefined;
    } catch (error) {
      this.#running = undefined;
      this.#fail(error);
    }
  }

  async #step(): Promise<void> {
    const first = this.#queue[0];
    if (first !== undefined) {
      if (first.frame.length > this.#bytesLeft()) {
        this.#tellDue();
        await this.#rotate(first.frame.length);
      }
      const group = this.#takeGroup();
      await this.#write(group);
      this.#unsyncedEntries += group.length;
      if (group.some(({ level }) => level === "disk")) this.#isSyncWanted = true;
      if (this.#unsyncedEntries >= this.#options.syncEveryEntries) this.#isSyncWanted = true;
      for (const entry of group) if (entry.level !== "disk") entry.reach();
      const syncing = this.#isSyncWanted ? this.#sync() : this.#armTimer();
      this.#tellDue();
      await syncing;
      this.#due = group;
      if (this.#bytesLeft() < this.#open.header.bytes * SPARE_AT_SHARE) this.#prepareSpare();
    } else await this.#sync();
    this.#wakeWaiters();
  }

  #tellDue(): void {
    const due = this.#due;
    this.#due = NOBODY;
    for (const entry of due) entry.reach();
  }

  /** The segment that is written; there is one once the first entry has rotated. */
  get #open(): OpenSegment {
    assert.ok(this.#segment !== undefined, "a segment is open");
    return this.#segment;
  }

  #bytesLeft(): number {
    return this.#segment === undefined ? 0 : this.#segment.header.bytes - this.#place.offset;
  }

  #takeGroup(): LogEntry[] {
    let bytes = 0;
    const limit = Math.min(this.#bytesLeft(), GROUP_BYTES_MAX);
    const isHalved = this.#due.length === 0 && this.#queue.length >= HALVED_ENTRIES_MIN;
    const most = Math.min(isHalved ? Math.ceil(this.#queue.length / 2) : Infinity, GROUP_ENTRIES_MAX);
    const isOver = ({ frame }: LogEntry, i: number) => (bytes += frame.length) > limit || i === most;
    const end = this.#queue.findIndex((entry, i) => isOver(entry, i) && i > 0);
    return end === -1 ? [...this.#queue] : this.#queue.slice(0, end);
  }

  /** Writes a group behind `place` and takes it off the queue. Entries that did not get there stay queued. */
  async #write(group: readonly LogEntry[]): Promise<void> {
    this.#seal(group);
    const bytes = joinFrames(group.map(({ frame }) => frame));
    await this.#markEnd(this.#place.offset + bytes.length);
    try {
      await writeFully(this.#open.file, bytes, this.#place.offset);
    } catch (error) {
      const whole = error instanceof WriteStopped ? await this.#wholeFrames(group, error.written) : 0;
      await this.#keepPart(group.slice(0, whole));
      throw error;
    }
    this.#written(group);
  }

  /** Before the group: a process that ends in between has changed nothing that counts. */
  async #markEnd(offset: number): Promise<void> {
    const { file, header } = this.#open;
    const mark = END_MARK.subarray(0, Math.max(0, header.bytes - offset));
    await writeFully(file, mark, offset).catch((error: unknown) => {
      // Nothing of the group was written: how much of the mark was does not matter.
      throw error instanceof WriteStopped ? new WriteStopped(0, error.cause) : error;
    });
  }

  /** Invariant 4: the first frames of a failed group are in the file whole. They count, and are synced. */
  async #keepPart(part: readonly LogEntry[]): Promise<void> {
    if (part.length === 0) return;
    this.#written(part);
    await this.#sync();
    for (const entry of part) entry.reach();
    this.#wakeWaiters();
  }

  #written(group: readonly LogEntry[]): void {
    const end = group.at(-1)?.sealedEnd;
    assert.ok(end !== undefined, "a group has a last frame");
    for (const entry of group) entry.wasWritten();
    this.#inFlight = group;
    this.#queue = this.#queue.slice(group.length);
    this.#queuedBytes -= end.offset - this.#place.offset;
    this.#appendedBytes += end.offset - this.#place.offset;
    this.#place = end;
  }

  #seal(group: readonly LogEntry[]): void {
    const { segmentNo, crc, seq } = this.#place;
    const at = { salt: this.#open.header.salt, previousCrc: crc, previousSeq: seq, durableSeq: this.#durableSeq };
    let { offset } = this.#place;
    for (const entry of group) {
      offset += entry.frame.length;
      at.previousCrc = sealFrame(entry.frame, at);
      at.previousSeq = entry.seq;
      entry.wasSealed(segmentNo, offset, at.previousCrc);
    }
  }

  /**
   * How many frames of the group lie whole in the file after `written` bytes of it were taken. The one that was cut is
   * read back: what it lacks may lie there already (zeros, or the same bytes of an earlier life), and then it is whole.
   */
  async #wholeFrames(group: readonly LogEntry[], written: number): Promise<number> {
    let end = 0;
    for (const [index, { frame }] of group.entries()) {
      const start = end;
      end += frame.length;
      if (end <= written) continue;
      if (start >= written) return index;
      const found = Buffer.alloc(frame.length);
      await readFully(this.#open.file, found, this.#place.offset + start);
      return found.equals(frame) ? index + 1 : index;
    }
    return group.length;
  }

  async #sync(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { seq } = this.#place;
    if (seq > this.#durableSeq) {
      this.#fsyncs++;
      await this.#open.file.sync().catch((cause: unknown) => {
        throw syncFailed(cause);
      });
    }
    this.#durableSeq = seq;
    this.#unsyncedEntries = 0;
    this.#isSyncWanted = this.#waiters.wantsSyncBeyond(seq);
  }

  #armTimer(): void {
    const delayMs = Math.min(this.#options.syncEveryMs, SYNC_MS_MAX);
    this.#timer ??= this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#isSyncWanted = true;
      this.#kick();
    });
  }

  /** All of the old segment is durable before the next one gets its name (segment.ts, invariant 2). */
  async #rotate(frameBytes: number): Promise<void> {
    await this.#sync();
    const bytesMin = SEGMENT_HEADER_BYTES + frameBytes;
    const wanted = { firstSeq: this.#place.seq + 1, timeMs: this.#options.clock.now(), bytesMin };
    const next = await this.#options.folder.createSegment(wanted);
    const old = this.#segment;
    this.#segment = next;
    this.#place = firstPlace(next.header);
    await old?.file.close();
  }

  #prepareSpare(): void {
    // A spare that cannot be made now is asked for again by the rotation that needs it, which reports the error.
    this.#sparing = this.#options.folder.prepareSpare().catch(() => undefined);
  }

  #wakeWaiters(): void {
    this.#waiters.wake({ written: this.writtenSeq, durable: this.#durableSeq });
    this.#options.onProgress();
  }

  #fail(cause: unknown): void {
    const { error, isFatal } = judgeFault(cause);
    if (isFatal) this.#failed = error;
    this.#tellDue();
    const undone = [...this.#inFlight, ...this.#queue].filter((entry) => !entry.isSettled);
    this.#queue = this.#queue.filter((entry) => entry.isSettled);
    this.#queuedBytes = this.#queue.reduce((sum, { frame }) => sum + frame.length, 0);
    for (let i = undone.length - 1; i >= 0; i--) undone[i]?.fail(error);
    this.#isSyncWanted = false;
    this.#waiters.fail(error);
    // Nobody waits for what was kept, and perhaps nobody commits again: it is tried by itself.
    if (this.#failed === undefined && this.lastSeq > this.#durableSeq) this.#armTimer();
    this.#options.onFailure({ error, commits: undone.length, isFatal });
    this.#options.onProgress();
  }
}
