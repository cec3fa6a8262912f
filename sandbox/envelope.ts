/**
 * Several texts in one string, so that one string per message is all that crosses between an isolate and its cell.
 *
 *     "5,0,3\nhelloabc"   ->   ["hello", "", "abc"]
 *
 * A header line gives the lengths of the segments in UTF-16 units, then the segments follow as they are. Nothing is
 * escaped: a megabyte of state costs a copy, not a walk. Runs in the guest (packing) and in the Guardian (unpacking
 * what a hostile guest packed).
 *
 * Invariants
 * 1. unpack(pack(segments)) equals segments, whatever the segments hold: newlines, commas, lone surrogates.
 * 2. unpack reads at most the header and `segmentsMax` numbers before it decides; lengths must add up exactly.
 * 3. What runs in the guest fills no list: an agent may have put setters for indexes on the prototypes.
 */

import { SandboxError } from "./errors.ts";
import { charCodeAt, indexOf, slice } from "./guest/primordials.ts";

const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/** How many segments `unpack` accepts. */
export interface UnpackOptions {
  readonly segmentsMax: number;
}

/** Joins the segments behind a header line. `pack([])` is the lone newline. */
export function pack(segments: readonly string[]): string {
  const packer = new Packer();
  // The index is below the length, so the segment exists; `?? ""` only satisfies the type.
  for (let index = 0; index < segments.length; index++) packer.add(segments[index] ?? "");
  return packer.text;
}

/** A packed string that grows by its end; no list is filled, so no setter for an index of one can get between. */
export class Packer {
  #header = "";
  #body = "";

  add(segment: string): void {
    this.#header += this.#header === "" ? segment.length : `,${segment.length}`;
    this.#body += segment;
  }

  get text(): string {
    return `${this.#header}\n${this.#body}`;
  }
}

/**
 * The segments of a packed string, from position `start` on.
 * @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED when the text is not exactly one packed list of at most
 *   `segmentsMax` segments.
 */
export function unpack(text: string, options: UnpackOptions, start = 0): string[] {
  const unpacker = new Unpacker(text, options, start);
  const segments: string[] = [];
  for (let segment = unpacker.next(); segment !== undefined; segment = unpacker.next()) segments.push(segment);
  return segments;
}

/** The segments one after the other, for a realm in which a list is not to be trusted. Throws as `unpack` does, once it comes to it. */
export class Unpacker {
  readonly #text: string;
  readonly #segmentsMax: number;
  readonly #headerEnd: number;
  #at: number;
  #from: number;
  #count = 0;

  constructor(text: string, { segmentsMax }: UnpackOptions, start = 0) {
    const headerEnd = indexOf(text, "\n", start);
    if (headerEnd < 0) throw malformed("it has no header line");
    this.#text = text;
    this.#segmentsMax = segmentsMax;
    this.#headerEnd = headerEnd;
    this.#at = start === headerEnd ? headerEnd + 1 : start;
    this.#from = headerEnd + 1;
  }

  /** The next segment; undefined behind the last one. */
  next(): string | undefined {
    const text = this.#text;
    const from = this.#from;
    if (this.#at > this.#headerEnd) {
      if (from !== text.length) throw malformed("its segments are shorter than the text");
      return undefined;
    }
    const to = from + this.#length();
    if (to > text.length) throw malformed("its segments are longer than the text");
    this.#from = to;
    return slice(text, from, to);
  }

  /** The next segment; "" behind the last one. */
  take(): string {
    return this.next() ?? "";
  }

  /** The next number of the header. */
  #length(): number {
    let length = -1;
    let index = this.#at;
    for (; index < this.#headerEnd; index++) {
      const unit = charCodeAt(this.#text, index);
      if (unit === COMMA) break;
      length = appendDigit(length, unit, this.#text.length);
    }
    if (length < 0) throw malformed("a length is missing");
    if (this.#count++ === this.#segmentsMax) throw malformed(`it has more than ${this.#segmentsMax} segments`);
    this.#at = index + 1;
    return length;
  }
}

/** One form per number (no leading zeros), and never above the text's own length, so sums stay exact. */
function appendDigit(length: number, unit: number, max: number): number {
  if (unit < ZERO || unit > NINE) throw malformed("a length is not a number");
  if (length === 0) throw malformed("a length has a leading zero");
  const next = (length < 0 ? 0 : length * 10) + (unit - ZERO);
  if (next > max) throw malformed("a segment is longer than the text");
  return next;
}

function malformed(why: string): SandboxError {
  return new SandboxError("SANDBOX_MESSAGE_MALFORMED", `The text is no list of segments: ${why}.`);
}
