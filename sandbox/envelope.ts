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
 */

import { SandboxError } from "./errors.ts";
import { bare, charCodeAt, filled, indexOf, slice } from "./guest/primordials.ts";

const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/** How many segments `unpack` accepts. */
export interface UnpackOptions {
  readonly segmentsMax: number;
}

/** Joins the segments behind a header line. `pack([])` is the lone newline. */
export function pack(segments: readonly string[]): string {
  let header = "";
  let body = "";
  for (let index = 0; index < segments.length; index++) {
    // The index is below the length, so the segment exists; `?? ""` only satisfies the type.
    const segment = segments[index] ?? "";
    header += index === 0 ? segment.length : `,${segment.length}`;
    body += segment;
  }
  return `${header}\n${body}`;
}

/**
 * The segments of a packed string, from position `start` on.
 * @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED when the text is not exactly one packed list of at most
 *   `segmentsMax` segments.
 */
export function unpack(text: string, options: UnpackOptions, start = 0): string[] {
  const headerEnd = indexOf(text, "\n", start);
  if (headerEnd < 0) throw malformed("it has no header line");
  const segments: string[] = bare([]);
  let from = headerEnd + 1;
  let length = -1;
  for (let index = start === headerEnd ? headerEnd + 1 : start; index <= headerEnd; index++) {
    const unit = index === headerEnd ? COMMA : charCodeAt(text, index);
    if (unit !== COMMA) {
      length = appendDigit(length, unit, text.length);
      continue;
    }
    if (length < 0) throw malformed("a length is missing");
    if (segments.length === options.segmentsMax) throw malformed(`it has more than ${options.segmentsMax} segments`);
    if (from + length > text.length) throw malformed("its segments are longer than the text");
    segments[segments.length] = slice(text, from, from + length);
    from += length;
    length = -1;
  }
  if (from !== text.length) throw malformed("its segments are shorter than the text");
  return filled(segments);
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
