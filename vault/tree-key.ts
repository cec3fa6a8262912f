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
  /** Listed from the last key down; the bounds mean what they always mean. */
  readonly reverse?: boolean | undefined;
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

/** The lowest key that lies behind `bounds`: all within are lower. `undefined` where nothing can lie behind. */
export function keyBehind(bounds: KeyBounds): string | undefined {
  const behind = behindPrefix(bounds.prefix ?? "");
  if (bounds.to === undefined || behind === undefined) return bounds.to ?? behind;
  return compareKeys(bounds.to, behind) < 0 ? bounds.to : behind;
}

/** For keys at or after `lowestKey(bounds)` and in order: is `key`, and with it every later one, behind the bounds? */
export function isPast(bounds: KeyBounds, key: string): boolean {
  if (bounds.to !== undefined && compareKeys(key, bounds.to) >= 0) return true;
  return bounds.prefix !== undefined && !key.startsWith(bounds.prefix);
}

/** The lowest text after all that begin with `prefix`: its last code point that has a next one is raised. */
function behindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (point) => point.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  return String.fromCodePoint(...points, last === BEFORE_SURROGATES ? AFTER_SURROGATES : last + 1);
}

const LAST_CODE_POINT = 0x10ffff;
const BEFORE_SURROGATES = 0xd7ff;
const AFTER_SURROGATES = 0xe000;

/** Moves the surrogates (D800-DFFF) behind the rest of the plane (E000-FFFF), where UTF-8 has them. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
