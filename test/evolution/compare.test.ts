/**
 * When two replies are the same. Invariants of the random runs: a reply equals itself however its records order their keys,
 * and a reply that differs in one place never equals the one before.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { isSameReply } from "../../evolution/compare.ts";
import { encode } from "../../sandbox/index.ts";
import { check } from "../support/random-runs.ts";

const text = (value: unknown): string => encode(value, { bytesMax: 1 << 20 });
const isSame = (a: unknown, b: unknown): boolean => {
  const answer = isSameReply(text(a), text(b));
  assert.equal(isSameReply(text(b), text(a)), answer, "the order of the two must not matter");
  return answer;
};

const same: readonly (readonly [what: string, a: unknown, b: unknown])[] = [
  ["records whose keys stand in another order", { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
  ["records in arrays whose keys stand in another order", [{ a: 1, b: 2 }], [{ b: 2, a: 1 }]],
  ["Maps by name in another order", new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])], // prettier-ignore
  ["Sets of numbers in another order", new Set([1, 2, 3]), new Set([3, 1, 2])],
  [
    "Maps and Sets of equal objects",
    new Map([[{ k: 1 }, new Set([{ v: 1 }])]]),
    new Map([[{ k: 1 }, new Set([{ v: 1 }])]]),
  ],
  [
    "dates, big integers and bytes",
    [new Date(5), 7n, new Uint8Array([1, 2])],
    [new Date(5), 7n, new Uint8Array([1, 2])],
  ],
  ["NaN and NaN", { a: Number.NaN }, { a: Number.NaN }],
  ["undefined and undefined", undefined, undefined],
];

const different: readonly (readonly [what: string, a: unknown, b: unknown])[] = [
  ["a number and its text", 1, "1"],
  ["a number and a big integer", 1, 1n],
  ["zero and minus zero", { a: 0 }, { a: -0 }],
  ["null and undefined", null, undefined],
  ["a missing key and one that is undefined", {}, { a: undefined }],
  ["arrays in another order", [1, 2], [2, 1]],
  ["an array and a record with the same keys", ["a"], { 0: "a" }],
  ["a Map and a record", new Map([["a", 1]]), { a: 1 }],
  ["a Set and an array", new Set([1]), [1]],
  ["a Set and a Map of the same", new Set([1]), new Map([[1, 1]])],
  ["Maps with different values", new Map([["a", 1]]), new Map([["a", 2]])],
  ["Sets of different objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["dates a millisecond apart", new Date(5), new Date(6)],
  ["bytes of different kinds", new Uint8Array([1]), new Int8Array([1])],
  ["different bytes", new Uint8Array([1]), new Uint8Array([2])],
];

describe("equal replies", () => {
  for (const [what, a, b] of same) test(`${what} are the same reply`, () => assert.equal(isSame(a, b), true));
  for (const [what, a, b] of different) test(`${what} are different replies`, () => assert.equal(isSame(a, b), false));

  test("objects in a Set or as keys of a Map count in their order, so that no reply takes long to compare", () => {
    const items = Array.from({ length: 20_000 }, (_, index) => ({ index }));
    const shuffled = items.map((_, index) => items[(index * 7_919 + 3) % items.length]);
    assert.equal(isSame(new Set(items), new Set(shuffled)), false);
    const mapOf = (keys: typeof shuffled): unknown => new Map(keys.map((key) => [key, 1]));
    assert.equal(isSame(mapOf(items), mapOf(shuffled)), false);
    assert.equal(isSame(mapOf(items), mapOf(items.map((item) => ({ ...item })))), true);
  });

  test("Sets nested as deep as the codec takes them are compared at once", () => {
    const nested = (leaf: unknown): unknown => Array.from({ length: 60 }).reduce((inner) => new Set([inner]), leaf);
    assert.equal(isSame(nested({ a: 1, b: 2 }), nested({ b: 2, a: 1 })), true);
    assert.equal(isSame(nested(1), nested(2)), false);
  });
});

describe("replies that do not decode", () => {
  for (const broken of ["", "{", "~", "~[", "nope", '{"__proto__":1}', "[".repeat(100_000), '~[["Date","x"]]']) {
    test(`a text that begins with ${JSON.stringify(broken.slice(0, 12))} equals nothing but itself`, () => {
      assert.equal(isSameReply(broken, broken), true);
      assert.equal(isSameReply("1", broken), false);
      assert.equal(isSameReply(broken, "1"), false);
    });
  }
});

const leaf = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(undefined, Number.NaN, -0, 5n),
);
const key = fc.string({ maxLength: 5 }).filter((key) => key !== "__proto__");
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(leaf, tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
  ),
}));

/** The same value with the keys of every record turned round. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [turned(key), turned(item)]));
  if (value instanceof Set) return new Set([...value].map(turned));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, turned(item)]),
  );
}

describe("replies of any kind", () => {
  test("a reply equals itself with the keys of its records in another order, and nothing that differs in one place", (t) => {
    const property = fc.property(value, (value) => {
      assert.equal(isSame(value, turned(value)), true);
      assert.equal(isSame([value, 1], [turned(value), 2]), false);
      assert.equal(isSame({ value, a: 1 }, { value: turned(value) }), false);
    });
    check(t, property, 500);
  });
});
