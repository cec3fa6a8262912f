/** The cache of verified pages: the least recently used leave first, within a bound of bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { PageCache } from "../../vault/store-cache.ts";
import { applyOps, PAGE_BYTES } from "../../vault/tree-apply.ts";
import type { Entry } from "../../vault/tree.ts";
import { MemoryPages } from "../support/memory-pages.ts";
import { check } from "../support/random-runs.ts";

describe("page cache", () => {
  test("the least recently used pages leave first and the bytes stay within their bound", async () => {
    const pages = await MemoryPages.create();
    const cache = new PageCache(100);
    const page = (no: number) => {
      const id = { arena: 1, no };
      const { pages: built } = pages.build(
        applyOps(pages, undefined, [["k", new Uint8Array(8)]], {
          ...pages.options(PAGE_BYTES, false),
          ids: { arena: 1, take: () => no },
        }),
      );
      assert.equal(built[0]![1].length, 35);
      return pages.page(id);
    };
    for (const no of [1, 2]) cache.put(page(no));
    assert.equal(cache.get({ arena: 1, no: 1 })?.id.no, 1);
    cache.put(page(3));
    assert.deepEqual(
      [1, 2, 3].map((no) => cache.get({ arena: 1, no })?.id.no),
      [1, undefined, 3],
    );
    cache.delete({ arena: 1, no: 1 });
    cache.delete({ arena: 1, no: 3 });
    assert.deepEqual([cache.count, cache.bytes], [0, 0]);
  });

  test("any sequence of uses keeps what a list in order of use keeps", async (t) => {
    const source = await MemoryPages.create();
    const all = Array.from({ length: 12 }, (_, no) => {
      const ids = { arena: no % 3, take: () => no };
      const entry: Entry = ["k", new Uint8Array(10 * no)];
      const { root } = source.build(
        applyOps(source, undefined, [entry], { ids, pageBytes: PAGE_BYTES, keepTombstones: false }),
      );
      return source.page(root!.id);
    });
    const use = fc.tuple(fc.constantFrom("get", "put", "delete"), fc.nat(11));
    const property = fc.property(fc.array(use, { maxLength: 200, size: "max" }), (uses) => {
      const cache = new PageCache(400);
      let model: number[] = [];
      for (const [what, no] of uses) {
        const held = model.includes(no);
        if (what === "put" || (what === "get" && held)) model = [...model.filter((other) => other !== no), no];
        if (what === "delete") model = model.filter((other) => other !== no);
        if (what === "put") cache.put(all[no]!);
        else if (what === "delete") cache.delete(all[no]!.id);
        else assert.equal(cache.get(all[no]!.id) !== undefined, held);
        const bytes = () => model.reduce((sum, other) => sum + all[other]!.bytes.length, 0);
        while (bytes() > 400) model.shift();
        assert.deepEqual([cache.count, cache.bytes], [model.length, bytes()]);
      }
    });
    check(t, property, 200);
  });
});
