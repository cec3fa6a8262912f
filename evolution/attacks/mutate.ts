/**
 * Places within a decoded value, and the value with another one in one of its places. Pure: what is given is never changed.
 */
import { MISSING } from "./hostile-values.ts";

/** From the root down: a key, or a place in a list. Empty: the root itself. */
export type Path = readonly (string | number)[];

/** Places of one value that are looked at. */
const PATHS_MAX = 200;
/** Items of one list that are: they are mostly alike. */
const ITEMS_MAX = 3;

/** The places of a value, the root first, breadth first; at most `PATHS_MAX`. Maps, Sets, dates and bytes are one place each. */
export function placesOf(value: unknown): readonly Path[] {
  const found: { readonly path: Path; readonly at: unknown }[] = [{ path: [], at: value }];
  for (let index = 0; index < found.length && found.length < PATHS_MAX; index++) {
    const { path, at } = found[index]!; // within the list
    for (const [key, inner] of partsOf(at)) {
      if (found.length < PATHS_MAX) found.push({ path: [...path, key], at: inner });
    }
  }
  return found.map(({ path }) => path);
}

/** The value with `other` at a place; `MISSING` takes the place away, and is `undefined` at the root. */
export function replaced(value: unknown, [key, ...rest]: Path, other: unknown): unknown {
  if (key === undefined) return other === MISSING ? undefined : other;
  const isGone = rest.length === 0 && other === MISSING;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    if (isGone) return items.filter((_, index) => index !== key);
    return items.map((item, index) => (index === key ? replaced(item, rest, other) : item));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).filter(([name]) => !isGone || name !== key);
  return Object.fromEntries(entries.map(([name, item]) => [name, name === key ? replaced(item, rest, other) : item]));
}

function partsOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item, index) => [index, item] as const);
  return isRecord(value) ? Object.entries(value) : [];
}

/** Whether a decoded value is a plain object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(value) === "[object Object]";
}
