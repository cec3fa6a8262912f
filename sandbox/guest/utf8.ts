/** The size of a text as the disk and the pipe see it, in a realm that has neither Buffer nor TextEncoder. */

import { charCodeAt } from "./primordials.ts";

/** Bytes of UTF-8 that the text takes; a lone surrogate counts 3, as the replacement character does. */
export const utf8Length: (text: string) => number =
  typeof Buffer === "undefined" ? countBytes : (text) => Buffer.byteLength(text);

function countBytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = charCodeAt(text, index);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    // A pair is 4 bytes: two units already counted, two more for both halves together.
    if (isPairAt(text, index, unit)) index++;
  }
  return bytes;
}

/** Whether the text takes more than `bytesMax` bytes of UTF-8. Counts only when the length alone does not tell. */
export function isLongerThan(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  // 3 bytes per UTF-16 unit is the most that UTF-8 takes.
  return text.length * 3 > bytesMax && utf8Length(text) > bytesMax;
}

function isPairAt(text: string, index: number, unit: number): boolean {
  if (unit < 0xd800 || unit > 0xdbff || index + 1 === text.length) return false;
  const next = charCodeAt(text, index + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}
