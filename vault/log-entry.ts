/**
 * One commit on its way to the disk.
 *
 *     queued --write(2)--> written --fdatasync--> durable
 *        \________________ undone (disk full, failed sync)
 *
 * Invariants:
 * 1. An entry settles once: kept when its durability level is reached and everything it depends on is kept, or undone.
 * 2. A kept entry is never undone. So an entry that depends on one that may still be undone is not kept before it, even
 *    if its own level asks for less ("memory" behind "disk" on the same branch waits for the disk's answer).
 */
import type { VaultError } from "./errors.ts";
import type { LogPlace } from "./log-scan.ts";
import type { Commit, Durability, Seq } from "./model.ts";

/** What an entry is made of. */
export interface LogEntryOptions {
  readonly seq: Seq;
  readonly frame: Buffer;
  readonly level: Durability;
  /** Entries this one builds upon; settled ones are ignored. */
  readonly after: readonly LogEntry[];
  /** Takes the change back in memory. */
  readonly undo: Undoing;
}

/** Something that can be taken back, once. */
export interface Undoing {
  run(): void;
}

const NO_FRAME = Buffer.alloc(0);
const NOBODY: readonly LogEntry[] = [];

/** See the header. To the caller of a commit it is the `Commit`. */
export class LogEntry implements Commit {
  readonly seq: Seq;
  readonly level: Durability;
  #frame: Buffer;
  // Numbers, not a place: thousands of entries are sealed for each one that is asked where it ends.
  #segmentNo = 0;
  #endOffset = 0;
  #crc = 0;
  #isWritten = false;
  /** Made when there is one: most entries are settled before another builds upon them. */
  #followers: LogEntry[] | undefined;
  #undo: Undoing | undefined;
  #waitingFor = 0;
  #isReached: boolean;
  #outcome: "open" | "kept" | VaultError = "open";
  #promise: PromiseWithResolvers<void> | undefined;

  constructor({ seq, frame, level, after, undo }: LogEntryOptions) {
    this.seq = seq;
    this.#frame = frame;
    this.level = level;
    this.#undo = undo;
    this.#isReached = level === "memory";
    // One that comes twice, as the last of two branches, is waited for twice and counted down twice.
    for (const earlier of after) {
      if (earlier.isSettled) continue;
      (earlier.#followers ??= []).push(this);
      this.#waitingFor++;
    }
    this.#settle();
  }

  /** What is to be written; empty once it was. */
  get frame(): Buffer {
    return this.#frame;
  }

  /** The place behind the frame, once it is written. */
  get end(): LogPlace | undefined {
    return this.#isWritten ? this.sealedEnd : undefined;
  }

  /** The place behind the frame, if it is written as it was last sealed. */
  get sealedEnd(): LogPlace {
    return { segmentNo: this.#segmentNo, offset: this.#endOffset, crc: this.#crc, seq: this.seq };
  }

  get isDurable(): boolean {
    return this.#outcome === "kept";
  }

  get isSettled(): boolean {
    return this.#outcome !== "open";
  }

  get durable(): Promise<void> {
    if (this.#promise === undefined) {
      this.#promise = Promise.withResolvers();
      if (this.#outcome === "kept") this.#promise.resolve();
      else if (this.#outcome !== "open") this.#reject(this.#outcome);
    }
    return this.#promise.promise;
  }

  /** The frame has its place and its checksum, and will end there once it is written. */
  wasSealed(segmentNo: number, endOffset: number, crc: number): void {
    this.#segmentNo = segmentNo;
    this.#endOffset = endOffset;
    this.#crc = crc;
  }

  /** Lets go of the frame: a settled entry may be remembered for long. */
  wasWritten(): void {
    this.#isWritten = true;
    this.#frame = NO_FRAME;
  }

  /** The entry's own level is reached. */
  reach(): void {
    this.#isReached = true;
    this.#settle();
  }

  /** Takes the change back and tells whoever waits. Only for entries that are not settled, newest first. */
  fail(error: VaultError): void {
    this.#undo?.run();
    this.#undo = undefined;
    this.#outcome = error;
    this.#reject(error);
  }

  /** Whoever awaits it gets the rejection. Nobody has to: the failure is also an event and an undone state. */
  #reject(failure: VaultError): void {
    this.#promise?.promise.catch(() => undefined);
    this.#promise?.reject(failure);
  }

  /** Settles this entry and whoever waited for it. A loop: entries that wait for one another form chains of any length. */
  #settle(): void {
    const ready: LogEntry[] = [this];
    for (let entry = ready.pop(); entry !== undefined; entry = ready.pop()) {
      if (!entry.#isReached || entry.#waitingFor > 0 || entry.isSettled) continue;
      entry.#outcome = "kept";
      entry.#undo = undefined;
      entry.#promise?.resolve();
      const followers = entry.#followers ?? NOBODY;
      entry.#followers = undefined;
      for (let i = followers.length - 1; i >= 0; i--) {
        followers[i]!.#waitingFor--;
        ready.push(followers[i]!);
      }
    }
  }
}
