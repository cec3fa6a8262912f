/**
 * Many random words from 32 bytes that were drawn outside: the keystream of ChaCha20 (RFC 8439, section 2.3), nonce zero. Who sees
 * some of it learns nothing of the rest, which is more than a seeded generator promises. Words lie in typed arrays: no prototype of
 * the agent's gets between.
 */

import { charCodeAt, NativeInt32Array } from "../primordials.ts";

const WORDS = 16;
/** "expand 32-byte k" */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Signed words of 32 bits. `key`: 64 hexadecimal digits. */
export function keystream(key: string): () => number {
  const start = new NativeInt32Array(WORDS);
  for (let word = 0; word < 4; word++) start[word] = CONSTANTS[word] ?? 0;
  for (let word = 0; word < 8; word++) start[4 + word] = littleEndian(key, 8 * word);
  let block: Int32Array = start;
  let next = WORDS;
  return () => {
    if (next === WORDS) {
      block = blockOf(start);
      start[12] = ((start[12] ?? 0) + 1) | 0;
      next = 0;
    }
    return block[next++] ?? 0;
  };
}

function blockOf(start: Int32Array): Int32Array {
  const words = new NativeInt32Array(WORDS);
  for (let word = 0; word < WORDS; word++) words[word] = start[word] ?? 0;
  for (let round = 0; round < 10; round++) {
    for (let column = 0; column < 4; column++) quarter(words, column, 4 + column, 8 + column, 12 + column);
    for (let row = 0; row < 4; row++)
      quarter(words, row, 4 + ((row + 1) & 3), 8 + ((row + 2) & 3), 12 + ((row + 3) & 3));
  }
  for (let word = 0; word < WORDS; word++) words[word] = ((words[word] ?? 0) + (start[word] ?? 0)) | 0;
  return words;
}

function quarter(words: Int32Array, a: number, b: number, c: number, d: number): void {
  step(words, a, b, d, 16);
  step(words, c, d, b, 12);
  step(words, a, b, d, 8);
  step(words, c, d, b, 7);
}

/** `sum += addend; mixed = rotate(mixed ^ sum, bits)` */
function step(words: Int32Array, sum: number, addend: number, mixed: number, bits: number): void {
  const total = ((words[sum] ?? 0) + (words[addend] ?? 0)) | 0;
  const changed = (words[mixed] ?? 0) ^ total;
  words[sum] = total;
  words[mixed] = (changed << bits) | (changed >>> (32 - bits));
}

function littleEndian(key: string, from: number): number {
  let word = 0;
  for (let byte = 3; byte >= 0; byte--) {
    word = (word << 8) | (digit(key, from + 2 * byte) << 4) | digit(key, from + 2 * byte + 1);
  }
  return word;
}

function digit(key: string, at: number): number {
  const unit = charCodeAt(key, at);
  return unit >= 0x61 ? unit - 0x61 + 10 : unit - 0x30;
}
