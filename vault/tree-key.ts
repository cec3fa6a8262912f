/**
 * The order of keys. A key is text of 1 to 512 bytes in UTF-8, and every layer of the vault must agree on one order:
 * that of the UTF-8 bytes, which is also the order of code points.
 *
 * JavaScript's `<` compares UTF-16 units, and puts the surrogates of "😀" (D83D ...) before "ﬀ" (FB00), where their
 * UTF-8 bytes come after. So memtables and merges compare with `compareKeys`, never with `<`.
 *
 * Keys are expected to be well formed (no lone surrogate): whoever takes keys from outside checks that.
 */

/** Part of a key space: `from` included, `to` excluded, only keys that begin with `prefix`. */
export interface KeyBounds {
  readonly prefix?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The UTF-8 bytes of a key. */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, "utf8");
}

/** Negative, zero or positive as `a` sorts before, at or after `b` in the order of their UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** The lowest key that can lie within `bounds`. */
export function lowestKey(bounds: KeyBounds): string {
  const prefix = bounds.prefix ?? "";
  const from = bounds.from ?? "";
  return compareKeys(from, prefix) > 0 ? from : prefix;
}

/** For keys at or after `lowestKey(bounds)` and in order: is `key`, and with it every later one, behind the bounds? */
export function isPast(bounds: KeyBounds, key: string): boolean {
  if (bounds.to !== undefined && compareKeys(key, bounds.to) >= 0) return true;
  return bounds.prefix !== undefined && !key.startsWith(bounds.prefix);
}

/** Moves the surrogates (D800-DFFF) behind the rest of the plane (E000-FFFF), where UTF-8 has them. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
