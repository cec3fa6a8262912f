/**
 * How records travel between the Guardian and a cell: one duplex pipe, frames with a length in front, records in them.
 *
 *   frame  = bodyBytes u32 | recordCount u32 | record...
 *   record = type u8 | flags u8 | slot u16 | textBytes u32 | turn f64 | cpuUs u32 | wallUs u32 | heapBytes f64 | text
 *
 * All numbers are little-endian; `text` is UTF-8. This file holds the layout and the writing side; `frame-reader.ts`
 * holds the reading side.
 *
 * Invariants:
 * 1. A frame's body never exceeds `frameBytesMax`. A text that does not fit is cut into records with the flag "more";
 *    nothing comes between them, so the reader needs to assemble one text at a time.
 * 2. Records leave in the order in which they were added.
 * 3. The memory of a frame is used again only after the sink said that it took the bytes.
 */

/** What a record says. Below 16 the Guardian speaks, from 16 the cell. */
export const RecordType = {
  /** A new resident: text is the JSON of a `PlaceSpec`. Followed by `code` and `load` for the same slot. */
  place: 1,
  /** The artifact's script. */
  code: 2,
  /** The text for the guest's door that makes it check the definition and take its state. */
  load: 3,
  /** One turn for the guest's door. */
  turn: 4,
  /** The answer that a waiting turn asked for. */
  answer: 5,
  /** Throw the isolate away. */
  dispose: 6,
  /** Take nothing more and end. */
  stop: 7,
  /** By how much limits on the clock are stretched from here on: text is the factor. */
  pace: 8,
  /** The cell is ready: text is the JSON of a `CellGreeting`. */
  ready: 16,
  /** A sign of life; `heapBytes` is the resident memory of the whole cell. */
  beat: 17,
  /** What the guest's door said to `load`. */
  loaded: 18,
  /** The last word of a turn. */
  settled: 19,
  /** The turn waits for an answer. */
  asking: 20,
  /** A limit was hit and the isolate is gone: text is the code, a line feed, the message. */
  exceeded: 21,
  /** The isolate of a `dispose` is gone, its slot is free. */
  gone: 22,
  /** An entry cannot be stopped from inside; the cell must be killed. */
  stuck: 23,
} as const;

/** One of the values of `RecordType`. */
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Bytes in front of a frame's body. */
export const FRAME_HEADER_BYTES = 8;
/** Bytes in front of a record's text. */
export const RECORD_HEADER_BYTES = 32;
/** The text goes on in the next record. */
export const FLAG_MORE = 1;
/** The smallest `frameBytesMax` that makes sense: a few records and one decent piece of text. */
export const FRAME_BYTES_MIN = 4096;

/** One record, decoded. The reader uses one object for all records: it is valid until the receiver returns. */
export interface FrameRecord {
  type: number;
  slot: number;
  turn: number;
  cpuUs: number;
  wallUs: number;
  heapBytes: number;
  text: string;
}

/** Takes the bytes of one frame. Returns true when the memory may be written again at once. */
export type FrameSink = (frame: Buffer) => boolean;

/** A UTF-16 code unit never takes more than three bytes of UTF-8. */
const UTF8_BYTES_PER_UNIT = 3;
const BUFFER_BYTES_FIRST = 64 * 1024;
const UINT32_MAX = 0xffff_ffff;

/** Packs records into frames. `flush` sends what was added; a full frame is sent at once. */
export class FrameWriter {
  readonly #frameBytesMax: number;
  readonly #sink: FrameSink;
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_FIRST);
  #bytes = FRAME_HEADER_BYTES;
  #count = 0;

  constructor(options: { readonly frameBytesMax: number; readonly sink: FrameSink }) {
    this.#frameBytesMax = options.frameBytesMax;
    this.#sink = options.sink;
  }

  /** True when nothing waits for `flush`. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Adds a record without figures. */
  add(type: RecordType, slot: number, turn: number, text: string): void {
    this.addMeasured(type, slot, turn, text, 0, 0, 0);
  }

  /** Adds a record. Positional and without an object, because this is the hot path on both sides. */
  addMeasured(
    type: RecordType,
    slot: number,
    turn: number,
    text: string,
    cpuUs: number,
    wallUs: number,
    heapBytes: number,
  ): void {
    const bytesMost = RECORD_HEADER_BYTES + text.length * UTF8_BYTES_PER_UNIT;
    if (bytesMost > this.#frameBytesMax) {
      this.#addLong(type, slot, turn, text, cpuUs, wallUs, heapBytes);
      return;
    }
    this.#reserve(bytesMost);
    const start = this.#bytes;
    const textBytes = this.#buffer.write(text, start + RECORD_HEADER_BYTES, "utf8");
    this.#header(type, 0, slot, turn, cpuUs, wallUs, heapBytes, textBytes);
    this.#bytes = start + RECORD_HEADER_BYTES + textBytes;
  }

  /** Sends the records added since the last time. */
  flush(): void {
    if (this.#count === 0) return;
    const frame = this.#buffer.subarray(0, this.#bytes);
    frame.writeUInt32LE(this.#bytes - FRAME_HEADER_BYTES, 0);
    frame.writeUInt32LE(this.#count, 4);
    const isFree = this.#sink(frame);
    if (!isFree || this.#buffer.length > BUFFER_BYTES_FIRST) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_FIRST);
    this.#bytes = FRAME_HEADER_BYTES;
    this.#count = 0;
  }

  #addLong(
    type: RecordType,
    slot: number,
    turn: number,
    text: string,
    cpuUs: number,
    wallUs: number,
    heapBytes: number,
  ): void {
    const bytes = Buffer.from(text, "utf8");
    const pieceBytesMax = this.#frameBytesMax - RECORD_HEADER_BYTES;
    for (let at = 0; at < bytes.length; at += pieceBytesMax) {
      const piece = bytes.subarray(at, at + pieceBytesMax);
      const flags = at + pieceBytesMax < bytes.length ? FLAG_MORE : 0;
      this.#reserve(RECORD_HEADER_BYTES + piece.length);
      this.#header(type, flags, slot, turn, cpuUs, wallUs, heapBytes, piece.length);
      piece.copy(this.#buffer, this.#bytes + RECORD_HEADER_BYTES);
      this.#bytes += RECORD_HEADER_BYTES + piece.length;
    }
  }

  /** Makes room for `bytes` more in this frame, or sends it and begins the next. */
  #reserve(bytes: number): void {
    if (this.#bytes - FRAME_HEADER_BYTES + bytes > this.#frameBytesMax) this.flush();
    const needed = this.#bytes + bytes;
    if (needed <= this.#buffer.length) return;
    const size = Math.min(Math.max(needed, this.#buffer.length * 2), this.#frameBytesMax + FRAME_HEADER_BYTES);
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.#bytes);
    this.#buffer = larger;
  }

  #header(
    type: RecordType,
    flags: number,
    slot: number,
    turn: number,
    cpuUs: number,
    wallUs: number,
    heapBytes: number,
    textBytes: number,
  ): void {
    const buffer = this.#buffer;
    const at = this.#bytes;
    buffer[at] = type;
    buffer[at + 1] = flags;
    buffer.writeUInt16LE(slot, at + 2);
    buffer.writeUInt32LE(textBytes, at + 4);
    buffer.writeDoubleLE(turn, at + 8);
    buffer.writeUInt32LE(Math.min(UINT32_MAX, Math.max(0, Math.round(cpuUs))), at + 16);
    buffer.writeUInt32LE(Math.min(UINT32_MAX, Math.max(0, Math.round(wallUs))), at + 20);
    buffer.writeDoubleLE(heapBytes, at + 24);
    this.#count += 1;
  }
}
