/**
 * What JSON cannot say, through devalue (sveltejs/devalue): the "~" texts.
 *
 * devalue touches a value only through the operations given to it here, which use captured built-ins and accept only
 * what the survey accepts. On the way back the flat list is checked before devalue builds anything from it: known tags
 * only, no sparse arrays (a declared length is not bounded by the text), no numbers that take long to parse.
 */

import { stringify, unflatten } from "devalue";
import {
  append,
  bufferSlice,
  charCodeAt,
  dateGetTime,
  dateToIso,
  hasOwn,
  isArray,
  isSafeInteger,
  keysOf,
  mapForEach,
  mapHas,
  setForEach,
  viewBuffer,
  viewByteLength,
  viewByteOffset,
} from "./primordials.ts";
import { tagOf } from "./survey.ts";

/** Decimal digits of a BigInt in a text; matches the survey's limit. */
const BIGINT_DIGITS_MAX = 16_384;
/** "+275760-09-13T00:00:00.000Z" is the longest. */
const DATE_UNITS_MAX = 32;
/** devalue's marks for undefined, NaN, Infinity, -Infinity and -0; -2 and -7 are holes and sparse arrays. */
const MARKS: ReadonlyMap<unknown, true> = new Map([-1, -3, -4, -5, -6].map((mark) => [mark, true]));

const TAGS: ReadonlyMap<unknown, true> = new Map(
  ["Date", "Set", "Map", "BigInt", "ArrayBuffer"]
    .concat(["Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Float16"].map((kind) => `${kind}Array`))
    .concat(["Int32", "Uint32", "Float32", "Float64", "BigInt64", "BigUint64"].map((kind) => `${kind}Array`))
    .map((tag) => [tag, true]),
);

/** The text of a value that the survey accepted, without the leading "~". */
export function stringifyRich(value: unknown): string {
  return stringify(value, undefined, { operations });
}

/** The value of a flat list as `stringifyRich` wrote it. Throws whatever devalue throws on anything else. */
export function reviveRich(flat: unknown): unknown {
  assertFlat(flat);
  return unflatten(flat);
}

const operations = {
  tagOf: (value: object): string => (isArray(value) ? "Array" : (tagOf(value) ?? "Unknown")),
  isThenable: (): boolean => false,
  toISOString: (date: Date): string => (dateGetTime(date) === dateGetTime(date) ? dateToIso(date) : ""),
  valuesOf: (set: ReadonlySet<unknown>): unknown[] => {
    const values: unknown[] = [];
    setForEach(set, (value) => append(values, value));
    return values;
  },
  entriesOf: (map: ReadonlyMap<unknown, unknown>): [unknown, unknown][] => {
    const entries: [unknown, unknown][] = [];
    mapForEach(map, (value, key) => append(entries, [key, value]));
    return entries;
  },
  viewInfo,
  hasOwn,
  // As JSON does, a null prototype is forgotten.
  shapeOf: (value: object) => ({ kind: "plain" as const, keys: keysOf(value) }),
};

/** A view travels with its own bytes only, never with the rest of the buffer that it happens to look into. */
function viewInfo(view: ArrayBufferView): ViewInfo {
  const byteLength = viewByteLength(view);
  const byteOffset = viewByteOffset(view);
  const buffer = bufferSlice(viewBuffer(view), byteOffset, byteOffset + byteLength);
  // devalue writes offset and length only where the view is shorter than its buffer, which is never so here.
  return { buffer, byteOffset: 0, byteLength, length: byteLength, bufferByteLength: byteLength };
}

interface ViewInfo {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly length: number;
  readonly bufferByteLength: number;
}

function assertFlat(flat: unknown): asserts flat is number | unknown[] {
  if (mapHas(MARKS, flat)) return;
  if (!isArray(flat)) throw new TypeError("no list");
  for (let index = 0; index < flat.length; index++) {
    const entry = flat[index];
    if (isArray(entry)) assertEntry(entry);
    else if (typeof entry === "object" && entry !== null) assertRecord(entry);
  }
}

function assertEntry(entry: readonly unknown[]): void {
  const tag = entry[0];
  if (typeof tag !== "string") return assertReferences(entry, 0);
  if (!mapHas(TAGS, tag)) throw new TypeError("unknown tag");
  if (tag === "BigInt") return assertDigits(entry[1]);
  if (tag === "Date") return assertDate(entry[1]);
  // What is left is read by devalue's own checks: base64 text and buffer references.
  if (tag === "Set" || tag === "Map") assertReferences(entry, 1);
}

function assertRecord(entry: object): void {
  const keys = keysOf(entry);
  for (let index = 0; index < keys.length; index++) {
    assertReference((entry as Readonly<Record<string, unknown>>)[keys[index] ?? ""]); // a JSON object
  }
}

function assertReferences(entry: readonly unknown[], from: number): void {
  for (let index = from; index < entry.length; index++) assertReference(entry[index]);
}

function assertReference(reference: unknown): void {
  if (typeof reference !== "number" || !isSafeInteger(reference)) throw new TypeError("no reference");
  if (reference < 0 && !mapHas(MARKS, reference)) throw new TypeError("a hole");
}

function assertDate(text: unknown): void {
  if (typeof text !== "string" || text.length > DATE_UNITS_MAX) throw new TypeError("no date");
}

function assertDigits(text: unknown): void {
  if (typeof text !== "string" || text.length > BIGINT_DIGITS_MAX) throw new TypeError("no BigInt");
  for (let index = text[0] === "-" ? 1 : 0; index < text.length; index++) {
    const unit = charCodeAt(text, index);
    if (unit < 0x30 || unit > 0x39) throw new TypeError("no BigInt");
  }
}
