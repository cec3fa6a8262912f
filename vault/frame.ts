/**
 * A frame: one commit in the log, as bytes. Pure codec, no I/O.
 *
 *     0       4     8          12    16       24       32      36     40    44  48
 *     | body  | crc | previous | lag | seq    | time   | note  | skip | tag | 0 | note, records ... | zeros to a
 *     | bytes |     | crc      |     | u64    | ms f64 | bytes | u32  | u32 |   |                   | multiple of 8
 *
 * Body bytes count all behind the head, padding left out. In format 1 the head ends before the tag.
 *
 * Invariants:
 * 1. `crc` is CRC-32 over everything behind it (padding left out), seeded with the segment's salt and the body's
 *    length. A frame of an earlier life of a recycled segment has another salt and is never taken for a frame.
 * 2. `previous crc` chains the frame to the one before it; the first frame of a segment has the salt there. So a frame
 *    can be checked alone, and a frame that was lost or written elsewhere breaks the chain.
 * 3. seq = seq of the frame before + 1 + skip. Skipped numbers belong to commits that were undone.
 * 4. `lag` says how far the disk was behind when the frame was written: everything up to seq - lag was durable then.
 *    It tells a torn tail (legal: never acknowledged as durable) from damage to what was durable.
 * 5. `tag` is a function of the salt and the rest of the head, five nanoseconds to check. What lies behind the end of the
 *    log are bytes that agents chose: without a tag each of them might be the head of a frame, whose checksum would have to
 *    be taken to know, and an agent could make the next opening take hours.
 *
 * Invariants 2 to 4 are filled in by `sealFrame` when the frame is about to be written, not before: only then is known
 * what comes before it.
 */
import { crc32 } from "node:zlib";
import type { ByteWriter } from "./bytes.ts";
import { VaultError } from "./errors.ts";
import type { Seq } from "./model.ts";
import { writeRecords } from "./record.ts";
import type { LogRecord } from "./record.ts";

/** Bytes before the note and the records. */
export const FRAME_HEADER_BYTES = 48;
const FORMAT_1_HEADER_BYTES = 40;
/** One commit at most. Larger states come in several commits; the log must hold a frame in memory to check it. */
export const FRAME_BYTES_MAX: number = 64 * 1024 * 1024;

const LAG_MAX = 0xffff_ffff;
/** Body bytes, previous crc, lag, seq, note bytes, skip. */
const TAGGED_FIELDS: readonly number[] = [0, 8, 12, 16, 20, 32, 36];

/** What a frame is built from. */
export interface FrameContent {
  readonly seq: Seq;
  readonly timeMs: number;
  readonly note: Uint8Array | undefined;
  readonly records: readonly LogRecord[];
}

/** Where a frame stands: what `sealFrame` needs to know. */
export interface FramePlace {
  readonly salt: number;
  /** crc of the frame before, or the salt for the first frame of a segment. */
  readonly previousCrc: number;
  readonly previousSeq: number;
  readonly durableSeq: number;
}

/** What a segment says that its frames are read with. */
export interface FrameShape {
  readonly salt: number;
  readonly format: number;
}

/** A frame that was read and whose checksum is right. */
export interface Frame {
  readonly seq: Seq;
  readonly timeMs: number;
  readonly crc: number;
  readonly previousCrc: number;
  readonly skip: number;
  /** Everything up to here was durable when the frame was written. */
  readonly durableSeq: number;
  readonly note: Uint8Array | undefined;
  /** The encoded records, a window into the bytes that were read. */
  readonly body: Uint8Array;
  /** Bytes in the log, padding included. */
  readonly bytes: number;
}

/** What is found at a place in the log: a frame, nothing that could be one, or too few bytes to tell. */
export type FrameFound =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "none" }
  | { readonly kind: "short"; readonly bytesNeeded: number };

/** A frame that was encoded, and its records as they are in it: their values are windows into its bytes. */
export interface EncodedFrame {
  readonly frame: Buffer;
  readonly records: readonly LogRecord[];
}

/** The frame of a commit, not yet sealed. Throws VAULT_VALUE_TOO_LARGE beyond 64 MiB. */
export function encodeFrame(content: FrameContent, out: ByteWriter): EncodedFrame {
  out.zeros(FRAME_HEADER_BYTES);
  if (content.note !== undefined) out.raw(content.note);
  const records = writeRecords(out, content.records);
  const bodyBytes = out.length - FRAME_HEADER_BYTES;
  out.zeros(padded(out.length) - out.length);
  if (out.length > FRAME_BYTES_MAX) throw frameTooLarge(out.length);
  const frame = out.done();
  frame.writeUInt32LE(bodyBytes, 0);
  writeSeq(frame, content.seq);
  frame.writeDoubleLE(content.timeMs, 24);
  frame.writeUInt32LE(content.note?.length ?? 0, 32);
  return { frame, records };
}

/** The refusal of a commit that does not fit into one frame: VAULT_VALUE_TOO_LARGE. */
export function frameTooLarge(bytes: number): VaultError {
  const message = `a commit of ${bytes} bytes is over the ${FRAME_BYTES_MAX} bytes that one frame takes; split it`;
  return new VaultError("VAULT_VALUE_TOO_LARGE", message, { details: { bytes, bytesMax: FRAME_BYTES_MAX } });
}

/** Fills in what depends on the frame's place, and the checksum, which is returned. */
export function sealFrame(frame: Buffer, place: FramePlace): number {
  const seq = peekSeq(frame, 0);
  frame.writeUInt32LE(place.previousCrc, 8);
  frame.writeUInt32LE(Math.min(seq - place.durableSeq, LAG_MAX), 12);
  frame.writeUInt32LE(seq - place.previousSeq - 1, 36);
  const bodyBytes = frame.readUInt32LE(0);
  frame.writeUInt32LE(tagOf(frame, 0, place.salt), 40);
  const crc = checksum(frame.subarray(8, FRAME_HEADER_BYTES + bodyBytes), place.salt, bodyBytes);
  frame.writeUInt32LE(crc, 4);
  return crc;
}

/** The records' bytes of a frame that was built here. */
export function frameBody(frame: Buffer): Uint8Array {
  const start = FRAME_HEADER_BYTES + frame.readUInt32LE(32);
  return frame.subarray(start, FRAME_HEADER_BYTES + frame.readUInt32LE(0));
}

/**
 * Looks for a frame at `offset`. Checks the checksum, not the chain: whether the frame follows the one before is the
 * scanner's to decide. `short` means that the bytes end before the frame would.
 */
export function readFrame(bytes: Buffer, offset: number, { salt, format }: FrameShape): FrameFound {
  const headerBytes = format === 1 ? FORMAT_1_HEADER_BYTES : FRAME_HEADER_BYTES;
  if (bytes.length - offset < headerBytes) return { kind: "short", bytesNeeded: headerBytes };
  if (format !== 1 && bytes.readUInt32LE(offset + 40) !== tagOf(bytes, offset, salt)) return { kind: "none" };
  const bodyBytes = bytes.readUInt32LE(offset);
  const size = padded(headerBytes + bodyBytes);
  const noteBytes = bytes.readUInt32LE(offset + 32);
  if (size > FRAME_BYTES_MAX || noteBytes > bodyBytes) return { kind: "none" };
  // A zero head is the untouched rest of a segment; no frame has seq 0.
  const seq = peekSeq(bytes, offset);
  if (seq === 0) return { kind: "none" };
  if (bytes.length - offset < size) return { kind: "short", bytesNeeded: size };
  const end = offset + headerBytes + bodyBytes;
  const crc = checksum(bytes.subarray(offset + 8, end), salt, bodyBytes);
  if (crc !== bytes.readUInt32LE(offset + 4)) return { kind: "none" };
  const bodyStart = offset + headerBytes + noteBytes;
  const lag = bytes.readUInt32LE(offset + 12);
  return {
    kind: "frame",
    frame: {
      seq: seq as Seq, // The checksum says that it was written, and only a Seq is.
      timeMs: bytes.readDoubleLE(offset + 24),
      crc,
      previousCrc: bytes.readUInt32LE(offset + 8),
      skip: bytes.readUInt32LE(offset + 36),
      durableSeq: lag === LAG_MAX ? 0 : seq - lag,
      note: noteBytes === 0 ? undefined : bytes.subarray(offset + headerBytes, bodyStart),
      body: bytes.subarray(bodyStart, end),
      bytes: size,
    },
  };
}

/** Whether `frame` is the one that must come after seq and crc `previous`. */
export function follows(frame: Frame, previous: { readonly seq: number; readonly crc: number }): boolean {
  return frame.previousCrc === previous.crc && frame.seq === previous.seq + 1 + frame.skip;
}

/**
 * A hash of the head's fields that nobody can make without the salt: multiply and shift, with the constants of MurmurHash3's
 * finalizer (Austin Appleby, public domain). Not against damage, for which the checksum is there.
 */
function tagOf(bytes: Buffer, offset: number, salt: number): number {
  let hash = salt;
  for (const at of TAGGED_FIELDS) {
    hash = Math.imul(hash ^ bytes.readUInt32LE(offset + at), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

function checksum(bytes: Uint8Array, salt: number, bodyBytes: number): number {
  return crc32(bytes, (salt ^ bodyBytes) >>> 0);
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** The seq that a frame at `offset` would have; unchecked, a head's bytes must be there. */
function peekSeq(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 16) + bytes.readUInt32LE(offset + 20) * 2 ** 32;
}

function writeSeq(frame: Buffer, seq: number): void {
  frame.writeUInt32LE(seq % 2 ** 32, 16);
  frame.writeUInt32LE(Math.floor(seq / 2 ** 32), 20);
}
