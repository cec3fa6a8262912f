/**
 * Values that break code which was written with honest ones in mind. The list is fixed, and its beginning is the most
 * telling: what each method meets even where only few cases are run. Sources: what fast-check's arbitraries favour, the Big List of
 * Naughty Strings (minimaxir/big-list-of-naughty-strings), and what generated handlers were seen to die of.
 */

/** A value, and what to call it in a sentence. */
export interface HostileValue {
  readonly what: string;
  readonly value: unknown;
}

/** In place of a value: it is taken away. */
export const MISSING: unique symbol = Symbol("missing");

/** Texts and lists of this many units are huge, and still within every message. */
const HUGE = 100_000;
/** Levels of nesting; the codec takes 64 and an argument may stand a few levels down. */
const DEEP = 50;

function nested(levels: number, wrap: (inner: unknown) => unknown, inner: unknown): unknown {
  return levels === 0 ? inner : wrap(nested(levels - 1, wrap, inner));
}

/** An object of a few thousand keys. */
function wide(keys: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Array.from({ length: keys }, (_, index) => [`key-${index}`, index]));
}

/** An object with these keys. */
function named(keys: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(keys.map((key) => [key, 1]));
}

/** All of them, those that find most first. */
export const HOSTILE_VALUES: readonly HostileValue[] = [
  { what: "nothing at all", value: MISSING },
  { what: "an empty text", value: "" },
  { what: "null", value: null },
  { what: "the text __proto__", value: "__proto__" },
  { what: "a list in lists", value: nested(DEEP, (inner) => [inner], []) },
  { what: "an object in objects", value: nested(DEEP, (inner) => ({ next: inner, children: [] }), null) },
  { what: "a huge text", value: "a".repeat(HUGE) },
  { what: "NaN", value: NaN },
  { what: "-1", value: -1 },
  { what: "an empty list", value: [] },
  { what: "an empty object", value: {} },
  { what: "0", value: 0 },
  { what: "Infinity", value: Infinity },
  { what: "a text that regular expressions choke on", value: `${"a".repeat(40)}!` },
  { what: "-Infinity", value: -Infinity },
  { what: "-0", value: -0 },
  { what: "a fraction", value: 0.5 },
  { what: "2^31", value: 2 ** 31 },
  { what: "2^53", value: 2 ** 53 },
  { what: "1e308", value: 1e308 },
  { what: "5e-324", value: 5e-324 },
  { what: "true", value: true },
  { what: "a BigInt", value: 2n ** 80n },
  { what: "a text of digits", value: "1e1000" },
  { what: "the text constructor", value: "constructor" },
  { what: "the text prototype", value: "prototype" },
  { what: "the text toString", value: "toString" },
  { what: "the text hasOwnProperty", value: "hasOwnProperty" },
  { what: "the text length", value: "length" },
  { what: "a path to __proto__", value: "__proto__.polluted" },
  { what: "a path to the prototype", value: "constructor.prototype.polluted" },
  { what: "a path out of a folder", value: "../../../etc/passwd" },
  { what: "a zero byte", value: "a\u0000b" },
  { what: "spaces", value: " \t\n\u00a0\u200b\ufeff" },
  { what: "an open bracket", value: "((((((((((" },
  { what: "signs of regular expressions", value: ".*+?^${}()|[]\\" },
  { what: "a text in quotes", value: "\"'`${1}\\" },
  { what: "markup", value: "<script>&amp;</script>" },
  { what: "letters that grow in upper case", value: "ßﬃŉΰ" },
  { what: "marks on marks", value: `e${"\u0301".repeat(200)}` },
  { what: "a family of emoji", value: "👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿" },
  { what: "text from right to left", value: "\u202eabc\u202cשלום" },
  { what: "spaces without end", value: " ".repeat(HUGE) },
  { what: "words without end", value: "ab ".repeat(HUGE / 4) },
  { what: "a long list of numbers", value: Array.from({ length: HUGE / 10 }, (_, index) => index) },
  { what: "a long list of one", value: Array.from({ length: HUGE / 10 }, () => "x") },
  { what: "an object of many keys", value: wide(HUGE / 20) },
  { what: "a list of nulls", value: [null, null, null] },
  { what: "an object with keys of prototypes", value: { constructor: 1, prototype: {}, toString: "x", length: -1 } },
  {
    what: "an object that says it is done",
    value: named(["then", "toJSON", "valueOf"]),
  },
  { what: "an object with numbers for keys", value: { "0": 1, "-1": 2, "4294967295": 3 } },
  { what: "a date that is none", value: new Date(NaN) },
  { what: "the last date", value: new Date(8.64e15) },
  {
    what: "a map",
    value: new Map<unknown, unknown>([
      ["__proto__", 1],
      [null, 2],
    ]),
  },
  { what: "a set", value: new Set<unknown>([NaN, "", null]) },
  { what: "bytes", value: new Uint8Array(1_000) },
];
