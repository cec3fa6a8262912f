/**
 * Values as text, the same in the guest and in the Guardian.
 *
 *     plain values     {"a":[1,"b",null]}          JSON, written by the engine
 *     everything else  ~[{"at":1},["Date","…"]]    "~" and devalue's list: undefined, NaN, ±Infinity, -0, Date, Map,
 *                                                  Set, BigInt, typed arrays, ArrayBuffer
 *
 * Invariants
 * 1. What `encode` accepts, `decode` gives back equal, or it is refused with the path of the culprit. Nothing is silently
 *    dropped or changed, except what does not count as data: the identity of shared objects, a null prototype, properties
 *    that are not enumerable or that hang on an array beside its items. A Buffer comes back as a Uint8Array.
 * 2. `decode` is safe on hostile text: size and nesting are checked before anything is parsed; no decoded object has an own
 *    property "__proto__"; a decoded value is a tree whose expansion is no larger than `bytesMax`.
 */

import { SandboxError } from "./errors.ts";
import { charCodeAt, hasOwn, indexOf, isArray, jsonParse, jsonStringify, keysOf, slice } from "./guest/primordials.ts";
import { reviveRich, stringifyRich } from "./guest/rich.ts";
import { DEPTH_MAX, Survey, tooLarge } from "./guest/survey.ts";
import { isLongerThan } from "./guest/utf8.ts";

/** The text of `undefined`, the commonest value that JSON cannot say. */
export const UNDEFINED_TEXT = "~-1";
/** A devalue list holds entries that hold references: never more than two levels. */
const RICH_DEPTH_MAX = 2;

/**
 * `bytesMax` counts bytes of UTF-8. `root` begins the path in a refusal ("arg", "reply"); without it "value". `option` is where
 * the limit is set, for its refusal.
 */
export interface EncodeLimits {
  readonly bytesMax: number;
  readonly root?: string;
  readonly option?: string;
}

/**
 * The value as text.
 * @throws {SandboxError} SANDBOX_VALUE_UNCLONABLE with `details.path` (functions, symbols, class instances, cycles,
 *   nesting deeper than 64, sparse arrays, getters that throw); SANDBOX_MESSAGE_TOO_LARGE.
 * @example encode({ a: 1 }, { bytesMax: 100 }) // '{"a":1}'
 */
export function encode(value: unknown, limits: EncodeLimits): string {
  if (value === undefined) return UNDEFINED_TEXT;
  const { bytesMax, root = "value", option = "" } = limits;
  const survey = new Survey({ bytesMax, root, option });
  const text = write(value, survey);
  if (isLongerThan(text, bytesMax)) throw tooLarge(root, bytesMax, option);
  return text;
}

function write(value: unknown, survey: Survey): string {
  try {
    survey.visit(value);
    const text = survey.isRich ? `~${stringifyRich(value)}` : jsonStringify(value);
    if (typeof text === "string") return text;
  } catch (cause) {
    throw survey.refusal ?? unreadable(survey.path(), cause);
  }
  throw unreadable(survey.path(), undefined);
}

/**
 * The value of a text that anybody may have written.
 * @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED
 */
export function decode(text: string, limits: { readonly bytesMax: number }): unknown {
  if (text === UNDEFINED_TEXT) return undefined;
  if (isLongerThan(text, limits.bytesMax)) throw malformed(`it is longer than ${limits.bytesMax} bytes`);
  const isRich = text[0] === "~";
  if (!isNestedWithin(text, isRich ? RICH_DEPTH_MAX : DEPTH_MAX)) throw malformed("it is nested too deeply");
  const value = decodeTrusted(text);
  if (isRich) assertTree(value, limits.bytesMax);
  else if (mayNameProto(text)) assertNoProto(value);
  return value;
}

/**
 * The value of a text that this codec wrote and nobody touched since, as a state from the vault: no scan, one parse.
 * @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED
 */
export function decodeTrusted(text: string): unknown {
  try {
    return text[0] === "~" ? reviveRich(jsonParse(slice(text, 1))) : jsonParse(text);
  } catch (cause) {
    throw malformed("it cannot be parsed", cause);
  }
}

/** Counts brackets outside of strings; strings are skipped by the engine's own search. */
function isNestedWithin(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = charCodeAt(text, index);
    if (unit === 0x22) index = stringEnd(text, index);
    else if (unit === 0x5b || unit === 0x7b) depth++;
    else if (unit === 0x5d || unit === 0x7d) depth--;
    if (depth > depthMax) return false;
  }
  return true;
}

function stringEnd(text: string, start: number): number {
  let end = indexOf(text, '"', start + 1);
  while (end > 0 && isEscaped(text, end)) end = indexOf(text, '"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, quote: number): boolean {
  let index = quote - 1;
  while (charCodeAt(text, index) === 0x5c) index--;
  return (quote - index) % 2 === 0;
}

/** JSON can spell the name plainly or with escapes; both are rare enough to look closer. */
function mayNameProto(text: string): boolean {
  return indexOf(text, "__proto__") >= 0 || indexOf(text, "\\u00") >= 0;
}

/** The text was nested within bounds, so recursion is. */
function assertNoProto(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (hasOwn(value, "__proto__")) throw malformed('it names a property "__proto__"');
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) assertNoProto(value[index]);
    return;
  }
  const keys = keysOf(value);
  for (let index = 0; index < keys.length; index++) {
    assertNoProto((value as Readonly<Record<string, unknown>>)[keys[index] ?? ""]); // a JSON object
  }
}

/** A hostile list can refer to itself or to one entry a million times; whoever walks the value later would not end. */
function assertTree(value: unknown, bytesMax: number): void {
  const survey = new Survey({ bytesMax, root: "value", option: "" });
  try {
    survey.visit(value);
  } catch (cause) {
    throw malformed("its references do not form a tree within its limits", cause);
  }
}

function malformed(why: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_MESSAGE_MALFORMED", `The text is no encoded value: ${why}.`, { cause });
}

function unreadable(path: string, cause: unknown): SandboxError {
  return new SandboxError("SANDBOX_VALUE_UNCLONABLE", `${path}: reading it throws.`, { details: { path }, cause });
}
