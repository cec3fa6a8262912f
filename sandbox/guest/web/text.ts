/** `TextEncoder` and `TextDecoder` for UTF-8, in a realm that has neither. Loops of ours, so the timer stops them. */

import {
  apply,
  bare,
  charCodeAt,
  define,
  filled,
  fromCharCode,
  NativeRangeError,
  NativeTypeError,
  NativeUint8Array,
  slice,
  toLowerCase,
  toStringTag,
  toText,
  viewLength,
} from "../primordials.ts";
import { utf8Length } from "../utf8.ts";
import { bytesOf } from "./bytes.ts";

const REPLACEMENT = 0xfffd;
/** Code units that one call of `String.fromCharCode` takes: far below what a stack holds. */
const UNITS_PER_CALL = 4096;

/** The class. */
export function textEncoder(): unknown {
  class TextEncoder {
    get encoding(): string {
      return "utf-8";
    }
    encode(input: unknown = ""): Uint8Array {
      const text = toText(input);
      const bytes = new NativeUint8Array(utf8Length(text));
      write(text, bytes, bytes.length);
      return bytes;
    }
    encodeInto(input: unknown, target: Uint8Array): { read: number; written: number } {
      return write(toText(input), target, viewLength(target));
    }
  }
  return tagged(TextEncoder, "TextEncoder");
}

/** Writes whole characters as long as there is room. */
function write(text: string, bytes: Uint8Array, room: number): { read: number; written: number } {
  let written = 0;
  let index = 0;
  for (; index < text.length; index++) {
    const point = pointAt(text, index);
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (written + size > room) break;
    if (size === 1) bytes[written++] = point;
    else written = writeLong(bytes, written, point, size);
    if (size === 4) index++;
  }
  return { read: index, written };
}

function writeLong(bytes: Uint8Array, from: number, point: number, size: number): number {
  let next = from;
  bytes[next++] = size === 2 ? 0xc0 | (point >> 6) : size === 3 ? 0xe0 | (point >> 12) : 0xf0 | (point >> 18);
  if (size === 4) bytes[next++] = 0x80 | ((point >> 12) & 0x3f);
  if (size >= 3) bytes[next++] = 0x80 | ((point >> 6) & 0x3f);
  bytes[next++] = 0x80 | (point & 0x3f);
  return next;
}

/** The character at an index; half a pair is the replacement character. */
function pointAt(text: string, index: number): number {
  const unit = charCodeAt(text, index);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  const next = index + 1 < text.length ? charCodeAt(text, index + 1) : 0;
  if (unit > 0xdbff || next < 0xdc00 || next > 0xdfff) return REPLACEMENT;
  return 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
}

/** The class. */
export function textDecoder(): unknown {
  class TextDecoder {
    readonly #isFatal: boolean;
    readonly #keepsMark: boolean;
    #state: State = newState();
    #isFirst = true;

    constructor(label: unknown = "utf-8", options: { fatal?: unknown; ignoreBOM?: unknown } = {}) {
      if (!isUtf8(toText(label)))
        throw new NativeRangeError(`the encoding ${slice(toText(label), 0, 50)} is not available: utf-8 only`);
      this.#isFatal = Boolean(options.fatal);
      this.#keepsMark = Boolean(options.ignoreBOM);
    }
    get encoding(): string {
      return "utf-8";
    }
    get fatal(): boolean {
      return this.#isFatal;
    }
    get ignoreBOM(): boolean {
      return this.#keepsMark;
    }
    decode(input?: unknown, options: { stream?: unknown } = {}): string {
      const state = this.#state;
      try {
        const bytes = input === undefined ? new NativeUint8Array(0) : bytesOf(input);
        let text = read(bytes, state, this.#isFatal);
        if (!options.stream) text += end(state, this.#isFatal);
        return this.#begun(text, Boolean(options.stream));
      } catch (error) {
        this.#state = newState();
        this.#isFirst = true;
        throw error;
      }
    }
    /** A byte order mark at the beginning is no text. */
    #begun(text: string, isStream: boolean): string {
      const hasMark = this.#isFirst && !this.#keepsMark && text !== "" && charCodeAt(text, 0) === 0xfeff;
      this.#isFirst = isStream ? this.#isFirst && text === "" : true;
      return hasMark ? slice(text, 1) : text;
    }
  }
  return tagged(TextDecoder, "TextDecoder");
}

/** What has been read of a character, as in the standard's decoder (encoding.spec.whatwg.org, "utf-8 decoder"). */
interface State {
  point: number;
  needed: number;
  seen: number;
  lower: number;
  upper: number;
}

function newState(): State {
  return { point: 0, needed: 0, seen: 0, lower: 0x80, upper: 0xbf };
}

function read(bytes: Uint8Array, state: State, isFatal: boolean): string {
  const length = viewLength(bytes);
  let text = "";
  let units: number[] = bare([]);
  for (let index = 0; index < length; index++) {
    const byte = bytes[index] ?? 0;
    if (state.needed === 0) {
      if (byte < 0x80) units[units.length] = byte;
      else if (!lead(state, byte)) units[units.length] = wrong(isFatal);
    } else if (byte < state.lower || byte > state.upper) {
      reset(state);
      units[units.length] = wrong(isFatal);
      index--; // the byte begins anew
    } else follow(state, byte, units);
    if (units.length < UNITS_PER_CALL) continue;
    text += apply(fromCharCode, undefined, filled(units));
    units = bare([]);
  }
  return text + apply(fromCharCode, undefined, filled(units));
}

function lead(state: State, byte: number): boolean {
  if (byte >= 0xc2 && byte <= 0xdf) state.needed = 1;
  else if (byte >= 0xe0 && byte <= 0xef) state.needed = 2;
  else if (byte >= 0xf0 && byte <= 0xf4) state.needed = 3;
  else return false;
  if (byte === 0xe0) state.lower = 0xa0;
  if (byte === 0xed) state.upper = 0x9f;
  if (byte === 0xf0) state.lower = 0x90;
  if (byte === 0xf4) state.upper = 0x8f;
  state.point = byte & (state.needed === 1 ? 0x1f : state.needed === 2 ? 0xf : 0x7);
  return true;
}

function follow(state: State, byte: number, units: number[]): void {
  state.lower = 0x80;
  state.upper = 0xbf;
  state.point = (state.point << 6) | (byte & 0x3f);
  if (++state.seen < state.needed) return;
  const { point } = state;
  reset(state);
  if (point < 0x10000) {
    units[units.length] = point;
    return;
  }
  units[units.length] = 0xd800 + ((point - 0x10000) >> 10);
  units[units.length] = 0xdc00 + ((point - 0x10000) & 0x3ff);
}

function reset(state: State): void {
  state.point = 0;
  state.needed = 0;
  state.seen = 0;
  state.lower = 0x80;
  state.upper = 0xbf;
}

function end(state: State, isFatal: boolean): string {
  if (state.needed === 0) return "";
  reset(state);
  return fromCharCode(wrong(isFatal));
}

function wrong(isFatal: boolean): number {
  if (isFatal) throw new NativeTypeError("the bytes are not valid UTF-8");
  return REPLACEMENT;
}

function isUtf8(label: string): boolean {
  switch (toLowerCase(slice(label, 0, 50))) {
    case "utf-8":
    case "utf8":
    case "unicode-1-1-utf-8":
      return true;
    default:
      return false;
  }
}

function tagged<C extends { prototype: object }>(made: C, name: string): C {
  define(made.prototype, toStringTag, name, { writable: false });
  return made;
}
