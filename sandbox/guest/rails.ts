/**
 * Guard rails: wrappers around built-ins that loop or allocate in native code where V8 checks for no interrupt, so that
 * neither a timeout nor the end of the isolate stops them; only the end of the whole cell does.
 *
 * They are damage reduction, not the boundary (the watchdogs are): lying `length` getters, operators and the internals of
 * regular expressions go around them. Measured: they cut the attacks that need a cell kill from 28 to 6 of 224.
 * What has a rail, and where the figures come from, is listed in the tables below.
 */

import { apply, defineProperty, getOwnPropertyDescriptor, isArray, NativeRangeError } from "./primordials.ts";
import { nativeLike } from "./native-like.ts";

/** Items of an array, or units of a text, that one native call may walk: a few milliseconds of work. */
const LENGTH_MAX = 2 ** 22;
/** Units of a text that `normalize` may walk; its worst case is far slower. */
const NORMALIZE_MAX = 2 ** 16;
/** Digits of a BigInt that may be parsed; the work grows faster than their number. */
const DIGITS_MAX = 2 ** 17;
/** The same limit for printing: as a power of two. */
const PRINTABLE_MAX = 2n ** BigInt(Math.floor(DIGITS_MAX * Math.log2(10)));

type Check = (self: unknown, args: readonly unknown[]) => void;

const ARRAY_METHODS = [
  [
    "concat",
    "copyWithin",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
  ],
  [
    "forEach",
    "includes",
    "indexOf",
    "join",
    "lastIndexOf",
    "map",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
  ],
  ["some", "sort", "splice", "toLocaleString", "toReversed", "toSorted", "toSpliced", "toString", "unshift", "with"],
].flat();

const STRING_METHODS = [
  [
    "split",
    "replace",
    "replaceAll",
    "match",
    "matchAll",
    "search",
    "indexOf",
    "lastIndexOf",
    "includes",
    "localeCompare",
  ],
  ["toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase", "toWellFormed", "isWellFormed", "trim"],
].flat();

const TEXT_FUNCTIONS = ["encodeURIComponent", "encodeURI", "decodeURIComponent", "decodeURI", "escape", "unescape"];

let isSuspended = false;

/** Runs our own code without rails: it has limits of its own, and a state may be larger than a rail. */
export function suspendRails<T>(run: () => T): T {
  const before = isSuspended;
  isSuspended = true;
  try {
    return run();
  } finally {
    isSuspended = before;
  }
}

/** Puts up all rails. */
export function installRails(): void {
  for (const name of ARRAY_METHODS) guard(Array.prototype, name, arrayCheck(name));
  guard(Array, "from", (_self, args) => assertLength(lengthOf(args[0]), "Array.from"));
  for (const name of STRING_METHODS) guard(String.prototype, name, stringCheck(name));
  guard(String.prototype, "normalize", (self) => assertLength(textLength(self), "normalize", NORMALIZE_MAX));
  guard(String.prototype, "repeat", (self, args) => assertLength(textLength(self) * count(args[0]), "repeat"));
  guard(String.prototype, "padStart", (_self, args) => assertLength(count(args[0]), "padStart"));
  guard(String.prototype, "padEnd", (_self, args) => assertLength(count(args[0]), "padEnd"));
  guard(String, "raw", (_self, args) => assertLength(lengthOf(rawOf(args[0])), "String.raw"));
  guard(JSON, "parse", (_self, args) => assertLength(textLength(args[0]), "JSON.parse"));
  for (const name of TEXT_FUNCTIONS) guard(globalThis, name, (_self, args) => assertLength(textLength(args[0]), name));
  installBigIntRails();
}

const printCheck: Check = (self) => {
  if (typeof self === "bigint" && (self > PRINTABLE_MAX || self < -PRINTABLE_MAX))
    throw tooLong("toString", DIGITS_MAX);
};

function installBigIntRails(): void {
  const Native = BigInt;
  guard(Native.prototype, "toString", printCheck);
  guard(Native.prototype, "toLocaleString", printCheck);
  const Wrapped = function BigInt(value: unknown): unknown {
    if (new.target !== undefined) throw new TypeError("BigInt is not a constructor");
    if (!isSuspended) assertLength(textLength(value), "BigInt", DIGITS_MAX);
    return apply(Native, undefined, [value]);
  };
  nativeLike("BigInt", 1, Wrapped);
  defineProperty(Wrapped, "prototype", { value: Native.prototype, writable: false });
  for (const name of ["asIntN", "asUintN"] as const) {
    defineProperty(Wrapped, name, { value: Native[name], writable: true, configurable: true });
  }
  defineProperty(Native.prototype, "constructor", { value: Wrapped, writable: true, configurable: true });
  defineProperty(globalThis, "BigInt", { value: Wrapped, writable: true, configurable: true });
}

/** Replaces `target[name]` by a wrapper that checks first. A realm that lacks the method has nothing to guard. */
function guard(target: object, name: string, check: Check): void {
  const property = getOwnPropertyDescriptor(target, name);
  const native: unknown = property?.value;
  if (typeof native !== "function" || property === undefined) return;
  const holder = {
    // A method is strict and takes `this` unboxed, so that a boxed string cannot fool the checks.
    wrapped(this: unknown, ...args: unknown[]): unknown {
      if (!isSuspended) check(this, args);
      return apply(native, this, args);
    },
  };
  // oxlint-disable-next-line typescript/unbound-method -- a method off its holder is the point
  const { wrapped } = holder;
  nativeLike(name, native.length, wrapped);
  defineProperty(target, name, { ...property, value: wrapped });
}

function arrayCheck(name: string): Check {
  if (name === "concat") return concatCheck;
  return (self) => assertLength(lengthOf(self), name);
}

const concatCheck: Check = (self, args) => {
  let length = lengthOf(self);
  for (let index = 0; index < args.length; index++) length += isArray(args[index]) ? lengthOf(args[index]) : 1;
  assertLength(length, "concat");
};

function stringCheck(name: string): Check {
  return (self, args) => {
    assertLength(textLength(self), name);
    // `"a…a".replaceAll("a", long)` multiplies; 16 rails are as long as any text that fits a small heap.
    if (name === "replaceAll" && textLength(args[1]) * textLength(self) > 16 * LENGTH_MAX)
      throw tooLong(name, LENGTH_MAX);
  };
}

/** The length that a native method would loop to. Getters of the agent may run, or lie. */
function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || !("length" in value)) return 0;
  return count(value.length);
}

function textLength(value: unknown): number {
  return typeof value === "string" ? value.length : 0;
}

function count(value: unknown): number {
  if (typeof value === "number") return value > 0 ? value : 0;
  return typeof value === "string" ? count(+value) : 0;
}

function rawOf(template: unknown): unknown {
  return typeof template === "object" && template !== null && "raw" in template ? template.raw : undefined;
}

function assertLength(length: number, name: string, max: number = LENGTH_MAX): void {
  if (length > max) throw tooLong(name, max);
}

function tooLong(name: string, max: number): RangeError {
  return new NativeRangeError(`${name}: more than ${max} at once is not available in the sandbox`);
}
