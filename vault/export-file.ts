/**
 * The file of one agent: a header, frames as the log has them, and a trailer that vouches for all of it.
 *
 *     0      8        12    28       36     40     48         60   64                       end - 80
 *     | magic | format | uuid | seq f64 | salt | time f64 | 0 | crc | frames, numbered from 1 | trailer |
 *
 *     trailer  magic 8 | frames u32 | 0 u32 | sha256 of the content that the frames end with (32)
 *              | sha256 of the whole file up to here (32)
 *
 * The records of the frames are `write` (with the seq and time it was first made at), `snapshot` and, in the first frame,
 * `name`; their branch is 1. Applied one after the other they give the agent's state, and its snapshots on the way.
 *
 * Invariants:
 * 1. A file without its trailer, or with any other byte changed, is no export: VAULT_EXPORT_DAMAGED.
 * 2. Nothing in it depends on the vault it comes from: no page ids, no branch ids.
 */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { HashedFile, readPieces } from "./backup-file.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { VaultError } from "./errors.ts";
import { encodeFrame, follows, readFrame, sealFrame } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { LogFiles } from "./log-files.ts";
import type { BranchId, Seq } from "./model.ts";
import type { LogRecord } from "./record.ts";
import { LOG_FORMAT } from "./segment.ts";

const MAGIC = Buffer.from("PLNR-EXP", "latin1");
/** The format of the log whose frames are in here: files of older ones are read as such. */
const FORMAT = LOG_FORMAT;
const HEADER_BYTES = 64;
const TRAILER_BYTES = 80;
const SHA256_BYTES = 32;
const CHUNK_BYTES: number = 1024 * 1024;

/** The branch in all records of an export. */
export const EXPORTED_BRANCH: BranchId = 1 as BranchId; // No vault's: it only has to be one and the same.

/** What an export says about itself. */
export interface ExportHeader {
  readonly uuid: string;
  /** Where the state stood in the vault it comes from. */
  readonly seq: number;
  readonly timeMs: number;
}

/** What one frame of an export says. */
export interface ExportFrame {
  readonly timeMs: number;
  readonly note?: Uint8Array | undefined;
  readonly records: readonly LogRecord[];
}

/** Writes an export, front to back. */
export class ExportWriter {
  readonly #file: HashedFile;
  readonly #salt: number;
  #frames = 0;
  #crc: number;

  private constructor(file: HashedFile, salt: number) {
    this.#file = file;
    this.#salt = salt;
    this.#crc = salt;
  }

  static async create(files: LogFiles, path: string, header: ExportHeader): Promise<ExportWriter> {
    const salt = crc32(`${header.uuid}/export/${header.seq}`);
    const file = await HashedFile.create(files, path);
    await file.append(encodeHeader(header, salt));
    return new ExportWriter(file, salt);
  }

  get frames(): number {
    return this.#frames;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  /** Throws VAULT_VALUE_TOO_LARGE for records that do not fit into a frame. */
  async add({ timeMs, note, records }: ExportFrame): Promise<void> {
    const seq = (this.#frames + 1) as Seq; // The file's own numbers.
    const { frame } = encodeFrame({ seq, timeMs, note, records }, new ByteWriter(1024));
    const place = { salt: this.#salt, previousCrc: this.#crc, previousSeq: this.#frames, durableSeq: this.#frames };
    this.#crc = sealFrame(frame, place);
    this.#frames++;
    await this.#file.append(frame);
  }

  /** Makes the file whole and durable. `contentSha256`: of the state that the frames end with (`ContentHash`). */
  async finish(contentSha256: Uint8Array): Promise<void> {
    const trailer = new ByteWriter(TRAILER_BYTES);
    trailer.raw(MAGIC);
    trailer.u32(this.#frames);
    trailer.u32(0);
    trailer.raw(contentSha256);
    await this.#file.append(trailer.done());
    await this.#file.append(this.#file.digest());
    await this.#file.finish();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The content of a state as one hash, entry by entry in the order of the keys. */
export class ContentHash {
  readonly #hash = createHash("sha256");

  add(key: string, value: Uint8Array): void {
    const head = new ByteWriter(6 + key.length * 3);
    head.keyed(key, value.length);
    this.#hash.update(head.done()).update(value);
  }

  digest(): Buffer {
    return this.#hash.digest();
  }
}

/** An export that was read once from end to end and is sound. */
export interface VerifiedExport extends ExportHeader {
  readonly path: string;
  readonly salt: number;
  readonly format: number;
  readonly frames: number;
  readonly bytes: number;
  readonly contentSha256: Buffer;
}

/** Reads the whole file and checks its sha256. Throws VAULT_EXPORT_DAMAGED, VAULT_FORMAT_UNKNOWN. */
export async function verifyExport(path: string, signal?: AbortSignal): Promise<VerifiedExport> {
  const bytes = await sizeOf(path);
  if (bytes < HEADER_BYTES + TRAILER_BYTES) throw exportDamaged(path, "it is too short");
  const head = Buffer.alloc(HEADER_BYTES);
  const tail = Buffer.alloc(TRAILER_BYTES);
  const hash = createHash("sha256");
  let at = 0;
  await readPieces(
    path,
    (piece) => {
      if (at < HEADER_BYTES) piece.copy(head, at);
      const hashed = piece.subarray(0, Math.max(0, bytes - SHA256_BYTES - at));
      hash.update(hashed);
      const tailAt = at - (bytes - TRAILER_BYTES);
      if (-tailAt < piece.length) piece.copy(tail, Math.max(0, tailAt), Math.max(0, -tailAt));
      at += piece.length;
    },
    signal,
  );
  const header = decodeHeader(path, head);
  if (at !== bytes || !tail.subarray(0, 8).equals(MAGIC)) throw exportDamaged(path, "its end is missing");
  if (!hash.digest().equals(tail.subarray(TRAILER_BYTES - SHA256_BYTES)))
    throw exportDamaged(path, "its sha256 is not the one in its trailer");
  return { path, bytes, ...header, frames: tail.readUInt32LE(8), contentSha256: tail.subarray(16, 48) };
}

/** The frames of a sound export, in order. Each points into a chunk that is not used again. Throws VAULT_EXPORT_DAMAGED. */
export async function* readExport(verified: VerifiedExport): AsyncGenerator<Frame, void> {
  const { path, salt, frames, bytes } = verified;
  const end = bytes - TRAILER_BYTES;
  const file = await open(path, "r");
  try {
    let previous = { seq: 0, crc: salt };
    let chunkBytes = CHUNK_BYTES;
    for (let position = HEADER_BYTES; position < end;) {
      const chunk = await readChunk(file, position, Math.min(chunkBytes, end - position));
      let at = 0;
      chunkBytes = CHUNK_BYTES;
      for (;;) {
        const found = readFrame(chunk, at, verified);
        if (found.kind === "short") {
          if (at === 0 && (found.bytesNeeded <= chunk.length || found.bytesNeeded > end - position))
            throw misfit(path, position);
          chunkBytes = Math.max(CHUNK_BYTES, found.bytesNeeded);
          break;
        }
        if (found.kind === "none" || !follows(found.frame, previous)) throw misfit(path, position + at);
        yield found.frame;
        previous = found.frame;
        at += found.frame.bytes;
        if (position + at === end) break;
      }
      position += at;
    }
    if (previous.seq !== frames)
      throw exportDamaged(path, `it has ${previous.seq} frames where there should be ${frames}`);
  } finally {
    await file.close();
  }
}

function encodeHeader({ uuid, seq, timeMs }: ExportHeader, salt: number): Buffer {
  const out = new ByteWriter(HEADER_BYTES);
  out.raw(MAGIC);
  out.u32(FORMAT);
  out.raw(Buffer.from(uuid.replaceAll("-", ""), "hex"));
  out.f64(seq);
  out.u32(salt);
  out.f64(timeMs);
  out.zeros(HEADER_BYTES - 4 - out.length);
  const bytes = out.done();
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(bytes));
  return Buffer.concat([bytes, crc]);
}

function decodeHeader(path: string, bytes: Buffer): ExportHeader & { readonly salt: number; readonly format: number } {
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw exportDamaged(path, "it is no export of an agent");
  if (crc32(bytes.subarray(0, HEADER_BYTES - 4)) !== bytes.readUInt32LE(HEADER_BYTES - 4))
    throw exportDamaged(path, "its header fails its checksum");
  const from = new ByteReader(bytes.subarray(8));
  const format = from.u32();
  if (format !== FORMAT) {
    const message = `${path} is an export of format ${format}; this version reads format ${FORMAT}`;
    throw new VaultError("VAULT_FORMAT_UNKNOWN", message, { details: { path, format } });
  }
  const hex = Buffer.from(from.raw(16)).toString("hex");
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  return { format, uuid, seq: from.f64(), salt: from.u32(), timeMs: from.f64() };
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw exportDamaged(path, isMissing ? "there is no such file" : "it cannot be read", cause);
  });
  if (!found.isFile()) throw exportDamaged(path, "it is no file");
  return found.size;
}

async function readChunk(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(bytes);
  const { bytesRead } = await file.read(chunk, 0, bytes, position);
  return chunk.subarray(0, bytesRead);
}

function misfit(path: string, position: number): VaultError {
  return exportDamaged(path, `no frame that fits begins at byte ${position}`);
}

/** VAULT_EXPORT_DAMAGED: nothing of the file is used. */
export function exportDamaged(path: string, what: string, cause?: unknown): VaultError {
  const message = `${path} cannot be imported: ${what}; nothing was imported`;
  return new VaultError("VAULT_EXPORT_DAMAGED", message, { details: { path, what }, cause });
}
