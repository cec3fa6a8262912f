/** `atob` and `btoa`, as the HTML standard has them: forgiving about white space and missing padding, strict about the rest. */

import { charCodeAt, fromCharCode, toText } from "../primordials.ts";
import { domException } from "./dom-exception.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING = 0x3d;

/** Text of bytes, one per unit, as base64. Throws InvalidCharacterError for a unit above 255. */
export function btoa(input: unknown): string {
  const text = toText(input);
  let result = "";
  for (let index = 0; index < text.length; index += 3) {
    const left = text.length - index;
    const bits =
      (byteAt(text, index) << 16) |
      (left > 1 ? byteAt(text, index + 1) << 8 : 0) |
      (left > 2 ? byteAt(text, index + 2) : 0);
    result +=
      digit(bits >> 18) + digit(bits >> 12) + (left > 1 ? digit(bits >> 6) : "=") + (left > 2 ? digit(bits) : "=");
  }
  return result;
}

/** Bytes of base64 as text, one per unit. Throws InvalidCharacterError for what is no base64. */
export function atob(input: unknown): string {
  const text = toText(input);
  const end = endOf(text);
  let result = "";
  let bits = 0;
  let count = 0;
  for (let index = 0; index < end; index++) {
    const unit = charCodeAt(text, index);
    if (isSpace(unit)) continue;
    bits = (bits << 6) | valueOf(unit);
    if (++count % 4 !== 0) continue;
    result += fromCharCode((bits >> 16) & 255, (bits >> 8) & 255, bits & 255);
    bits = 0;
  }
  switch (count % 4) {
    case 1:
      throw invalid("its length is none that base64 has");
    case 2:
      return result + fromCharCode((bits >> 4) & 255);
    case 3:
      return result + fromCharCode((bits >> 10) & 255, (bits >> 2) & 255);
    default:
      return result;
  }
}

/** Where the padding begins: at most two signs, and only where they fill up a group of four. */
function endOf(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index++) if (!isSpace(charCodeAt(text, index))) length++;
  if (length % 4 !== 0) return text.length;
  let end = text.length;
  for (let padding = 0; end > 0; end--) {
    const unit = charCodeAt(text, end - 1);
    if (isSpace(unit)) continue;
    if (unit !== PADDING || padding++ === 2) return end;
  }
  return end;
}

function byteAt(text: string, index: number): number {
  const unit = charCodeAt(text, index);
  if (unit > 255) throw invalid("a character is outside of Latin-1; encode the text with TextEncoder first");
  return unit;
}

function digit(bits: number): string {
  return DIGITS[bits & 63] ?? "";
}

function valueOf(unit: number): number {
  if (unit >= 0x41 && unit <= 0x5a) return unit - 0x41;
  if (unit >= 0x61 && unit <= 0x7a) return unit - 0x61 + 26;
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30 + 52;
  if (unit === 0x2b) return 62;
  if (unit === 0x2f) return 63;
  throw invalid("a character is none that base64 has");
}

/** Tab, line feed, form feed, carriage return, space. */
function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09 || unit === 0x0a || unit === 0x0c || unit === 0x0d;
}

function invalid(why: string): Error {
  return domException(`the text cannot be converted: ${why}`, "InvalidCharacterError");
}
