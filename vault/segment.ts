/**
 * A segment: one file of the log. It is filled with zeros once, before its first frame, so that an fdatasync never has
 * to write the file's own metadata; afterwards it is used again under a new name.
 *
 *     0      8        12    28       32      40     44     48     56   60   64
 *     | magic | format | uuid | no u32 | first | salt | size | time | 0 | crc | frames ... 48 zeros ... zeros or frames
 *     |       | u32    |      |        | seq   | u32  | u32  | f64  |   |     | of an earlier life, with another salt
 *
 * Invariants:
 * 1. A segment has its name (`0000000042.log`) only after its header is durable: a named file with a bad header is
 *    damage, never a crash in between.
 * 2. Segment n+1 is named only after all of segment n is durable, and its first seq is the last of n plus one.
 */
import { crc32 } from "node:zlib";
import { VaultError } from "./errors.ts";
import type { LogFile } from "./log-files.ts";

/** Bytes before the first frame. */
export const SEGMENT_HEADER_BYTES = 64;
/** What stands behind the last frame, as far as the segment reaches: anything else there is a frame that was lost. */
export const END_MARK: Buffer = Buffer.alloc(48);
/** Raised when the layout of segments, frames or records changes. Format 2 added tags to frames, the end mark, and `forget` and imported writes to records. */
export const LOG_FORMAT = 2;
const FORMATS_READ: readonly number[] = [1, LOG_FORMAT];

const MAGIC = Buffer.from("PLNR-LOG", "latin1");
const NAME = /^(\d{10})\.log$/;
/** Copying this much into the page cache takes about as long as a trip to another thread and back. */
const SMALL_WRITE_BYTES: number = 256 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

/** What a segment says about itself. */
export interface SegmentHeader {
  readonly format: number;
  readonly uuid: string;
  readonly no: number;
  readonly firstSeq: number;
  readonly salt: number;
  readonly bytes: number;
  readonly timeMs: number;
}

/** The file name of a segment. */
export function segmentName(no: number): string {
  return `${String(no).padStart(10, "0")}.log`;
}

/** The number of the segment with this file name, or undefined for any other file. */
export function segmentNo(name: string): number | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** The header's 64 bytes. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(header.format, 8);
  Buffer.from(header.uuid.replaceAll("-", ""), "hex").copy(bytes, 12);
  bytes.writeUInt32LE(header.no, 28);
  bytes.writeBigUInt64LE(BigInt(header.firstSeq), 32);
  bytes.writeUInt32LE(header.salt, 40);
  bytes.writeUInt32LE(header.bytes, 44);
  bytes.writeDoubleLE(header.timeMs, 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** Throws VAULT_FORMAT_UNKNOWN for another version, VAULT_LOG_DAMAGED for anything that is no header. */
export function decodeSegmentHeader(bytes: Buffer, name: string): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.compare(MAGIC, 0, 8, 0, 8) !== 0) throw headerDamaged(name);
  const crc = bytes.readUInt32LE(60);
  if (crc !== crc32(bytes.subarray(0, 60))) throw headerDamaged(name);
  const format = bytes.readUInt32LE(8);
  if (!FORMATS_READ.includes(format)) {
    const message = `segment ${name} of the log has format ${format}; this version reads formats ${FORMATS_READ.join(" and ")}`;
    throw new VaultError("VAULT_FORMAT_UNKNOWN", message, { details: { segment: name, format } });
  }
  return {
    format,
    uuid: uuidText(bytes.toString("hex", 12, 28)),
    no: bytes.readUInt32LE(28),
    firstSeq: Number(bytes.readBigUInt64LE(32)),
    salt: bytes.readUInt32LE(40),
    bytes: bytes.readUInt32LE(44),
    timeMs: bytes.readDoubleLE(48),
  };
}

/** Fills a new file with zeros up to `bytes` and makes them durable. */
export async function fillWithZeros(file: LogFile, bytes: number): Promise<void> {
  for (let at = 0; at < bytes; at += ZEROS.length) {
    const piece = ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at));
    await writeFully(file, piece, at);
  }
  await file.sync();
}

/**
 * Writes all of `bytes`. When it fails, the rejection is a `WriteStopped` that says how far it came. Small writes happen on
 * this thread.
 */
export async function writeFully(file: LogFile, bytes: Uint8Array, position: number): Promise<void> {
  const writeNow = bytes.length <= SMALL_WRITE_BYTES ? file.writeNow?.bind(file) : undefined;
  let written = 0;
  while (written < bytes.length) {
    let count: number;
    try {
      const rest = written === 0 ? bytes : bytes.subarray(written);
      count = writeNow?.(rest, position + written) ?? (await file.write(rest, position + written));
    } catch (cause) {
      throw new WriteStopped(written, cause);
    }
    if (count === 0) throw new WriteStopped(written, new Error("the file took no more bytes"));
    written += count;
  }
}

/** Reads until `into` is full or the file ends; returns how many bytes came. */
export async function readFully(file: LogFile, into: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const count = await file.read(filled === 0 ? into : into.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** A write that ended early. Stays within the floor: whoever catches it turns it into a VaultError. */
export class WriteStopped extends Error {
  readonly written: number;

  constructor(written: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = "WriteStopped";
    this.written = written;
  }
}

function headerDamaged(name: string): VaultError {
  const message = `the header of log segment ${name} is damaged; restore the vault from a backup`;
  return new VaultError("VAULT_LOG_DAMAGED", message, { details: { segment: name, offset: 0 } });
}

function uuidText(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
