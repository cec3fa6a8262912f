/**
 * The memtable against a Map. Invariants: get and range agree with the model after any puts and rollbacks, order is that
 * of UTF-8 bytes, and a range in progress neither skips nor repeats a key while others come and go.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Memtable } from "../../vault/memtable.ts";
import { compareKeys, keyBytes } from "../../vault/tree-key.ts";
import type { Entry, Found } from "../../vault/tree.ts";
import { check } from "../support/random-runs.ts";

/** Well-formed text of every kind, weighted to what UTF-16 and UTF-8 order differently. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom("a", "b", "\uD7FF", "\uE000", "\uFFFD", "\uFFFF", "😀", "𐀀", "\u{10FFFF}"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
  maxLength: 5,
});
const key = fc.oneof(fc.nat(3_000).map(String), text);
const value = fc.option(
  fc.nat(50).map((length) => new Uint8Array(length)),
  { nil: null },
);

function ordered(model: ReadonlyMap<string, Uint8Array | null>): Entry[] {
  return [...model].toSorted(([a], [b]) => Buffer.compare(keyBytes(a), keyBytes(b)));
}

describe("order of keys", () => {
  test("text compares as its UTF-8 bytes do, surrogates included", (t) => {
    const property = fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(keyBytes(a), keyBytes(b)));
    });
    check(t, property, 5_000);
    // Where the two orders part: JavaScript's own sort has these the other way round.
    assert.deepEqual(["😀", "ﬀ"].toSorted(compareKeys), ["😀", "ﬀ"].toSorted().toReversed());
  });
});

describe("memtable", () => {
  test("any puts and deletes read back in the order of UTF-8 bytes", (t) => {
    const property = fc.property(fc.array(fc.tuple(key, value), { maxLength: 3_000, size: "max" }), (ops) => {
      const table = new Memtable();
      const model = new Map<string, Uint8Array | null>();
      for (const [name, bytes] of ops) {
        assert.deepEqual(table.put(name, bytes), model.get(name));
        model.set(name, bytes);
      }
      assert.deepEqual([...table.range()], ordered(model));
      assert.equal(table.count, model.size);
      for (const [name, bytes] of model) assert.equal(table.get(name), bytes);
      assert.equal(table.get("never put: longer than any"), undefined);
    });
    check(t, property, 40);
  });

  test("taking puts back, newest first, restores what was there, also after a freeze", (t) => {
    const ops = fc.array(fc.tuple(key, value), { maxLength: 800, size: "max" });
    const property = fc.property(ops, ops, fc.boolean(), (kept, failed, isFrozen) => {
      const table = new Memtable();
      for (const [name, bytes] of kept) table.put(name, bytes);
      const before = [...table.range()];
      const { bytes, count } = table;
      const undo: [string, Found][] = failed.map(([name, fresh]) => [name, table.put(name, fresh)]);
      if (isFrozen) table.freeze();
      for (const [name, previous] of undo.toReversed()) table.restore(name, previous);
      assert.deepEqual([...table.range()], before);
      assert.deepEqual([table.bytes, table.count], [bytes, count]);
    });
    check(t, property, 60);
  });

  test("range keeps to prefix, from and to", (t) => {
    const bound = fc.option(key, { nil: undefined });
    const property = fc.property(
      fc.array(key, { maxLength: 1_500, size: "max" }),
      bound,
      bound,
      bound,
      (keys, from, to, prefix) => {
        const table = new Memtable();
        for (const name of keys) table.put(name, null);
        const expected = ordered(new Map(keys.map((name) => [name, null])))
          .map(([name]) => name)
          .filter((name) => from === undefined || compareKeys(name, from) >= 0)
          .filter((name) => to === undefined || compareKeys(name, to) < 0)
          .filter((name) => name.startsWith(prefix ?? ""));
        assert.deepEqual(
          [...table.range({ from, to, prefix })].map(([name]) => name),
          expected,
        );
        assert.deepEqual(
          [...table.range({ from, to, prefix, reverse: true })].map(([name]) => name),
          expected.toReversed(),
        );
      },
    );
    check(t, property, 100);
  });

  test("a range in progress sees what is put ahead of it and never repeats or skips a key", (t) => {
    const property = fc.property(
      fc.array(key, { minLength: 1, maxLength: 1_200, size: "max" }),
      fc.array(fc.tuple(key, fc.boolean()), { maxLength: 200, size: "max" }),
      fc.boolean(),
      (keys, changes, reverse) => {
        const table = new Memtable();
        for (const name of keys) table.put(name, null);
        const seen: string[] = [];
        const touched = new Set(changes.map(([name]) => name));
        for (const [name] of table.range({ reverse })) {
          seen.push(name);
          const [next, isPut] = changes.shift() ?? [undefined, false];
          if (next === undefined) continue;
          if (isPut) table.put(next, null);
          else table.restore(next, undefined);
        }
        const untouched = [...new Set(keys)].filter((name) => !touched.has(name));
        const ascending = [...new Set(seen)].toSorted(compareKeys);
        assert.deepEqual(seen, reverse ? ascending.toReversed() : ascending);
        assert.ok(untouched.every((name) => seen.includes(name)));
      },
    );
    check(t, property, 60);
  });

  test("a frozen memtable takes no puts and still reads", () => {
    const table = new Memtable();
    table.put("a", new Uint8Array([1]));
    assert.equal(table.freeze().freeze().isFrozen, true);
    assert.throws(() => table.put("b", null), { code: "ERR_ASSERTION" });
    assert.deepEqual([...table.range()], [["a", new Uint8Array([1])]]);
  });

  test("bytes count keys, values and the cost of an entry", () => {
    const table = new Memtable();
    table.put("é", new Uint8Array(100));
    assert.equal(table.bytes, 1 + 100 + 160);
    table.put("é", null);
    assert.equal(table.bytes, 1 + 160);
    table.restore("é", undefined);
    table.restore("é", undefined);
    assert.deepEqual([table.bytes, table.count, [...table.range()]], [0, 0, []]);
  });
});
