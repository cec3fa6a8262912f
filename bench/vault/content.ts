/**
 * What measured states hold: rows of 100 to 1,000 bytes, the same in every run. Pure: an index in, a row out, so nothing
 * has to be remembered to write it, change it, or check it.
 */

/** One entry of a state. */
export interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

const VALUE_BYTES_MIN = 100;
const VALUE_BYTES_MAX = 1_000;
/** Values are slices of it: making one costs nothing, so what is measured is not the making. */
const POOL_BYTES: number = 1 << 20;
const pool = Buffer.alloc(POOL_BYTES);
for (let at = 0; at < POOL_BYTES; at += 4) pool.writeInt32LE(mixed(at) | 0, at);

/** Row `index`. Another `version` has another value of the same length under the same key. */
export function rowAt(index: number, version = 0): Row {
  const length = VALUE_BYTES_MIN + (mixed(index) % (VALUE_BYTES_MAX - VALUE_BYTES_MIN + 1));
  return { key: keyAt(index), value: valueOf(length, mixed(index) ^ mixed(version + 1)) };
}

/** `length` bytes, others for every `seed`. At most 64 KiB. */
export function valueOf(length: number, seed: number): Uint8Array {
  const at = mixed(seed) % (POOL_BYTES - length);
  return pool.subarray(at, at + length);
}

/** How many rows, from the first, have `bytes` of keys and values. */
export function rowCountOf(bytes: number): number {
  let count = 0;
  for (let sum = 0; sum < bytes; count++) sum += rowBytes(rowAt(count));
  return count;
}

/** The first `count` rows, in the order of their keys. */
export function* rowsUpTo(count: number): Generator<Row, void> {
  for (let index = 0; index < count; index++) yield rowAt(index);
}

/** One index out of every `step` below `count`, at places without a pattern: changes that hit as many pages as they can. */
export function scattered(count: number, step: number, seed = 0): readonly number[] {
  const first = Array.from({ length: Math.floor(count / step) }, (_, index) => index * step);
  return first.map((index) => index + (mixed(index + seed) % step));
}

/** Bytes of key and value. */
export function rowBytes({ key, value }: Row): number {
  return key.length + value.length;
}

/** The first `count` rows as one JavaScript object with texts as values: what an agent without a vault would hold. */
export function objectOf(count: number): Record<string, string> {
  const object: Record<string, string> = {};
  for (const { key, value } of rowsUpTo(count)) object[key] = Buffer.from(value).toString("latin1");
  return object;
}

/** Groups of at most `size`, in order. */
export function* groupsOf<T>(items: Iterable<T>, size: number): Generator<T[], void> {
  let group: T[] = [];
  for (const item of items) {
    if (group.push(item) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function keyAt(index: number): string {
  return `row:${index.toString(36).padStart(6, "0")}`;
}

/** 32 bits that look like chance: the finalizer of MurmurHash3 (aappleby/smhasher, fmix32). */
function mixed(from: number): number {
  let bits = Math.imul((from ^ (from >>> 16)) + 0x9e37_79b9, 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
