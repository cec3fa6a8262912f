/**
 * Reading the log: frames of the segments in order, each checked alone and against the one before it.
 *
 * Invariants:
 * 1. A scan stops at the first place that is not the next frame, and says why.
 * 2. A stop is a torn tail only when nothing durable lies behind it: no later segment goes on with a later seq, and no
 *    valid frame behind it says that the lost one had been durable (`lag` in frame.ts). Anything else is damage.
 * 3. Memory is one chunk, or one frame when that is larger. Frames point into their chunk; chunks are not used again.
 */
import { VaultError } from "./errors.ts";
import { FRAME_HEADER_BYTES, follows, readFrame } from "./frame.ts";
import type { Frame, FrameFound, FrameShape } from "./frame.ts";
import type { LogFile } from "./log-files.ts";
import type { SegmentFolder } from "./segment-folder.ts";
import { END_MARK, SEGMENT_HEADER_BYTES, readFully, segmentName } from "./segment.ts";
import type { SegmentHeader } from "./segment.ts";
import { Slices } from "./slices.ts";

const CHUNK_BYTES = 1024 * 1024;
/** Where a frame has its seq. A later one is less than 2^32 ahead; eight bytes that mean something else almost never are. */
const SEQ_AT = 16;
const NOTHING: FrameFound = { kind: "none" };

/** A place between two frames. */
export interface LogPlace {
  readonly segmentNo: number;
  readonly offset: number;
  /** crc and seq of the frame that ends here; for the first place of a segment its salt and its first seq less one. */
  readonly crc: number;
  readonly seq: number;
}

/** Where a segment's frames begin. */
export function firstPlace(header: SegmentHeader): LogPlace {
  return { segmentNo: header.no, offset: SEGMENT_HEADER_BYTES, crc: header.salt, seq: header.firstSeq - 1 };
}

/**
 * Visits every frame behind `start`, through all later segments, and returns the place behind the last one and whether
 * something unfinished lies there. Throws VAULT_LOG_DAMAGED (details: segment, offset, firstLostSeq) for a gap.
 */
export async function scanLog(
  folder: SegmentFolder,
  start: LogPlace,
  visit: (frame: Frame) => void,
): Promise<{ readonly end: LogPlace; readonly isTorn: boolean }> {
  let place = start;
  const segments = folder.segments.filter(({ no }) => no >= start.segmentNo);
  for (const header of segments) {
    if (header.no !== place.segmentNo) place = nextSegment(place, header);
    place = await scanSegment(folder, { header, start: place, untilSeq: Infinity }, visit);
  }
  const last = segments.at(-1);
  return { end: place, isTorn: last !== undefined && (await hasTornTail(folder, last, place)) };
}

/** Part of one segment. */
interface SegmentPart {
  readonly header: SegmentHeader;
  readonly start: LogPlace;
  /** The scan ends behind the frame with this seq, if it comes so far. */
  readonly untilSeq: number;
}

/** What a scan does with a frame. It goes on when that has settled. */
type Visit = (frame: Frame) => Promise<void> | void | undefined;

/** Visits the frames of a part of one segment and returns the place behind the last of them. */
async function scanSegment(
  folder: SegmentFolder,
  { header, start, untilSeq }: SegmentPart,
  visit: Visit,
): Promise<LogPlace> {
  const file = await folder.openSegment(header.no);
  try {
    let place = start;
    let chunkBytes = CHUNK_BYTES;
    while (place.seq < untilSeq) {
      const chunk = await readChunk(file, place.offset, chunkBytes);
      const result = await visitChunk(chunk, { header, start: place, untilSeq }, visit);
      place = result.place;
      // A short read is the end of the file: what does not fit into it was cut off.
      if (result.bytesNeeded === undefined || chunk.length < chunkBytes) break;
      chunkBytes = Math.max(CHUNK_BYTES, result.bytesNeeded);
    }
    return place;
  } finally {
    await file.close();
  }
}

/** Part of the log, both ends included. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly untilSeq: number;
  /** What the log has written so far: the scan must come as far as this or `untilSeq`. */
  readonly writtenSeq: number;
}

/**
 * Visits the frames of a range, oldest first, in slices: others have their turn in between. Throws VAULT_LOG_DAMAGED when
 * one of them cannot be read.
 */
export async function readFrames(
  folder: SegmentFolder,
  { fromSeq, untilSeq, writtenSeq }: SeqRange,
  visit: (frame: Frame) => void,
): Promise<void> {
  const segments = [...folder.segments];
  const slices = new Slices();
  for (const [index, header] of segments.entries()) {
    const lastSeq = (segments[index + 1]?.firstSeq ?? writtenSeq + 1) - 1;
    if (lastSeq < fromSeq || header.firstSeq > untilSeq) continue;
    const part = { header, start: firstPlace(header), untilSeq: Math.min(untilSeq, lastSeq) };
    const end = await scanSegment(folder, part, (frame) => {
      if (frame.seq >= fromSeq && frame.seq <= untilSeq) visit(frame);
      return slices.pause();
    });
    if (end.seq < part.untilSeq) throw logDamaged(end, part.untilSeq);
  }
}

/** Visits the frames that lie whole in `chunk`. `bytesNeeded` is there when the next one is cut off by its end. */
async function visitChunk(
  chunk: Buffer,
  { header, start, untilSeq }: SegmentPart,
  visit: Visit,
): Promise<{ readonly place: LogPlace; readonly bytesNeeded: number | undefined }> {
  let place = start;
  while (place.seq < untilSeq) {
    const found = readFrame(chunk, place.offset - start.offset, header);
    if (found.kind === "short") return { place, bytesNeeded: found.bytesNeeded };
    if (found.kind === "none" || !follows(found.frame, place)) break;
    const { bytes, crc, seq } = found.frame;
    const pause = visit(found.frame);
    if (pause !== undefined) await pause;
    place = { segmentNo: place.segmentNo, offset: place.offset + bytes, crc, seq };
  }
  return { place, bytesNeeded: undefined };
}

/** Whether something unfinished lies at the end of the last segment. Throws when it is damage (invariant 2). */
async function hasTornTail(folder: SegmentFolder, header: SegmentHeader, end: LogPlace): Promise<boolean> {
  const file = await folder.openSegment(header.no);
  try {
    const rest = await readChunk(file, end.offset, Math.max(header.bytes - end.offset, 0));
    const later = laterFrames(rest, header, end.seq);
    if (later !== undefined && later.durableSeq > end.seq) throw logDamaged(end, later.durableSeq);
    const isCut = rest.length < header.bytes - end.offset;
    return isCut || later !== undefined || !isEndMark(rest, header, end);
  } finally {
    await file.close();
  }
}

/** Whether the log was ended here on purpose (log.ts, invariant 6). */
function isEndMark(rest: Buffer, { format }: SegmentHeader, end: LogPlace): boolean {
  // Format 1 has no mark. A frame that was begun there names the crc before it, remains of an earlier life another one.
  if (format === 1) return rest.length < FRAME_HEADER_BYTES || rest.readUInt32LE(8) !== end.crc;
  return rest.subarray(0, END_MARK.length).equals(END_MARK.subarray(0, rest.length));
}

/** The highest seq that some valid frame beyond `seq` in `rest`, wherever it begins, knew to be durable; undefined without any. */
function laterFrames(rest: Buffer, shape: FrameShape, seq: number): { readonly durableSeq: number } | undefined {
  let durableSeq: number | undefined;
  // Two million places in a segment: as words they take 3 ms, with a Buffer's checked reads 25. Chunks are aligned.
  const words = new Uint32Array(rest.buffer, rest.byteOffset, rest.length >> 2);
  const [lowMin, highMin] = [seq % 2 ** 32, Math.floor(seq / 2 ** 32)];
  for (let at = 0; at + FRAME_HEADER_BYTES <= rest.length;) {
    // Looking at the seq first skips zeros and older frames, the tag skips what agents wrote, without taking checksums.
    const low = words[(at + SEQ_AT) >> 2]!;
    const ahead = words[(at + SEQ_AT + 4) >> 2]! - highMin;
    const isLater = (ahead === 0 && low > lowMin) || (ahead === 1 && low < lowMin);
    const found = isLater ? readFrame(rest, at, shape) : NOTHING;
    if (found.kind === "frame") durableSeq = Math.max(durableSeq ?? 0, found.frame.durableSeq);
    at += found.kind === "frame" ? found.frame.bytes : 8;
  }
  return durableSeq === undefined ? undefined : { durableSeq };
}

function nextSegment(place: LogPlace, header: SegmentHeader): LogPlace {
  const first = firstPlace(header);
  if (first.seq !== place.seq) throw logDamaged(place, first.seq);
  return first;
}

async function readChunk(file: LogFile, offset: number, bytes: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(bytes);
  return chunk.subarray(0, await readFully(file, chunk, offset));
}

function logDamaged(place: LogPlace, lastLostSeq: number): VaultError {
  const segment = segmentName(place.segmentNo);
  const firstLostSeq = place.seq + 1;
  const message = `log segment ${segment} is damaged at byte ${place.offset}: entries ${firstLostSeq} to ${lastLostSeq} at least are lost`;
  return new VaultError("VAULT_LOG_DAMAGED", message, {
    details: { segment, offset: place.offset, firstLostSeq, lastLostSeq },
  });
}
