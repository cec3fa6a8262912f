/** The page codec. Invariant: bytes that are not exactly what was stamped for this id are never accepted. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import {
  assertOrdered,
  blobCell,
  buildBlobPage,
  buildPage,
  cellKey,
  contentHash,
  innerCell,
  isTombstone,
  leafTotals,
  valueCell,
} from "../../vault/page-build.ts";
import { loadPageChecksum, Page } from "../../vault/page.ts";
import type { PageId, PageRef } from "../../vault/page.ts";
import { applyOps, PAGE_BYTES } from "../../vault/tree-apply.ts";
import { getFromTree, pagesOfTree, rangeOfTree, verifyTree } from "../../vault/tree.ts";
import type { Entry, TreeRoot } from "../../vault/tree.ts";
import { MemoryPages } from "../support/memory-pages.ts";
import { check } from "../support/random-runs.ts";

const ID: PageId = { arena: 4_294_967_295, no: 4_294_967_294 };
const HASH = new Uint8Array(32).fill(5);
const text = (key: string): Buffer => Buffer.from(key);

describe("page layout", () => {
  test("a leaf gives back its values, tombstones and long values", () => {
    const blob = { first: ID, count: 3, length: 190_000, sha256: HASH };
    const cells = [valueCell(text("a"), text("one")), valueCell(text("b"), null), blobCell(text("c"), blob)];
    const page = new Page(ID, buildPage(0, cells));
    assertOrdered(page);
    assert.deepEqual([page.kind, page.level, page.count], ["leaf", 0, 3]);
    assert.deepEqual(
      [0, 1, 2].map((i) => page.keyText(i)),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      [0, 1, 2].map((i) => page.entryKind(i)),
      ["value", "tombstone", "blob"],
    );
    assert.equal(page.value(0).toString(), "one");
    assert.deepEqual({ ...page.blob(2), sha256: new Uint8Array(page.blob(2).sha256) }, blob);
    assert.deepEqual(leafTotals(page), { bytes: 4 + 1 + 190_001, hasNoBlobs: false });
    assert.equal(leafTotals(new Page(ID, buildPage(0, cells.slice(0, 2)))).hasNoBlobs, true);
    assert.deepEqual(cells.map(isTombstone), [false, true, false]);
    assert.deepEqual(
      cells.map((cell) => cellKey(cell).toString()),
      ["a", "b", "c"],
    );
    assert.deepEqual([page.lowerBound(text("")), page.lowerBound(text("b")), page.lowerBound(text("bb"))], [0, 1, 2]);
    assert.equal(page.lowerBound(text("d")), 3);
  });

  test("an inner page gives back its children and finds the one that holds a key", () => {
    const child = (no: number): PageRef => ({
      id: { arena: 1, no },
      level: 0,
      entries: no,
      hasNoBlobs: no === 2,
      bytes: 2 ** 40 + no,
      sha256: HASH,
    });
    const page = new Page(ID, buildPage(1, [innerCell(text(""), child(1)), innerCell(text("m"), child(2))]));
    assert.deepEqual({ ...page.child(1), sha256: new Uint8Array(page.child(1).sha256) }, child(2));
    assert.deepEqual(
      ["", "a", "lzz", "m", "z"].map((key) => page.childIndex(text(key))),
      [0, 0, 0, 1, 1],
    );
  });

  test("headers that contradict themselves are refused", () => {
    const good = buildPage(0, [valueCell(text("a"), text("one"))]);
    const harms: ((bytes: Buffer) => Buffer)[] = [
      (bytes) => bytes.subarray(0, 10),
      (bytes) => bytes.subarray(0, bytes.length - 1),
      (bytes) => bytes.fill(9, 8, 9),
      (bytes) => bytes.fill(1, 9, 10),
      (bytes) => bytes.fill(255, 10, 12),
    ];
    for (const harm of harms)
      assert.throws(() => new Page(ID, harm(Buffer.from(good))), { code: "VAULT_PAGE_DAMAGED" });
  });

  test("keys that do not ascend are a bug", () => {
    const page = new Page(ID, buildPage(0, [valueCell(text("b"), null), valueCell(text("a"), null)]));
    assert.throws(() => assertOrdered(page), { code: "ERR_ASSERTION" });
  });

  test("the content hash leaves out ids and nothing else", () => {
    const leaf = (no: number, value: string, sha256 = HASH): string => {
      const blob = blobCell(text("z"), { first: { arena: no, no }, count: no, length: 9, sha256 });
      return Buffer.from(contentHash(new Page(ID, buildPage(0, [valueCell(text("a"), text(value)), blob])))).toString(
        "hex",
      );
    };
    assert.equal(leaf(1, "x"), leaf(2, "x"));
    assert.notEqual(leaf(1, "x"), leaf(1, "y"));
    assert.notEqual(leaf(1, "x"), leaf(1, "x", new Uint8Array(32)));
  });
});

describe("page checksum", () => {
  test("any single changed byte, any other id and any cut is refused", async (t) => {
    const checksum = await loadPageChecksum();
    const bytes = buildPage(0, [valueCell(text("key"), Buffer.alloc(4_000, "value"))]);
    checksum.stamp(ID, bytes);
    assert.ok(checksum.matches(ID, bytes));
    const property = fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bytes);
      changed[at]! ^= mask;
      assert.ok(!checksum.matches(ID, changed));
      assert.ok(!checksum.matches(ID, bytes.subarray(0, at)));
    });
    check(t, property, 2_000);
    for (const other of [
      { ...ID, no: 1 },
      { ...ID, arena: 1 },
      { arena: ID.no, no: ID.arena },
      { arena: 0, no: 0 },
    ]) {
      assert.ok(!checksum.matches(other, bytes));
    }
    assert.ok(!checksum.matches(ID, Buffer.alloc(4_096)));
  });
});

describe("damage under a tree", () => {
  /** A tree of three levels with two long values, on pages that a test may harm. */
  async function tree(): Promise<{
    pages: MemoryPages;
    root: TreeRoot;
    ids: PageId[];
    model: Map<string, Uint8Array | null>;
  }> {
    const pages = await MemoryPages.create();
    const entries = Array.from({ length: 3_000 }, (_, i): Entry => {
      const length = i === 7 || i === 2_000 ? 140_000 : 40 + (i % 300);
      return [
        `${"deep/".repeat(20)}${String(i).padStart(5, "0")}`,
        new Uint8Array(length).map((_byte, at) => (at * 17 + i) % 253),
      ];
    });
    const { root } = pages.build(applyOps(pages, undefined, entries, pages.options(4_072, false)));
    assert.ok(root !== undefined && root.level >= 2);
    return { pages, root, ids: [...pagesOfTree(pages, root)], model: new Map(entries) };
  }

  type Harm = (pages: MemoryPages, ids: readonly PageId[], pick: number, at: number) => void;
  const harms: Record<string, Harm> = {
    "flipped bits": (pages, ids, pick, at) => {
      const bytes = Buffer.from(pages.bytesOf(ids[pick]!));
      bytes[at % bytes.length]! ^= 1 << (at % 8);
      pages.put(ids[pick]!, bytes);
    },
    "zeroed pages": (pages, ids, pick) => pages.put(ids[pick]!, Buffer.alloc(pages.bytesOf(ids[pick]!).length)),
    "cut pages": (pages, ids, pick, at) => {
      const bytes = pages.bytesOf(ids[pick]!);
      pages.put(ids[pick]!, Buffer.from(bytes.subarray(0, at % bytes.length)));
    },
    "misdirected pages": (pages, ids, pick, at) => {
      const other = ids[(pick + 1 + (at % (ids.length - 1))) % ids.length]!;
      pages.put(ids[pick]!, Buffer.from(pages.bytesOf(other)));
    },
  };

  for (const [what, harm] of Object.entries(harms)) {
    test(`${what} are refused with their id, and never read as something else`, async (t) => {
      const { pages, root, ids, model } = await tree();
      const keys = [...model.keys()];
      let noticed = 0;
      const property = fc.property(fc.nat(ids.length - 1), fc.nat(1 << 20), (pick, at) => {
        const intact = pages.bytesOf(ids[pick]!);
        harm(pages, ids, pick, at);
        const damaged = { code: "VAULT_PAGE_DAMAGED" };
        assert.throws(() => [...rangeOfTree(pages, root)], damaged);
        assert.throws(() => [...verifyTree(pages, root)], damaged);
        for (let i = at % 10; i < keys.length; i += 10) {
          const outcome = answerOf(() => getFromTree(pages, root, keys[i]!));
          if (outcome === "refused") noticed++;
          else assert.deepEqual(outcome, model.get(keys[i]!));
        }
        pages.put(ids[pick]!, intact);
      });
      check(t, property, 60);
      assert.ok(noticed > 0);
      t.diagnostic(`0 silent, ${noticed} reads refused`);
    });
  }

  function answerOf<T>(read: () => T): T | "refused" {
    try {
      return read();
    } catch (error) {
      assert.ok(error instanceof Error && "code" in error && error.code === "VAULT_PAGE_DAMAGED", String(error));
      return "refused";
    }
  }

  test("a page whose checksum is right but whose content is not is found by verifying the tree", async () => {
    const { pages, root, ids } = await tree();
    const checksum = await loadPageChecksum();
    const last = ids.findLast((id) => pages.page(id).kind === "leaf")!;
    const bytes = Buffer.from(pages.bytesOf(last));
    bytes[bytes.length - 1]! ^= 1;
    checksum.stamp(last, bytes);
    pages.put(last, bytes);
    assert.throws(() => [...verifyTree(pages, root)], { code: "VAULT_PAGE_DAMAGED" });
  });

  test("a page of the wrong kind or level under a right checksum is refused", async () => {
    const { pages, root, ids } = await tree();
    const checksum = await loadPageChecksum();
    const swap = (id: PageId, bytes: Buffer): void => {
      checksum.stamp(id, bytes);
      pages.put(id, bytes);
    };
    const [top] = ids;
    swap(top!, buildPage(0, [valueCell(text("a"), null)]));
    assert.throws(() => getFromTree(pages, root, "a"), { code: "VAULT_PAGE_DAMAGED" });
    swap(top!, buildBlobPage(text("slice")));
    assert.throws(() => getFromTree(pages, root, "a"), { code: "VAULT_PAGE_DAMAGED" });
    swap(top!, buildPage(root.level, []));
    assert.throws(() => getFromTree(pages, root, "a"), { code: "VAULT_PAGE_DAMAGED" });
  });

  test("a long value whose slice is missing, short or of another value is refused", async () => {
    const { pages, root, ids, model } = await tree();
    const checksum = await loadPageChecksum();
    const key = [...model.keys()][7]!;
    const slice = ids.find((id) => pages.page(id).kind === "blob")!;
    const intact = pages.bytesOf(slice);
    const short = buildBlobPage(new Uint8Array(10));
    checksum.stamp(slice, short);
    pages.put(slice, short);
    assert.throws(() => getFromTree(pages, root, key), { code: "VAULT_PAGE_DAMAGED" });
    const other = Buffer.from(intact);
    other.fill(1, 100, 200);
    checksum.stamp(slice, other);
    pages.put(slice, other);
    assert.throws(() => [...verifyTree(pages, root)], { code: "VAULT_PAGE_DAMAGED" });
  });

  test("a page of 16,360 bytes leaves no byte over in four LMDB pages", () => {
    assert.equal((PAGE_BYTES + 24) % 4_096, 0);
  });
});
