/**
 * One walk over a value that decides how it can be written as text: as plain JSON, with devalue, or not at all.
 *
 * Invariants
 * 1. The walk visits no more nodes than `bytesMax` bytes of text could hold, so a small value whose expansion is huge
 *    (shared references nested in shared references) is refused instead of being expanded: `JSON.stringify` of such a
 *    value cannot be interrupted.
 * 2. It runs in the guest under its timer and in the Guardian on decoded values; it calls nothing that was patched.
 */

import { SandboxError } from "../errors.ts";
import {
  arrayPrototype,
  bufferByteLength,
  charCodeAt,
  dateGetTime,
  getPrototypeOf,
  hasOwn,
  isArray,
  isFiniteNumber,
  isSame,
  isView,
  jsonStringify,
  keysOf,
  mapForEach,
  mapGet,
  objectPrototype,
  setForEach,
  symbolsOf,
  toText,
  viewByteLength,
} from "./primordials.ts";

/** Containers within containers: more than any honest message, less than any stack. */
export const DEPTH_MAX = 64;
/** About 16,000 decimal digits. Printing and parsing bigger ones takes V8 long, and nothing can interrupt it. */
const BIGINT_MAX = 2n ** 54_000n;

/** The kinds of objects that can be written. */
export type Tag = "Array" | "Object" | "Date" | "Map" | "Set" | "ArrayBuffer" | ViewTag;
type ViewTag =
  `${"Int8" | "Uint8" | "Uint8Clamped" | "Int16" | "Uint16" | "Float16" | "Int32" | "Uint32" | "Float32" | "Float64" | "BigInt64" | "BigUint64"}Array`;

const TAGS: ReadonlyMap<object | null, Tag> = new Map<object | null, Tag>([
  [null, "Object"],
  [objectPrototype, "Object"],
  [arrayPrototype, "Array"],
  [Date.prototype, "Date"],
  [Map.prototype, "Map"],
  [Set.prototype, "Set"],
  [ArrayBuffer.prototype, "ArrayBuffer"],
  [Int8Array.prototype, "Int8Array"],
  [Uint8Array.prototype, "Uint8Array"],
  [Uint8ClampedArray.prototype, "Uint8ClampedArray"],
  [Int16Array.prototype, "Int16Array"],
  [Uint16Array.prototype, "Uint16Array"],
  [Float16Array.prototype, "Float16Array"],
  [Int32Array.prototype, "Int32Array"],
  [Uint32Array.prototype, "Uint32Array"],
  [Float32Array.prototype, "Float32Array"],
  [Float64Array.prototype, "Float64Array"],
  [BigInt64Array.prototype, "BigInt64Array"],
  [BigUint64Array.prototype, "BigUint64Array"],
  // Node's Buffer is a Uint8Array to everybody but itself. Guests have none.
  ...(typeof Buffer === "undefined" ? [] : [[Buffer.prototype, "Uint8Array"] as const]),
]);

/** What kind of thing an object is, or undefined when it is none that can be written: an instance of some class. */
export function tagOf(value: object): Tag | undefined {
  return mapGet(TAGS, getPrototypeOf(value));
}

/** A step of a path: property, index, or the key of a Map. */
type Step = string | number | { readonly key: unknown };

/** A container on the way, and where in it the walk is. Linked, not listed: an index of a list can have a setter of the agent's. */
interface Frame {
  readonly value: object;
  readonly outer: Frame | undefined;
  /** Undefined before its first item. */
  step: Step | undefined;
}

/** The walk. Create one per value; `refusal` holds the error that it threw by itself, if it did. */
export class Survey {
  /** Holds something that JSON cannot say. */
  isRich = false;
  /** Holds something that cannot be frozen: Date, Map, Set, bytes. */
  hasInstances = false;
  refusal: SandboxError | undefined;
  readonly #root: string;
  readonly #bytesMax: number;
  readonly #option: string;
  #bytesLeft: number;
  /** The innermost container on the way, and how many there are. */
  #inner: Frame | undefined;
  #depth = 0;

  constructor(options: { readonly bytesMax: number; readonly root: string; readonly option: string }) {
    this.#root = options.root;
    this.#bytesMax = options.bytesMax;
    this.#option = options.option;
    this.#bytesLeft = options.bytesMax;
  }

  /** Walks the value. @throws {SandboxError} SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE */
  visit(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.#spend(value.length + 2);
      case "number":
        if (!isFiniteNumber(value) || isSame(value, -0)) this.isRich = true;
        return this.#spend(1);
      case "boolean":
        return this.#spend(4);
      case "undefined":
        this.isRich = true;
        return this.#spend(2);
      case "bigint":
        return this.#visitBigInt(value);
      case "object":
        if (value === null) return this.#spend(4);
        return this.#visitObject(value);
      case "function":
        return this.#refuse("a function cannot be written as text");
      case "symbol":
        return this.#refuse("a symbol cannot be written as text");
    }
  }

  /** Where the walk stands: "arg.items[3].fn". */
  path(): string {
    let text = "";
    for (let frame = this.#inner; frame !== undefined; frame = frame.outer)
      if (frame.step !== undefined) text = stepText(frame.step) + text;
    return this.#root + text;
  }

  #visitBigInt(value: bigint): void {
    if (value > BIGINT_MAX || value < -BIGINT_MAX) this.#refuse("a BigInt of more than 16,000 digits is too long");
    this.isRich = true;
    this.#spend(3);
  }

  #visitObject(value: object): void {
    if (this.#depth >= DEPTH_MAX) this.#refuseDepth(value);
    const tag = isArray(value) ? "Array" : tagOf(value);
    if (tag === undefined || (tag === "Array" && getPrototypeOf(value) !== arrayPrototype)) {
      this.#refuse("an instance of a class cannot be written as text; return its data");
    }
    // JSON would call it, own or inherited through a patched prototype. devalue does not.
    if ("toJSON" in value) this.isRich = true;
    this.#visitTagged(value, tag);
  }

  #visitTagged(value: object, tag: Tag | undefined): void {
    if (isArray(value)) return this.#visitArray(value, this.#enter(value));
    if (tag === "Object") return this.#visitRecord(value, this.#enter(value));
    this.isRich = true;
    this.hasInstances = true;
    if (tag === "Map") return this.#visitMap(value, this.#enter(value));
    if (tag === "Set") return this.#visitSet(value, this.#enter(value));
    // Each reads an internal slot, so an object that only inherits from the prototype throws here.
    if (tag === "Date") return this.#spend(dateGetTime(value as Date) === 0 ? 1 : 2); // the slot check is the proof
    if (tag === "ArrayBuffer") return this.#spend(bufferByteLength(value as ArrayBuffer)); // as above
    if (!isView(value)) this.#refuse("it only looks like a typed array");
    else this.#spend(viewByteLength(value));
  }

  #enter(value: object): Frame {
    this.#depth++;
    this.#inner = { value, outer: this.#inner, step: undefined };
    return this.#inner;
  }

  #leave(frame: Frame): void {
    this.#depth--;
    this.#inner = frame.outer;
  }

  #visitArray(value: readonly unknown[], frame: Frame): void {
    const { length } = value;
    this.#spend(length + 1);
    for (let index = 0; index < length; index++) {
      // The step comes before the read, so that a getter that throws is named.
      frame.step = index;
      const item = value[index];
      if (item === undefined && !hasOwn(value, index)) this.#refuse("an array with holes cannot be written as text");
      this.visit(item);
    }
    this.#leave(frame);
  }

  #visitRecord(value: object, frame: Frame): void {
    if (symbolsOf(value).length > 0) this.#refuse("a property named by a symbol cannot be written as text");
    const keys = keysOf(value);
    this.#spend(2);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] ?? "";
      frame.step = undefined;
      if (key === "__proto__") this.#refuse('a property named "__proto__" is not accepted');
      this.#spend(key.length + 4);
      frame.step = key;
      this.visit((value as Readonly<Record<string, unknown>>)[key]); // a plain record: its prototype was checked
    }
    this.#leave(frame);
  }

  #visitMap(value: object, frame: Frame): void {
    // mapForEach throws when the internal slot is missing, so the cast cannot lie.
    mapForEach(value as ReadonlyMap<unknown, unknown>, (item, key) => {
      this.#spend(2);
      frame.step = { key };
      this.visit(key);
      this.visit(item);
    });
    this.#leave(frame);
    this.#spend(7);
  }

  #visitSet(value: object, frame: Frame): void {
    let index = 0;
    // As above: setForEach throws on anything but a Set.
    setForEach(value as ReadonlySet<unknown>, (item) => {
      this.#spend(1);
      frame.step = index++;
      this.visit(item);
    });
    this.#leave(frame);
    this.#spend(7);
  }

  /** A cycle is named where it closes first, seen from the outside; without one it is mere depth. */
  #refuseDepth(value: object): never {
    let first: Frame | undefined;
    for (let frame = this.#inner; frame !== undefined; frame = frame.outer)
      if (isWithin(frame.outer, frame.value)) first = frame;
    if (first === undefined && !isWithin(this.#inner, value))
      this.#refuse(`it is nested deeper than ${DEPTH_MAX} levels`);
    if (first !== undefined) this.#inner = first.outer;
    this.#refuse("it refers back to something that contains it");
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) {
      this.refusal = tooLarge(this.#root, this.#bytesMax, this.#option);
      throw this.refusal;
    }
  }

  #refuse(why: string): never {
    const path = this.path();
    this.refusal = new SandboxError("SANDBOX_VALUE_UNCLONABLE", `${path}: ${why}.`, { details: { path } });
    throw this.refusal;
  }
}

/** The refusal of a value whose text would be longer than it may be. `option`: where that is set, or "". */
export function tooLarge(root: string, bytesMax: number, option: string): SandboxError {
  const where = option === "" ? "" : ` (${option})`;
  return new SandboxError("SANDBOX_MESSAGE_TOO_LARGE", `${root} is longer than ${bytesMax} bytes${where}.`, {
    details: { path: root, bytesMax },
  });
}

function isWithin(inner: Frame | undefined, value: object): boolean {
  for (let frame = inner; frame !== undefined; frame = frame.outer) if (frame.value === value) return true;
  return false;
}

function stepText(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "string") return isIdentifier(step) ? `.${step}` : `[${jsonStringify(step)}]`;
  return `.get(${keyText(step.key)})`;
}

function keyText(key: unknown): string {
  if (typeof key === "object" || typeof key === "function") return "…";
  return typeof key === "string" ? `${jsonStringify(key)}` : toText(key);
}

function isIdentifier(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = charCodeAt(text, index) | 0x20;
    const isLetter = unit >= 0x61 && unit <= 0x7a;
    const isOther = charCodeAt(text, index) === 0x5f || charCodeAt(text, index) === 0x24;
    const isDigit = index > 0 && unit >= 0x30 && unit <= 0x39;
    if (!isLetter && !isOther && !isDigit) return false;
  }
  return text !== "";
}
