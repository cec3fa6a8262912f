/**
 * The reading side of `frames.ts`: bytes in any pieces in, records out. Written for a hostile peer: every number is
 * checked before it is used, and memory is bounded by one frame plus one assembled text.
 *
 * Invariants:
 * 1. Nothing is allocated by a length that was not checked against its limit before.
 * 2. What a peer has to send for an object of ours is never much smaller than the object: no piece of a long text is small.
 * 3. After an error the reader refuses everything: there is no way to find the next frame on a broken stream.
 */
import { constants } from "node:buffer";
import { SandboxError } from "./errors.ts";
import { FLAG_MORE, FRAME_HEADER_BYTES, RECORD_HEADER_BYTES, type FrameRecord } from "./frames.ts";

/** Small reads are put together now and then, so that a peer that drips bytes does not cost a buffer object for each. */
const PIECES_MAX = 256;

/** What the reader accepts. */
export interface FrameReaderOptions {
  /** Largest body of a frame, in bytes. */
  readonly frameBytesMax: number;
  /** Lowest and highest record type this peer may send. */
  readonly types: readonly [lowest: number, highest: number];
  /** Highest slot this peer may name. */
  readonly slotMax: number;
  /** Called for every record; the record object is used again after it returns. */
  readonly onRecord: (record: FrameRecord) => void;
}

/** Finds frames in a stream of bytes and records in frames. Throws SANDBOX_FRAME_INVALID and is dead from then on. */
export class FrameReader {
  /** Largest text put together from pieces, in bytes. The owner raises it as it places residents with larger limits. */
  textBytesMax: number;
  readonly #options: FrameReaderOptions;
  readonly #record: FrameRecord = { type: 0, slot: 0, turn: 0, cpuUs: 0, wallUs: 0, heapBytes: 0, text: "" };
  /** Pieces of a frame that is not complete yet. */
  #pieces: Buffer[] = [];
  #piecesBytes = 0;
  /** Bytes the incomplete frame needs in all, header included; 0 until the header is there. */
  #frameBytes = 0;
  #longText: Buffer[] = [];
  #longTextBytes = 0;
  #isBroken = false;

  constructor(options: FrameReaderOptions & { readonly textBytesMax: number }) {
    this.#options = options;
    this.textBytesMax = options.textBytesMax;
  }

  /** Takes the next bytes of the stream; calls `onRecord` for each complete record, in order. */
  push(bytes: Buffer): void {
    if (this.#isBroken) throw invalid("the stream is broken");
    this.#isBroken = true; // Also a receiver that throws leaves a stream that cannot be continued.
    let rest = bytes;
    if (this.#piecesBytes > 0) rest = this.#complete(rest);
    while (rest.length >= FRAME_HEADER_BYTES) {
      const frameBytes = this.#checkedFrameBytes(rest);
      if (rest.length < frameBytes) break;
      this.#readFrame(rest, frameBytes);
      rest = rest.subarray(frameBytes);
    }
    if (rest.length > 0) this.#keep(rest);
    this.#isBroken = false;
  }

  /** Adds to the incomplete frame; reads it when it is whole. Returns what lies behind it. */
  #complete(bytes: Buffer): Buffer {
    if (this.#frameBytes === 0) {
      const missing = FRAME_HEADER_BYTES - this.#piecesBytes;
      this.#keep(bytes.subarray(0, missing));
      if (this.#piecesBytes < FRAME_HEADER_BYTES) return bytes.subarray(bytes.length);
      this.#frameBytes = this.#checkedFrameBytes(this.#joined());
      return this.#complete(bytes.subarray(missing));
    }
    const missing = this.#frameBytes - this.#piecesBytes;
    this.#keep(bytes.subarray(0, missing));
    if (bytes.length < missing) return bytes.subarray(bytes.length);
    const frame = this.#joined();
    const frameBytes = this.#frameBytes;
    this.#pieces = [];
    this.#piecesBytes = 0;
    this.#frameBytes = 0;
    this.#readFrame(frame, frameBytes);
    return bytes.subarray(missing);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#piecesBytes === 0 && bytes.length >= FRAME_HEADER_BYTES)
      this.#frameBytes = this.#checkedFrameBytes(bytes);
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    if (this.#pieces.length > PIECES_MAX) this.#joined();
  }

  #joined(): Buffer {
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }

  #checkedFrameBytes(bytes: Buffer): number {
    const bodyBytes = bytes.readUInt32LE(0);
    if (bodyBytes > this.#options.frameBytesMax) throw invalid(`frame of ${bodyBytes} bytes`);
    if (bodyBytes < RECORD_HEADER_BYTES) throw invalid("frame without a record");
    return FRAME_HEADER_BYTES + bodyBytes;
  }

  #readFrame(frame: Buffer, frameBytes: number): void {
    const countClaimed = frame.readUInt32LE(4);
    let count = 0;
    let at = FRAME_HEADER_BYTES;
    while (at < frameBytes) {
      if (at + RECORD_HEADER_BYTES > frameBytes) throw invalid("record header cut off");
      at = this.#readRecord(frame, at, frameBytes);
      count += 1;
    }
    if (count !== countClaimed) throw invalid(`frame claims ${countClaimed} records and holds ${count}`);
  }

  #readRecord(frame: Buffer, at: number, frameBytes: number): number {
    const record = this.#record;
    const textBytes = frame.readUInt32LE(at + 4);
    const textStart = at + RECORD_HEADER_BYTES;
    const textEnd = textStart + textBytes;
    if (textEnd > frameBytes) throw invalid("record text longer than its frame");
    const flags = frame[at + 1];
    const type = frame.readUInt8(at);
    const slot = frame.readUInt16LE(at + 2);
    const turn = frame.readDoubleLE(at + 8);
    if (flags !== 0 && flags !== FLAG_MORE) throw invalid("unknown flags");
    if (this.#longTextBytes > 0 && (record.type !== type || record.slot !== slot || record.turn !== turn))
      throw invalid("another record inside a long text");
    record.type = type;
    record.slot = slot;
    record.turn = turn;
    record.cpuUs = frame.readUInt32LE(at + 16);
    record.wallUs = frame.readUInt32LE(at + 20);
    record.heapBytes = frame.readDoubleLE(at + 24);
    this.#check(record);
    if (flags === FLAG_MORE && textBytes < this.#options.frameBytesMax / 2) throw invalid("small piece of a long text");
    if (flags === FLAG_MORE) this.#keepLong(frame.subarray(textStart, textEnd));
    else this.#deliver(frame, textStart, textEnd);
    return textEnd;
  }

  #check(record: FrameRecord): void {
    const [lowest, highest] = this.#options.types;
    if (record.type < lowest || record.type > highest) throw invalid(`unknown record type ${record.type}`);
    if (record.slot > this.#options.slotMax) throw invalid(`slot ${record.slot} out of range`);
    if (!Number.isSafeInteger(record.turn) || record.turn < 0) throw invalid("turn is not a number of a turn");
    if (!Number.isSafeInteger(record.heapBytes) || record.heapBytes < 0) throw invalid("heap is not a size");
  }

  #keepLong(piece: Buffer): void {
    if (piece.length === 0) throw invalid("empty piece of a long text");
    this.#longTextBytes += piece.length;
    const bytesMax = Math.min(this.textBytesMax, constants.MAX_STRING_LENGTH); // no text becomes longer than its bytes
    if (this.#longTextBytes > bytesMax) throw invalid(`text of more than ${bytesMax} bytes`);
    this.#longText.push(piece);
  }

  #deliver(frame: Buffer, start: number, end: number): void {
    const record = this.#record;
    if (this.#longTextBytes === 0) {
      record.text = start === end ? "" : frame.toString("utf8", start, end);
    } else {
      this.#keepLong(frame.subarray(start, end));
      record.text = Buffer.concat(this.#longText).toString("utf8");
      this.#longText = [];
      this.#longTextBytes = 0;
    }
    this.#options.onRecord(record);
    record.text = "";
  }
}

function invalid(what: string): SandboxError {
  return new SandboxError("SANDBOX_FRAME_INVALID", `Bytes on the pipe that no honest peer sends: ${what}.`);
}
