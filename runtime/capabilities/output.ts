/** Reading what a program writes: whole up to a limit, its last words, or line by line. Nothing here holds more than it says. */
import type { Readable } from "node:stream";
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";

/** What was read of an output. */
export interface Read {
  readonly bytes: Buffer;
  readonly isTruncated: boolean;
}

/** So much of a program's talk is read at once; after that it waits a moment, so that nobody keeps the Guardian busy. */
const TALK_BYTES = 1024 * 1024;
const TALK_PAUSE_MS = 100;

/**
 * All that it writes, up to `bytesMax`. What writes more finds its output closed, as in `yes | head`: nobody reads gigabytes
 * to throw them away. Never rejects.
 */
export async function readHead(stream: Readable, bytesMax: number): Promise<Read> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of buffersOf(stream)) {
      parts.push(part);
      bytes += part.length;
      if (bytes > bytesMax) break; // Leaving the loop closes the stream.
    }
  } catch {
    // A pipe that breaks has said what it said.
  }
  return { bytes: Buffer.concat(parts).subarray(0, bytesMax), isTruncated: bytes > bytesMax };
}

/** The last words of a program that talks for as long as it likes: read at a pace, and only the end is kept. */
export class LastWords {
  readonly #bytesMax: number;
  #kept: Buffer = Buffer.alloc(0);
  #bytes = 0;
  /** When it will say no more; never rejects. */
  readonly ended: Promise<void>;

  constructor(stream: Readable, { bytesMax, clock }: { readonly bytesMax: number; readonly clock: Clock }) {
    this.#bytesMax = bytesMax;
    this.ended = this.#listen(stream, clock);
  }

  get isTruncated(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  get text(): string {
    return this.#kept.toString("utf8").toWellFormed();
  }

  async #listen(stream: Readable, clock: Clock): Promise<void> {
    let sincePause = 0;
    try {
      for await (const part of buffersOf(stream)) {
        this.#bytes += part.length;
        sincePause += part.length;
        this.#kept = Buffer.from(Buffer.concat([this.#kept, part]).subarray(-this.#bytesMax));
        if (sincePause < TALK_BYTES) continue;
        sincePause = 0;
        await new Promise<void>((resolve) => clock.after(TALK_PAUSE_MS, resolve));
      }
    } catch {
      // As above.
    }
  }
}

/**
 * Its lines, without their ends, as they come; the last one also where it has no end.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_TOO_LARGE for a line of more than `bytesMax` bytes; the stream is closed then.
 */
export async function* linesOf(stream: Readable, bytesMax: number): AsyncGenerator<string, void, void> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const part of buffersOf(stream)) {
    let from = 0;
    for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, from)) {
      const piece = part.subarray(from, at);
      from = at + 1;
      if (bytes + piece.length > bytesMax) throw lineTooLong(bytesMax);
      yield textOf(waiting, piece);
      waiting = [];
      bytes = 0;
    }
    const rest = part.subarray(from);
    bytes += rest.length;
    if (bytes > bytesMax) throw lineTooLong(bytesMax);
    if (rest.length > 0) waiting.push(rest);
  }
  if (bytes > 0) yield textOf(waiting, Buffer.alloc(0));
}

/** A pipe without an encoding gives Buffers. */
function buffersOf(stream: Readable): AsyncIterable<Buffer> {
  return stream as AsyncIterable<Buffer>; // as said
}

function textOf(waiting: readonly Buffer[], last: Buffer): string {
  const text = (waiting.length === 0 ? last : Buffer.concat([...waiting, last])).toString("utf8");
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

function lineTooLong(bytesMax: number): RuntimeError {
  return new RuntimeError(
    "RUNTIME_CAPABILITY_TOO_LARGE",
    `it wrote a line of more than ${bytesMax} bytes (outputBytesMax)`,
  );
}
