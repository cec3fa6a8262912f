/**
 * A turn has one time and one stream of chance, both told from outside: a turn that is run again says the same again.
 *
 * `Date` and `Math.random` of the realm are replaced, so libraries obey without knowing. Outside of turns (while the module
 * is evaluated) it is 1970 and the seed is 0; who is to have real chance has it there, too.
 */

import { apply, construct, dateToString, defineProperty, getOwnPropertyDescriptor } from "./primordials.ts";
import { nativeLike } from "./native-like.ts";
import { keystream } from "./web/keystream.ts";

/** What the clock of the realm says, and its random stream. Set by each turn. */
export class TimeAndChance {
  nowMs = 0;
  #next: (() => number) | undefined;
  #word: (() => number) | undefined;
  #seed = 0;

  /** `entropy`: what `word` draws from; "" where that is the seed, too. */
  begin(nowMs: number, seed: number, entropy: string): void {
    this.#word = entropy === "" ? undefined : keystream(entropy);
    this.nowMs = nowMs;
    this.#seed = seed;
    this.#next = undefined;
  }

  /** The turn's own, as it was told. */
  get seed(): number {
    return this.#seed;
  }

  /** 32 random bits, for `crypto`. */
  word(): number {
    if (this.#word !== undefined) return this.#word();
    this.#next ??= sfc32(this.#seed);
    return this.#next();
  }

  /** A number in [0, 1) with 53 random bits. */
  random(): number {
    this.#next ??= sfc32(this.#seed);
    // The construction of Saito and Matsumoto's genrand_res53 (mt19937ar): 27 high bits and 26 high bits.
    return ((this.#next() >>> 5) * 0x4000000 + (this.#next() >>> 6)) / 0x20000000000000;
  }
}

/**
 * Chris Doty-Humphrey's sfc32 from PractRand 0.95 (`src/RNGs/sfc.cpp`), which passes its tests and needs no multiplication;
 * seeded as there with a 64-bit seed whose upper half is zero.
 */
function sfc32(seed: number): () => number {
  let a = 0;
  let b = seed | 0;
  let c = 0;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** Replaces `Date`, `Math.random` and the clock inside `Intl.DateTimeFormat`. */
export function installTimeAndChance(source: TimeAndChance): void {
  installDate(source);
  installIntlClock(source);
  define(
    Math,
    "random",
    nativeLike("random", 0, () => source.random()),
  );
}

function installDate(source: TimeAndChance): void {
  const NativeDate = Date;
  const now = nativeLike("now", 0, () => source.nowMs);
  const Wrapped = function Date(...args: unknown[]): unknown {
    // Called without `new`, Date ignores its arguments and says the time as text.
    if (new.target === undefined) return dateToString(new NativeDate(source.nowMs));
    return construct(NativeDate, args.length === 0 ? [source.nowMs] : args, new.target);
  };
  nativeLike("Date", 7, Wrapped);
  define(Wrapped, "now", now);
  define(Wrapped, "parse", NativeDate.parse);
  define(Wrapped, "UTC", NativeDate.UTC);
  defineProperty(Wrapped, "prototype", { value: NativeDate.prototype, writable: false });
  define(NativeDate.prototype, "constructor", Wrapped);
  define(globalThis, "Date", Wrapped);
}

/** `format()` and `formatToParts()` without an argument would show the machine's time. */
function installIntlClock(source: TimeAndChance): void {
  const { prototype } = Intl.DateTimeFormat;
  const nativeFormat = functionAt(getOwnPropertyDescriptor(prototype, "format"), "get");
  const nativeParts = functionAt(getOwnPropertyDescriptor(prototype, "formatToParts"), "value");
  const replacements = {
    format(this: unknown): (date?: unknown) => unknown {
      const bound = apply(nativeFormat, this, []) as (date: unknown) => unknown; // the built-in getter returns a function
      return (date) => bound(date === undefined ? source.nowMs : date);
    },
    formatToParts(this: unknown, date?: unknown): unknown {
      return apply(nativeParts, this, [date === undefined ? source.nowMs : date]);
    },
  };
  // oxlint-disable-next-line typescript/unbound-method -- methods off their holder are the point
  const { format, formatToParts } = replacements;
  defineProperty(prototype, "format", { get: nativeLike("get format", 0, format), configurable: true });
  define(prototype, "formatToParts", nativeLike("formatToParts", 1, formatToParts));
}

function functionAt(
  property: PropertyDescriptor | undefined,
  key: "get" | "value",
): (this: unknown, ...args: unknown[]) => unknown {
  const found: unknown = property?.[key];
  if (typeof found !== "function") throw new TypeError("the realm lacks a built-in that it should have");
  return found as (this: unknown, ...args: unknown[]) => unknown; // a function, by the check above
}

function define(target: object, key: string, value: unknown): void {
  defineProperty(target, key, { value, writable: true, configurable: true, enumerable: false });
}
