/**
 * Trees against a model. Invariants that every random run checks:
 * 1. get, range, diff and merge answer as a sorted Map does.
 * 2. Every page that a build returns is reachable from its root, and none is larger than asked.
 * 3. An old root reads the same after any number of later builds.
 * 4. A build that changes nothing returns the old root and no pages.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { BLOB_SLICE_BYTES } from "../../vault/page.ts";
import { applyOps, LARGE_PAGE_BYTES, mergeTrees, PAGE_BYTES } from "../../vault/tree-apply.ts";
import { diffTrees } from "../../vault/tree-diff.ts";
import type { TreeChange } from "../../vault/tree-diff.ts";
import { compareKeys } from "../../vault/tree-key.ts";
import { decodeRoot, encodeRoot, getFromTree, pagesOfTree, rangeOfTree, verifyTree } from "../../vault/tree.ts";
import type { Entry, TreeRoot } from "../../vault/tree.ts";
import { MemoryPages, nameOf, rootOf } from "../support/memory-pages.ts";
import { check } from "../support/random-runs.ts";

const SMALL_PAGE_BYTES = 4_072;
type Model = Map<string, Uint8Array | null>;

/** Keys that are short and collide, differ late, are as long as allowed, or lie on both sides of the surrogates. */
const key = fc.oneof(
  { weight: 6, arbitrary: fc.nat(2_000).map((n) => `k${n}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("é", "\uE000x", "\uFFFDz", "😀", "😀a", "🦠", "\uD7FF", "ﬀ", "a".repeat(512)),
  },
  { weight: 2, arbitrary: fc.nat(300).map((n) => `${"long/".repeat(95)}${n}`) },
);
/** Values: mostly short, some near the quarter of a page where a value leaves the leaf, few with a blob run of two pages. */
const valueLength = fc.oneof(
  { weight: 20, arbitrary: fc.nat(200) },
  { weight: 2, arbitrary: fc.integer({ min: 900, max: 1_100 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 4_096, 65_496, 65_497, 70_000) },
);
const value = fc.tuple(valueLength, fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte));
const op = fc.tuple(key, fc.option(value, { nil: null, freq: 3 }));
const batch = fc.oneof(
  { weight: 3, arbitrary: fc.array(op, { maxLength: 40, size: "max" }) },
  { weight: 1, arbitrary: fc.array(op, { minLength: 200, maxLength: 1_200, size: "max" }) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(2_000), fc.nat(900)).map(([from, count]) => deletions(from, count)) },
);

function deletions(from: number, count: number): [string, null][] {
  return Array.from({ length: count }, (_, i) => [`k${from + i}`, null]);
}

function sorted(ops: Iterable<Entry>): Entry[] {
  return [...new Map(ops)].toSorted(([a], [b]) => compareKeys(a, b));
}

function applyToModel(model: Model, ops: readonly Entry[], keepTombstones: boolean): Model {
  const next = new Map(model);
  for (const [name, bytes] of ops) {
    if (bytes === null && !keepTombstones) next.delete(name);
    else next.set(name, bytes);
  }
  return next;
}

function assertHolds(pages: MemoryPages, root: TreeRoot | undefined, model: Model): void {
  assert.deepEqual([...rangeOfTree(pages, root)], sorted(model));
  assert.equal(root?.entries ?? 0, model.size);
  const bytes = [...model].reduce((sum, [name, b]) => sum + Buffer.byteLength(name) + (b?.length ?? 0), 0);
  assert.equal(root?.bytes ?? 0, bytes);
}

function reachable(pages: MemoryPages, root: TreeRoot | undefined): Set<string> {
  const ids = [...pagesOfTree(pages, root)].map(nameOf);
  assert.equal(new Set(ids).size, ids.length, "a page is reached once");
  return new Set(ids);
}

/** `count` entries of 100 to 1,000 bytes under ascending keys, the shape measured in the design. */
function records(count: number, mark = 0): Entry[] {
  return Array.from({ length: count }, (_, i) => [
    `record/${String(i).padStart(7, "0")}`,
    new Uint8Array(100 + ((i * 7_919) % 900)).fill(i + mark),
  ]);
}

describe("a tree and its model", () => {
  test("any sequence of batches reads back as a sorted map, and every new page is reachable", async (t) => {
    const pages = await MemoryPages.create();
    const property = fc.property(
      fc.array(batch, { maxLength: 6, size: "max" }),
      fc.boolean(),
      (batches, keepTombstones) => {
        const options = pages.options(SMALL_PAGE_BYTES, keepTombstones);
        const history: { root: TreeRoot | undefined; model: Model }[] = [{ root: undefined, model: new Map() }];
        for (const ops of batches.map(sorted)) {
          const { root, model } = history.at(-1)!;
          const built = pages.build(applyOps(pages, root, ops, options));
          history.push({ root: built.root, model: applyToModel(model, ops, keepTombstones) });
          const ids = reachable(pages, built.root);
          for (const [id, bytes] of built.pages) {
            assert.ok(ids.has(nameOf(id)), `page ${nameOf(id)} is reachable`);
            assert.ok(bytes.length <= SMALL_PAGE_BYTES || bytes[8] === 3);
          }
          const again = pages.build(applyOps(pages, built.root, ops.filter(isInLeaf), options));
          assert.deepEqual([again.root, again.pages.length], [built.root, 0]);
          assert.equal([...verifyTree(pages, built.root)].length > 0, built.root !== undefined);
        }
        for (const { root, model } of history) assertHolds(pages, root, model);
      },
    );
    check(t, property, 120);
  });

  test("get finds exactly what was put, tombstones included", async (t) => {
    const pages = await MemoryPages.create();
    const property = fc.property(batch, fc.array(key), (ops, probes) => {
      const entries = sorted(ops);
      const { root } = pages.build(applyOps(pages, undefined, entries, pages.options(SMALL_PAGE_BYTES, true)));
      const model = new Map(entries);
      for (const name of [...probes, ...model.keys()])
        assert.deepEqual(getFromTree(pages, root, name), model.get(name));
    });
    check(t, property, 60);
  });

  test("range keeps to prefix, from and to in the order of UTF-8 bytes", async (t) => {
    const pages = await MemoryPages.create();
    const bound = fc.option(key, { nil: undefined });
    const prefix = fc.constantFrom(undefined, "", "k", "k1", "long/", "😀", "zzz");
    const property = fc.property(batch, bound, bound, prefix, (ops, from, to, start) => {
      const entries = sorted(ops);
      const { root } = pages.build(applyOps(pages, undefined, entries, pages.options(SMALL_PAGE_BYTES, true)));
      const expected = entries.filter(
        ([name]) =>
          (from === undefined || compareKeys(name, from) >= 0) &&
          (to === undefined || compareKeys(name, to) < 0) &&
          name.startsWith(start ?? ""),
      );
      const bounds = { from, to, prefix: start };
      assert.deepEqual([...rangeOfTree(pages, root, bounds)], expected);
      assert.deepEqual([...rangeOfTree(pages, root, { ...bounds, reverse: true })], expected.toReversed());
    });
    check(t, property, 100);
  });

  test("merging a delta gives the tree that the same changes would have given, and shares its long values", async (t) => {
    const pages = await MemoryPages.create();
    const property = fc.property(batch, batch, (first, second) => {
      const base = pages.build(applyOps(pages, undefined, sorted(first), pages.options(SMALL_PAGE_BYTES, false)));
      const delta = pages.build(applyOps(pages, undefined, sorted(second), pages.options(SMALL_PAGE_BYTES, true)));
      const merged = pages.build(mergeTrees(pages, base.root, delta.root, pages.options(SMALL_PAGE_BYTES, false)));
      const model = applyToModel(applyToModel(new Map(), sorted(first), false), sorted(second), false);
      assertHolds(pages, merged.root, model);
      assert.ok(
        merged.pages.every(([, bytes]) => bytes[8] !== 3),
        "no long value is copied",
      );
      assertHolds(pages, base.root, applyToModel(new Map(), sorted(first), false));
    });
    check(t, property, 80);
  });

  test("diff lists exactly the keys whose entries differ", async (t) => {
    const pages = await MemoryPages.create();
    const property = fc.property(batch, batch, fc.boolean(), (first, second, isRelated) => {
      const options = pages.options(SMALL_PAGE_BYTES, true);
      const before = applyToModel(new Map(), sorted(first), true);
      const after = applyToModel(isRelated ? before : new Map(), sorted(second), true);
      const a = pages.build(applyOps(pages, undefined, sorted(before), options));
      const b = isRelated
        ? pages.build(applyOps(pages, a.root, sorted(second), options))
        : pages.build(applyOps(pages, undefined, sorted(second), options));
      assert.deepEqual([...diffTrees(pages, a.root, b.root)], changesOf(before, after));
      assert.deepEqual([...diffTrees(pages, b.root, b.root)], []);
    });
    check(t, property, 80);
  });
});

function changesOf(before: Model, after: Model): TreeChange[] {
  return sorted([...before, ...after])
    .map(([name]) => ({ key: name, before: before.get(name), after: after.get(name) }))
    .filter((change) => !isEqual(change.before, change.after));
}

function isInLeaf([, bytes]: Entry): boolean {
  return bytes === null || bytes.length <= SMALL_PAGE_BYTES / 4;
}

function isEqual(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  return a === b || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);
}

describe("a large tree", () => {
  test("diff stays exact when whole subtrees are deleted and keys return into the gap", async (t) => {
    const pages = await MemoryPages.create();
    const options = pages.options(SMALL_PAGE_BYTES, false);
    const name = (n: number): string => `${"deep/".repeat(30)}${String(n).padStart(5, "0")}`;
    const all = Array.from({ length: 2_000 }, (_, i): Entry => [name(2 * i), new Uint8Array(150)]);
    const base = rootOf(pages.build(applyOps(pages, undefined, all, options)));
    assert.ok(base.level >= 2);
    const gap = fc.tuple(fc.nat(2_000), fc.nat(600), fc.array(fc.nat(4_000), { maxLength: 4 }));
    const property = fc.property(fc.array(gap, { minLength: 1, maxLength: 4 }), (gaps) => {
      let root: TreeRoot | undefined = base;
      let model: Model = new Map(all);
      for (const [from, count, back] of gaps) {
        const gone = Array.from({ length: count }, (_, i): Entry => [name(2 * (from + i)), null]);
        for (const ops of [sorted(gone), sorted(back.map((n): Entry => [name(n), new Uint8Array(n % 99)]))]) {
          const before: TreeRoot | undefined = root;
          const old = model;
          const built = pages.build(applyOps(pages, before, ops, options));
          root = built.root;
          const ids = reachable(pages, root);
          assert.ok(built.pages.every(([id]) => ids.has(nameOf(id))));
          model = applyToModel(model, ops, false);
          assert.deepEqual([...diffTrees(pages, before, root)], changesOf(old, model));
        }
      }
      assertHolds(pages, root, model);
      assert.deepEqual([...diffTrees(pages, base, root)], changesOf(new Map(all), model));
      assert.deepEqual([...diffTrees(pages, root, base)], changesOf(model, new Map(all)));
    });
    check(t, property, 40);
  });

  test("a bulk load fills its pages to about 95 %", async () => {
    const pages = await MemoryPages.create();
    const built = pages.build(applyOps(pages, undefined, records(40_000), pages.options(PAGE_BYTES, false)));
    const fills = built.pages.map(([, bytes]) => bytes.length / PAGE_BYTES);
    const mean = fills.reduce((sum, fill) => sum + fill, 0) / fills.length;
    assert.ok(mean > 0.9 && mean <= 1, `mean fill ${mean}`);
    assert.deepEqual([...verifyTree(pages, built.root)].length, built.pages.length);
  });

  test("changing one record in a hundred, side by side, rewrites about one leaf in a hundred and the spine", async () => {
    const pages = await MemoryPages.create();
    const options = pages.options(PAGE_BYTES, false);
    const base = pages.build(applyOps(pages, undefined, records(40_000), options));
    const changes = records(40_000, 1).slice(10_000, 10_400);
    const next = pages.build(applyOps(pages, base.root, changes, options));
    const share = next.pages.length / base.pages.length;
    assert.ok(share > 0.01 && share < 0.02, `${next.pages.length} of ${base.pages.length} pages were rewritten`);
    const shared = reachable(pages, next.root).intersection(reachable(pages, base.root));
    assert.equal(shared.size, base.pages.length - (reachable(pages, base.root).size - shared.size));
    assert.equal(shared.size + next.pages.length, reachable(pages, next.root).size);
  });

  test("diff reads pages in proportion to the difference", async () => {
    const pages = await MemoryPages.create();
    const options = pages.options(PAGE_BYTES, false);
    const base = pages.build(applyOps(pages, undefined, records(40_000), options));
    const next = pages.build(applyOps(pages, base.root, [["record/0020000", null]], options));
    pages.reads = 0;
    assert.deepEqual(
      [...diffTrees(pages, base.root, next.root)].map(({ key: name }) => name),
      ["record/0020000"],
    );
    assert.ok(pages.reads <= 2 * (rootOf(base).level + 1), `${pages.reads} pages were read`);
  });

  test("range reads a leaf only when it is reached", async () => {
    const pages = await MemoryPages.create();
    const { root } = pages.build(applyOps(pages, undefined, records(40_000), pages.options(PAGE_BYTES, false)));
    pages.reads = 0;
    const range = rangeOfTree(pages, root, { from: "record/0020000" });
    for (let i = 0; i < 5; i++) range.next();
    assert.ok(pages.reads <= rootOf({ root, pages: [] }).level + 2, `${pages.reads} pages were read`);
  });

  test("deleting most entries joins small leaves, deleting all leaves the empty tree", async () => {
    const pages = await MemoryPages.create();
    const options = pages.options(PAGE_BYTES, false);
    const all = records(20_000);
    const base = pages.build(applyOps(pages, undefined, all, options));
    const most = all.filter((_, i) => i % 20 !== 0).map(([name]): Entry => [name, null]);
    const thin = pages.build(applyOps(pages, base.root, most, options));
    assert.ok(reachable(pages, thin.root).size < base.pages.length / 5);
    const none = pages.build(
      applyOps(
        pages,
        thin.root,
        all.map(([name]): Entry => [name, null]),
        options,
      ),
    );
    assert.deepEqual([none.root, none.pages.length], [undefined, 0]);
  });

  test("a build yields at least once for every page it lays out", async () => {
    const pages = await MemoryPages.create();
    const build = applyOps(pages, undefined, records(5_000), pages.options(PAGE_BYTES, false));
    let yields = 0;
    let step = build.next();
    for (; step.done !== true; step = build.next()) yields++;
    assert.ok(yields >= step.value.pages.length);
  });
});

describe("the edges of a tree", () => {
  test("the empty tree holds nothing and has no pages", async () => {
    const pages = await MemoryPages.create();
    assert.equal(getFromTree(pages, undefined, "a"), undefined);
    assert.deepEqual([...rangeOfTree(pages, undefined)], []);
    assert.deepEqual([...pagesOfTree(pages, undefined)], []);
    assert.deepEqual([...diffTrees(pages, undefined, undefined)], []);
    const deleted = pages.build(applyOps(pages, undefined, [["a", null]], pages.options(PAGE_BYTES, false)));
    assert.deepEqual([deleted.root, deleted.pages.length], [undefined, 0]);
  });

  test("ten thousand keys of 512 bytes make a tree that reads back", async () => {
    const pages = await MemoryPages.create();
    const entries = Array.from({ length: 10_000 }, (_, i): Entry => [
      String(i).padStart(512, "k"),
      new Uint8Array([i]),
    ]);
    for (const pageBytes of [SMALL_PAGE_BYTES, PAGE_BYTES, LARGE_PAGE_BYTES]) {
      const { root } = pages.build(applyOps(pages, undefined, sorted(entries), pages.options(pageBytes, false)));
      assertHolds(pages, root, new Map(entries));
    }
  });

  test("a value of 10 MB goes to blob pages, reads back and is named by the walk over its tree", async () => {
    const pages = await MemoryPages.create();
    const long = Buffer.alloc(10_000_000, "0123456789");
    const options = pages.options(PAGE_BYTES, false);
    const { root } = pages.build(applyOps(pages, undefined, [["long", long]], options));
    assert.deepEqual(getFromTree(pages, root, "long"), new Uint8Array(long));
    assert.equal(reachable(pages, root).size, 1 + Math.ceil(10_000_000 / BLOB_SLICE_BYTES));
    assert.equal(rootOf({ root, pages: [] }).bytes, 10_000_004);
  });

  test("equal content has an equal hash, whatever its page ids are", async () => {
    const pages = await MemoryPages.create();
    const entries: Entry[] = [...records(3_000), ["z", new Uint8Array(100_000).fill(9)]];
    const options = pages.options(PAGE_BYTES, false);
    const [a, b] = [entries, entries].map((all) => rootOf(pages.build(applyOps(pages, undefined, all, options))));
    assert.notDeepEqual(a!.id, b!.id);
    assert.deepEqual(a!.sha256, b!.sha256);
  });

  test("a root survives its encoding", async () => {
    const pages = await MemoryPages.create();
    const root = rootOf(pages.build(applyOps(pages, undefined, records(500), pages.options(PAGE_BYTES, false))));
    assert.deepEqual(decodeRoot(encodeRoot(root)), root);
    assert.throws(() => decodeRoot(new Uint8Array(3)), RangeError);
  });

  test("changes out of order, keys and page sizes out of bounds are refused as bugs", async () => {
    const pages = await MemoryPages.create();
    const options = pages.options(PAGE_BYTES, false);
    const unordered: Entry[] = [
      ["b", null],
      ["a", null],
    ];
    assert.throws(() => pages.build(applyOps(pages, undefined, unordered, options)), { code: "ERR_ASSERTION" });
    for (const name of ["", "k".repeat(513)]) {
      assert.throws(() => pages.build(applyOps(pages, undefined, [[name, null]], options)), { code: "ERR_ASSERTION" });
    }
    assert.throws(() => applyOps(pages, undefined, [], { ...options, pageBytes: 1_000 }), { code: "ERR_ASSERTION" });
  });

  test("bytes that a tree handed out can be overwritten without harm to the tree", async () => {
    const pages = await MemoryPages.create();
    const { root } = pages.build(
      applyOps(pages, undefined, [["a", new Uint8Array([1, 2])]], pages.options(PAGE_BYTES, false)),
    );
    getFromTree(pages, root, "a")!.fill(9);
    assert.deepEqual(getFromTree(pages, root, "a"), new Uint8Array([1, 2]));
  });
});
