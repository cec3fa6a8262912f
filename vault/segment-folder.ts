/**
 * The folder of the log: which segments there are, making the next one, using old ones again.
 *
 *     fresh file --zeros--> spare --header, rename--> 0000000007.log --behind the checkpoint, rename--> spare
 *
 * Invariants:
 * 1. Segments are listed in the order of their numbers, without a hole, and their first seqs never decrease.
 * 2. At most one spare exists. It holds no frame anybody needs.
 * 3. Nothing is taken away while somebody reads the log (`reading`).
 */
import { join } from "node:path";
import { VaultError } from "./errors.ts";
import { saltOf } from "./identity.ts";
import { systemCode } from "./log-files.ts";
import type { LogFile, LogFiles } from "./log-files.ts";
import {
  END_MARK,
  LOG_FORMAT,
  SEGMENT_HEADER_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  fillWithZeros,
} from "./segment.ts";
import { readFully, segmentName, segmentNo, writeFully } from "./segment.ts";
import { mendHeader } from "./segment-mend.ts";
import type { SegmentHeader } from "./segment.ts";

const SPARE = "spare";

/** What a folder of segments needs. */
export interface SegmentFolderOptions {
  readonly path: string;
  readonly files: LogFiles;
  readonly uuid: string;
  readonly segmentBytes: number;
}

/** What a new segment must know. */
export interface NewSegment {
  readonly firstSeq: number;
  readonly timeMs: number;
  /** A larger file when one frame needs it. */
  readonly bytesMin: number;
}

/** A segment that is being written. */
export interface OpenSegment {
  readonly header: SegmentHeader;
  readonly file: LogFile;
}

function misplaced(segment: string, details: Readonly<Record<string, unknown>>): VaultError {
  const message = `log segment ${segment} does not belong here: a segment is missing or comes from another vault`;
  return new VaultError("VAULT_LOG_DAMAGED", message, { details: { segment, offset: 0, ...details } });
}

/** See the header. */
export class SegmentFolder {
  readonly #options: SegmentFolderOptions;
  readonly #segments: SegmentHeader[] = [];
  readonly #mended: string[] = [];
  /** Before the hole, and why it is one. */
  readonly #stranded: string[] = [];
  #hole: VaultError | undefined;
  #hasSpare = false;
  #readers = 0;
  #preparing: Promise<void> | undefined;

  private constructor(options: SegmentFolderOptions) {
    this.#options = options;
  }

  /**
   * Lists the folder and reads every header; one that cannot be read is mended from the frames behind it. What lies before a
   * hole is stranded: ask `requireRun` before anything is read. Throws VAULT_FORMAT_UNKNOWN.
   */
  static async open(options: SegmentFolderOptions): Promise<SegmentFolder> {
    const { files, path } = options;
    const folder = new SegmentFolder(options);
    await files.makeFolder(path);
    for (const name of (await files.list(path)).toSorted()) {
      if (name === SPARE) await folder.#adoptSpare();
      else if (segmentNo(name) !== undefined) await folder.#add(name);
    }
    return folder;
  }

  /** Segments whose headers were written anew. */
  get mended(): readonly string[] {
    return this.#mended;
  }

  /**
   * Makes sure that the log goes on without a hole from segment `no`, where the last checkpoint ends; undefined when there was
   * none. Segments that lie before a hole are put under other names and returned: all of them is behind the checkpoint. Throws
   * VAULT_LOG_DAMAGED when the hole is ahead of it.
   */
  async requireRun(no: number | undefined): Promise<readonly string[]> {
    if (this.#hole === undefined) return [];
    if (!this.#segments.some((segment) => segment.no === no)) throw this.#hole;
    const { files, path } = this.#options;
    // The oldest first: a crash leaves no other hole than there is.
    for (const name of this.#stranded) await files.rename(this.#pathOf(name), this.#pathOf(`lost-${name}`));
    await files.syncFolder(path);
    return this.#stranded.splice(0);
  }

  /** Puts segment `no` and all before it out of the log, under other names: all of it is behind the checkpoint. */
  async setAsideThrough(no: number): Promise<readonly string[]> {
    const { files, path } = this.#options;
    const names: string[] = [];
    for (let [first] = this.#segments; first !== undefined && first.no <= no; [first] = this.#segments) {
      if (this.#readers > 0) break;
      const name = segmentName(first.no);
      this.#segments.shift();
      await this.#takeAway(first, (from) => files.rename(from, join(path, `lost-${name}`)));
      names.push(name);
    }
    return names;
  }

  /** Oldest first. */
  get segments(): readonly SegmentHeader[] {
    return this.#segments;
  }

  /** The first seq that is still in the log; undefined without segments. */
  get firstSeq(): number | undefined {
    return this.#segments[0]?.firstSeq;
  }

  async openSegment(no: number): Promise<LogFile> {
    return await this.#options.files.open(this.#pathOf(segmentName(no)), "existing");
  }

  /** Size of the file as it is now; smaller than its header says when it was cut. */
  async fileBytes(no: number): Promise<number> {
    return await this.#options.files.size(this.#pathOf(segmentName(no)));
  }

  /** Makes the next segment durable under its name (invariant 1 of segment.ts) and leaves it open. */
  async createSegment(wanted: NewSegment): Promise<OpenSegment> {
    const { files, uuid, path, segmentBytes } = this.#options;
    const isOrdinary = wanted.bytesMin <= segmentBytes;
    if (isOrdinary) await this.prepareSpare();
    const source = isOrdinary ? SPARE : `${SPARE}-large`;
    const file = await files.open(this.#pathOf(source), isOrdinary ? "existing" : "create");
    const bytes = isOrdinary ? segmentBytes : wanted.bytesMin;
    const no = (this.#segments.at(-1)?.no ?? 0) + 1;
    const header = {
      format: LOG_FORMAT,
      uuid,
      no,
      firstSeq: wanted.firstSeq,
      salt: saltOf(uuid, no),
      bytes,
      timeMs: wanted.timeMs,
    };
    try {
      if (!isOrdinary) await fillWithZeros(file, bytes);
      await writeFully(file, Buffer.concat([encodeSegmentHeader(header), END_MARK]).subarray(0, bytes), 0);
      await file.sync();
      await files.rename(this.#pathOf(source), this.#pathOf(segmentName(no)));
      if (isOrdinary) this.#hasSpare = false;
      await files.syncFolder(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#segments.push(header);
    return { header, file };
  }

  /** Sees to it that a zero-filled file lies ready. One at a time; joins the one that runs. */
  async prepareSpare(): Promise<void> {
    if (this.#hasSpare) return;
    this.#preparing ??= this.#makeSpare().finally(() => (this.#preparing = undefined));
    await this.#preparing;
  }

  /** Holds all segments in place while `read` runs. */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    this.#readers++;
    try {
      return await read();
    } finally {
      this.#readers--;
    }
  }

  /** Puts the segments behind number `no` out of the log, under other names. The newest first: a crash leaves no hole. */
  async setAside(no: number): Promise<void> {
    const { files, path } = this.#options;
    for (let last = this.#segments.at(-1); last !== undefined && last.no > no; last = this.#segments.at(-1)) {
      await files.rename(
        this.#pathOf(segmentName(last.no)),
        this.#pathOf(`lost-${last.firstSeq}-${segmentName(last.no)}`),
      );
      this.#segments.pop();
    }
    await files.syncFolder(path);
  }

  /** Takes away the oldest segments, of which `isNeeded` says false; one becomes the spare, the others are deleted. Rejects with VAULT_RELEASE_FAILED. */
  async release(isNeeded: (segment: SegmentHeader, next: SegmentHeader | undefined) => boolean): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || this.#readers > 0 || isNeeded(oldest, next)) break;
      this.#segments.shift();
      try {
        await this.#letGo(oldest);
      } catch (cause) {
        const details = { segment: segmentName(oldest.no), code: systemCode(cause) };
        const message = `the old log segment ${details.segment} could not be taken away (${details.code}); it stays until the next checkpoint`;
        throw new VaultError("VAULT_RELEASE_FAILED", message, { details, cause });
      }
    }
  }

  async #letGo(segment: SegmentHeader): Promise<void> {
    const canBeSpare = !this.#hasSpare && this.#preparing === undefined && segment.bytes === this.#options.segmentBytes;
    if (!canBeSpare) return this.#takeAway(segment, (path) => this.#options.files.remove(path));
    this.#preparing = this.#recycle(segment).finally(() => (this.#preparing = undefined));
    await this.#preparing;
  }

  /** Durable before it counts as a spare: else a power cut brings the old name back, with the next header in the file. */
  async #recycle(segment: SegmentHeader): Promise<void> {
    await this.#takeAway(segment, (path) => this.#options.files.rename(path, this.#pathOf(SPARE)));
    this.#hasSpare = true;
  }

  /**
   * One by one: what is not synced may reach the disk in any order, and a power cut would leave a hole in the log. For the
   * same reason a segment that could not be taken away is the oldest again.
   */
  async #takeAway(segment: SegmentHeader, take: (path: string) => Promise<void>): Promise<void> {
    try {
      await take(this.#pathOf(segmentName(segment.no)));
    } catch (error) {
      this.#segments.unshift(segment);
      throw error;
    }
    await this.#options.files.syncFolder(this.#options.path);
  }

  async #add(name: string): Promise<void> {
    const header = await this.#readHeader(name);
    const previous = this.#segments.at(-1);
    if (header instanceof VaultError) {
      this.#strand([name], header);
      return;
    }
    if (segmentName(header.no) !== name || header.uuid !== this.#options.uuid) {
      this.#strand([name], misplaced(name, { firstLostSeq: previous?.firstSeq, uuid: header.uuid }));
      return;
    }
    if (previous !== undefined && header.no !== previous.no + 1) {
      this.#strand([], misplaced(name, { firstLostSeq: previous.firstSeq, uuid: header.uuid }));
    }
    this.#segments.push(header);
  }

  /** There is a hole behind all segments so far, and behind `names`. */
  #strand(names: readonly string[], why: VaultError): void {
    this.#hole ??= why;
    this.#stranded.push(...this.#segments.splice(0).map(({ no }) => segmentName(no)), ...names);
  }

  /** The header, or why there is none. */
  async #readHeader(name: string): Promise<SegmentHeader | VaultError> {
    const { files, uuid } = this.#options;
    const file = await files.open(this.#pathOf(name), "existing");
    try {
      const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
      const count = await readFully(file, bytes, 0);
      return decodeSegmentHeader(bytes.subarray(0, count), name);
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "VAULT_LOG_DAMAGED") throw error;
      const no = segmentNo(name) ?? 0;
      const mended = await mendHeader(file, { uuid, no, bytes: await files.size(this.#pathOf(name)) });
      if (mended !== undefined) this.#mended.push(name);
      return mended ?? error;
    } finally {
      await file.close();
    }
  }

  async #adoptSpare(): Promise<void> {
    const { files, segmentBytes } = this.#options;
    const path = this.#pathOf(SPARE);
    if ((await files.size(path)) === segmentBytes) this.#hasSpare = true;
    else await files.remove(path);
  }

  async #makeSpare(): Promise<void> {
    const { files, segmentBytes } = this.#options;
    const path = this.#pathOf(`${SPARE}-new`);
    const file = await files.open(path, "create");
    try {
      await fillWithZeros(file, segmentBytes);
    } finally {
      await file.close();
    }
    await files.rename(path, this.#pathOf(SPARE));
    this.#hasSpare = true;
  }

  #pathOf(name: string): string {
    return join(this.#options.path, name);
  }
}
