/**
 * Where frames are built: one after the other in large chunks, so that a group of commits lies in memory as it will lie in
 * the log and is written without being copied together.
 *
 * Invariant: bytes that were given out are never given out again. A chunk lives for as long as somebody has a window into
 * it, a value in a memtable for example; with the next checkpoint they all go.
 */
import { ByteWriter } from "./bytes.ts";
import { FRAME_HEADER_BYTES, encodeFrame } from "./frame.ts";
import type { EncodedFrame, FrameContent } from "./frame.ts";

/** As large as a group of frames may be, so that most groups lie in one chunk. Memory is taken as it is used. */
const CHUNK_BYTES: number = 1024 * 1024;
/** A frame that may need more than this share of a chunk gets a buffer of its own. */
const OWN_BUFFER_SHARE = 0.0625;

/** See the header. */
export class FrameBuffer {
  #chunk: Buffer = Buffer.alloc(0);
  #used = 0;
  readonly #out = new ByteWriter(0);

  /** As `encodeFrame`. `bytesExpected`: a bound for the records and the note; more is possible, and slower. */
  encode(content: FrameContent, bytesExpected: number): EncodedFrame {
    const bytesMax = FRAME_HEADER_BYTES + bytesExpected;
    if (bytesMax > CHUNK_BYTES * OWN_BUFFER_SHARE) return encodeFrame(content, new ByteWriter(bytesMax));
    if (this.#chunk.length - this.#used < bytesMax) {
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#used = 0;
    }
    this.#out.begin(this.#chunk, this.#used);
    const encoded = encodeFrame(content, this.#out);
    // One that has grown out of its seat lies elsewhere.
    if (encoded.frame.buffer === this.#chunk.buffer) this.#used += encoded.frame.length;
    return encoded;
  }
}

/** The frames as one run of bytes: where they lie when they lie side by side, else a copy. */
export function joinFrames(frames: readonly Buffer[]): Buffer {
  const [first] = frames;
  if (first === undefined) return Buffer.alloc(0);
  let end = first.byteOffset;
  for (const { buffer, byteOffset, length } of frames) {
    if (buffer !== first.buffer || byteOffset !== end) return Buffer.concat(frames);
    end += length;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
