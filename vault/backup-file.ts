/**
 * Files that are written once, front to back, and hashed on the way: what backups and exports consist of.
 *
 * Invariants:
 * 1. What `finish` tells was written and synced; the name is durable after the folder's sync only.
 * 2. A write that fails ends the file: it is closed and of no use.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { LogFile, LogFiles } from "./log-files.ts";
import { writeFully } from "./segment.ts";

/** Small enough that hashing one piece takes well under a millisecond. */
const PIECE_BYTES: number = 256 * 1024;

/** What a file holds. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** See the header. */
export class HashedFile {
  readonly #file: LogFile;
  readonly #hash = createHash("sha256");
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #filled = 0;
  #written = 0;
  #isOpen = true;

  private constructor(file: LogFile) {
    this.#file = file;
  }

  /** Makes the file, or empties it. */
  static async create(files: LogFiles, path: string): Promise<HashedFile> {
    return new HashedFile(await files.open(path, "create"));
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#written + this.#filled;
  }

  /** The sha256 of everything so far. */
  digest(): Buffer {
    const copy = this.#hash.copy();
    return copy.update(this.#piece.subarray(0, this.#filled)).digest();
  }

  /** Adds bytes, which may be used again afterwards. Returns something to wait for only when the disk is written to. */
  append(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#filled + bytes.length > PIECE_BYTES) return this.#appendLong(bytes);
    this.#piece.set(bytes, this.#filled);
    this.#filled += bytes.length;
    return undefined;
  }

  /** Everything is on the disk; the file is closed. */
  async finish(): Promise<FileDigest> {
    await this.#flush();
    await this.#file.sync();
    await this.close();
    return { bytes: this.#written, sha256: this.#hash.digest("hex") };
  }

  /** Gives the file up, or does nothing when it is finished. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }

  async #appendLong(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === PIECE_BYTES) await this.#flush();
      const part = bytes.subarray(at, at + PIECE_BYTES - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
  }

  async #flush(): Promise<void> {
    const piece = this.#piece.subarray(0, this.#filled);
    this.#hash.update(piece);
    await writeFully(this.#file, piece, this.#written);
    this.#written += piece.length;
    this.#filled = 0;
  }
}

/** Visits a file from front to back in pieces that are used again when `visit` has ended. Stops when `signal` is aborted. */
export async function readPieces(
  path: string,
  visit: (piece: Buffer) => Promise<void> | void | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES);
      if (bytesRead === 0) return;
      await visit(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** What a file holds, read from the disk. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash("sha256");
  let bytes = 0;
  await readPieces(
    path,
    (piece) => {
      hash.update(piece);
      bytes += piece.length;
    },
    signal,
  );
  return { bytes, sha256: hash.digest("hex") };
}
