/** Reading through layers. Invariant: the stack answers as if its layers had been written, oldest first, into one Map. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Memtable } from "../../vault/memtable.ts";
import { entriesMerged, getMerged, rangeMerged, treeLayer } from "../../vault/merge.ts";
import type { Layer } from "../../vault/merge.ts";
import { applyOps, PAGE_BYTES } from "../../vault/tree-apply.ts";
import { compareKeys } from "../../vault/tree-key.ts";
import type { Entry } from "../../vault/tree.ts";
import { MemoryPages } from "../support/memory-pages.ts";
import { check } from "../support/random-runs.ts";

const key = fc.oneof(fc.nat(60).map(String), fc.constantFrom("é", "\uE000", "😀", "\uFFFD"));
const value = fc.option(
  fc.nat(9).map((byte) => new Uint8Array([byte])),
  { nil: null, freq: 3 },
);
const contents = fc.array(fc.tuple(key, value), { maxLength: 60, size: "max" });

function memtable(entries: Iterable<Entry>): Memtable {
  const table = new Memtable();
  for (const [name, bytes] of entries) table.put(name, bytes);
  return table;
}

/** Two memtables above a delta tree above a base tree, newest first, as a branch has them. */
function stack(pages: MemoryPages, [base, delta, frozen, live]: readonly (readonly Entry[])[]): Layer[] {
  const tree = (entries: readonly Entry[] = [], keepTombstones: boolean): Layer => {
    const sorted = memtable(entries).range();
    return treeLayer(
      pages,
      pages.build(applyOps(pages, undefined, sorted, pages.options(PAGE_BYTES, keepTombstones))).root,
    );
  };
  return [memtable(live ?? []), memtable(frozen ?? []).freeze(), tree(delta, true), tree(base, false)];
}

function sorted<T>(model: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...model].toSorted(([a], [b]) => compareKeys(a, b));
}

describe("a stack of layers", () => {
  test("get and range see the newest value of each key, and no deleted one", async (t) => {
    const pages = await MemoryPages.create();
    const layers = fc.tuple(contents, contents, contents, contents);
    const bound = fc.option(key, { nil: undefined });
    const limit = fc.option(fc.nat(20), { nil: undefined });
    const property = fc.property(layers, bound, bound, bound, limit, (all, from, to, prefix, most) => {
      const layered = stack(pages, all);
      const visible = new Map<string, Uint8Array>();
      for (const [name, bytes] of all.flat()) {
        if (bytes === null) visible.delete(name);
        else visible.set(name, bytes);
      }
      for (const [name] of all.flat()) assert.deepEqual(getMerged(layered, name), visible.get(name));
      const expected = sorted(visible)
        .filter(([name]) => from === undefined || compareKeys(name, from) >= 0)
        .filter(([name]) => to === undefined || compareKeys(name, to) < 0)
        .filter(([name]) => name.startsWith(prefix ?? ""));
      const bounds = { from, to, prefix, limit: most };
      assert.deepEqual([...rangeMerged(layered, bounds)], expected.slice(0, most));
      const descending = expected.toReversed().slice(0, most);
      assert.deepEqual([...rangeMerged(layered, { ...bounds, reverse: true })], descending);
    });
    check(t, property, 200);
  });

  test("entries of several memtables are their newest ones, tombstones included, ready to be applied to a tree", async (t) => {
    const pages = await MemoryPages.create();
    const property = fc.property(contents, contents, contents, (first, second, third) => {
      const layers = [memtable(third), memtable(second), memtable(first)];
      const newest = new Map([...first, ...second, ...third]);
      assert.deepEqual([...entriesMerged(layers)], sorted(newest));
      const { root } = pages.build(applyOps(pages, undefined, entriesMerged(layers), pages.options(PAGE_BYTES, true)));
      assert.deepEqual([...treeLayer(pages, root).range({})], sorted(newest));
    });
    check(t, property, 60);
  });

  test("an empty stack is empty, and a reader that stops early closes the ranges below it", () => {
    assert.equal(getMerged([], "a"), undefined);
    assert.deepEqual([...rangeMerged([])], []);
    let closed = 0;
    const layer: Layer = {
      get: () => undefined,
      *range() {
        try {
          for (let i = 10; i < 99; i++) yield [String(i), new Uint8Array(0)];
        } finally {
          closed++;
        }
      },
    };
    assert.equal([...rangeMerged([layer, layer], { limit: 3 })].length, 3);
    assert.equal(closed, 2);
  });
});
