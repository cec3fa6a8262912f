/**
 * The page store on a real file. Invariants: what a transaction resolved for is there after reopening, a transaction is
 * all or nothing, no damaged page is ever handed out, and every bad end of LMDB is an error with a code.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import type { Clock } from "../../vault/clock.ts";
import { buildPage, valueCell } from "../../vault/page-build.ts";
import type { PageId } from "../../vault/page.ts";
import { PageStore } from "../../vault/store.ts";
import type { PageStoreOptions } from "../../vault/store.ts";
import { applyOps, PAGE_BYTES } from "../../vault/tree-apply.ts";
import { getFromTree, pagesOfTree, rangeOfTree } from "../../vault/tree.ts";
import type { Entry, TreeRoot } from "../../vault/tree.ts";

/** A clock that stands still; armed timers fire when the test says so. */
class StillClock implements Clock {
  readonly #armed = new Set<() => void>();
  now(): number {
    return 0;
  }
  monotonicMs(): number {
    return 0;
  }
  after(_delayMs: number, fire: () => void): { cancel(): void } {
    this.#armed.add(fire);
    return { cancel: () => void this.#armed.delete(fire) };
  }
  fireAll(): void {
    for (const fire of this.#armed) fire();
  }
}

let folder: string;
let options: PageStoreOptions;
let clock: StillClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "planaria-store-"));
  clock = new StillClock();
  options = {
    path: join(folder, "pages.mdb"),
    clock,
    cacheBytes: 1 << 20,
    mapBytes: 2 ** 32,
    commitLimitMs: 5_000,
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

function leaf(name: string, value: Uint8Array): Buffer {
  return buildPage(0, [valueCell(Buffer.from(name), value)]);
}

const ID: PageId = { arena: 3, no: 9 };
const META = Buffer.from("G");

/** A store with a tree of some hundred pages, a long value among them. */
async function storeWithTree(): Promise<{ store: PageStore; root: TreeRoot; entries: Entry[] }> {
  const store = await PageStore.open(options);
  const entries = Array.from({ length: 4_000 }, (_, i): Entry => {
    const bytes = new Uint8Array(i === 1_000 ? 200_000 : 300 + (i % 200));
    return [`key${String(i).padStart(5, "0")}`, bytes.map((_byte, at) => (at * 31 + i) % 251)];
  });
  const ids = {
    arena: 1,
    take: (
      (next) => (count: number) =>
        (next += count) - count
    )(1),
  };
  const build = applyOps(store, undefined, entries, { ids, pageBytes: PAGE_BYTES, keepTombstones: false });
  let step = build.next();
  while (step.done !== true) step = build.next();
  const { root, pages } = step.value;
  await store.transaction((draft) => {
    for (const [id, bytes] of pages) draft.putPage(id, bytes);
  });
  return { store, root: root!, entries };
}

describe("page store", () => {
  test("pages and meta rows are there after reopening", async () => {
    const first = await PageStore.open(options);
    await first.transaction((draft) => {
      draft.putPage(ID, leaf("a", new Uint8Array([1])));
      draft.putMeta(META, new Uint8Array([1, 2, 3]));
      draft.putMeta(Buffer.from("B\x01"), new Uint8Array(0));
    });
    await first.close();
    await using store = await PageStore.open(options);
    assert.deepEqual([...store.page(ID).value(0)], [1]);
    assert.deepEqual([...store.readMeta(META)!], [1, 2, 3]);
    assert.equal(store.readMeta(Buffer.from("none")), undefined);
    assert.deepEqual(store.rangeMeta(Buffer.from("B")), [[Buffer.from("B\x01"), Buffer.alloc(0)]]);
    assert.equal(store.rangeMeta(Buffer.alloc(0)).length, 2);
    assert.equal(store.stats().pages, 1);
  });

  test("a tree written to the file reads back through a cache smaller than the tree", async () => {
    const { store, root, entries } = await storeWithTree();
    await store.close();
    await using again = await PageStore.open({ ...options, cacheBytes: 100_000 });
    assert.deepEqual([...rangeOfTree(again, root)], entries);
    assert.ok(again.stats().cachedBytes <= 100_000 && again.stats().cachedPages > 0);
    assert.equal(again.stats().pages, [...pagesOfTree(again, root)].length);
  });

  test("a transaction whose callback throws changes nothing", async () => {
    await using store = await PageStore.open(options);
    const failing = store.transaction((draft) => {
      draft.putMeta(META, new Uint8Array([1]));
      throw new RangeError("half way");
    });
    await assert.rejects(failing, { message: "half way" });
    assert.equal(store.readMeta(META), undefined);
  });

  test("an asynchronous callback, a late change and a key of a wrong length are refused as bugs", async () => {
    await using store = await PageStore.open(options);
    let late: (() => void) | undefined;
    const asynchronous = async (): Promise<void> => {};
    await assert.rejects(store.transaction(asynchronous), { code: "ERR_ASSERTION" });
    await store.transaction((draft) => {
      late = () => draft.putMeta(META, META);
    });
    assert.throws(() => late?.(), { code: "ERR_ASSERTION" });
    for (const length of [0, 513]) {
      await assert.rejects(
        store.transaction((draft) => draft.putMeta(Buffer.alloc(length), META)),
        { code: "ERR_ASSERTION" },
      );
    }
  });

  test("transactions run in the order of their calls and the last change of a key wins", async () => {
    await using store = await PageStore.open(options);
    const all = Array.from({ length: 20 }, async (_, i) =>
      store.transaction((draft) => {
        draft.putMeta(META, Buffer.from([0]));
        draft.putMeta(META, Buffer.from([i]));
      }),
    );
    await Promise.all(all);
    assert.deepEqual([...store.readMeta(META)!], [19]);
  });

  test("a deleted page is gone from the file, the cache and the arena's list", async () => {
    await using store = await PageStore.open(options);
    const ids = [1, 2, 3, 0xffff_ffff].map((no) => ({ arena: 0xffff_fffe, no }));
    await store.transaction((draft) => {
      for (const id of ids) draft.putPage(id, leaf("a", new Uint8Array([id.no & 255])));
      draft.putPage({ arena: 0xffff_ffff, no: 1 }, leaf("b", new Uint8Array(1)));
    });
    assert.deepEqual(store.pageNumbers(0xffff_fffe, { first: 0, limit: 100 }), [1, 2, 3, 0xffff_ffff]);
    store.page(ids[1]!);
    await store.transaction((draft) => {
      draft.deletePage(ids[1]!);
      draft.deletePage({ arena: 5, no: 5 });
    });
    assert.throws(() => store.page(ids[1]!), {
      code: "VAULT_PAGE_DAMAGED",
      details: { ...ids[1], reason: "it is missing" },
    });
    assert.deepEqual(store.pageNumbers(0xffff_fffe, { first: 2, limit: 1 }), [3]);
    const through = store.pageIds({ from: ids[2]!, limit: 9 });
    assert.deepEqual(through, [...ids.slice(2), { arena: 0xffff_ffff, no: 1 }], "ids go on in the next arena");
    assert.equal(store.pageBytes(ids[1]!), 0);
    assert.equal(store.pageBytes(ids[2]!), leaf("a", new Uint8Array(1)).length);
  });

  test("rows are listed whole or a few at a time", async () => {
    await using store = await PageStore.open(options);
    const keys = ["A", "B1", "B2", "B3", "C", "D\xff\xff", "D\xff\xff1", "E"].map((key) => Buffer.from(key, "latin1"));
    await store.transaction((draft) => {
      for (const key of keys) draft.putMeta(key, key);
    });
    const listed = (rows: ReturnType<PageStore["rangeMeta"]>) => rows.map(([key]) => Buffer.from(key).toString());
    const prefix = Buffer.from("B");
    assert.deepEqual(listed(store.rangeMeta(prefix)), ["B1", "B2", "B3"]);
    assert.deepEqual(listed(store.rangeMeta(prefix, { limit: 2 })), ["B1", "B2"]);
    assert.deepEqual(listed(store.rangeMeta(prefix, { after: keys[2]!, limit: 2 })), ["B3"]);
    assert.deepEqual(listed(store.rangeMeta(prefix, { after: keys[3]! })), []);
    assert.equal(store.rangeMeta(keys[5]!).length, 2, "a prefix that ends with the highest byte");
  });

  test("closing waits for a running transaction, and afterwards everything is refused with VAULT_CLOSED", async () => {
    const store = await PageStore.open(options);
    const running = store.transaction((draft) => draft.putMeta(META, META));
    await store.close();
    await store.close();
    await running;
    assert.throws(() => store.page(ID), { code: "VAULT_CLOSED" });
    assert.throws(() => store.readMeta(META), { code: "VAULT_CLOSED" });
    await assert.rejects(
      store.transaction(() => {}),
      { code: "VAULT_CLOSED" },
    );
    await using again = await PageStore.open(options);
    assert.deepEqual(again.readMeta(META), META);
  });
});

describe("page store on a bad day", () => {
  test("a full disk fails the store with VAULT_STORE_FAILED, and what was committed before is there afterwards", async (t) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status !== 0) {
      t.skip("needs the right to mount a tmpfs");
      return;
    }
    try {
      const path = join(disk, "pages.mdb");
      const store = await PageStore.open({ ...options, path });
      await store.transaction((draft) => draft.putMeta(META, new Uint8Array([1])));
      const tooMuch = store.transaction((draft) => {
        draft.putMeta(META, new Uint8Array([2]));
        for (let no = 0; no < 200; no++) draft.putPage({ arena: 1, no }, leaf("a", new Uint8Array(16_000)));
      });
      await assert.rejects(tooMuch, (error: Error & { code: string }) => {
        assert.equal(error.code, "VAULT_STORE_FAILED");
        assert.match(String(error.cause), /No space left|Input\/output error/);
        return true;
      });
      const next = store.transaction((draft) => draft.putMeta(META, new Uint8Array([3])));
      await assert.rejects(next, { code: "VAULT_STORE_FAILED" });
      assert.deepEqual([...store.readMeta(META)!], [1]);
      await store.close();
      copyFileSync(path, options.path);
      await using again = await PageStore.open(options);
      assert.deepEqual([...again.readMeta(META)!], [1]);
      assert.deepEqual(again.pageNumbers(1, { first: 0, limit: 10 }), []);
    } finally {
      spawnSync("umount", ["--lazy", disk]);
    }
  });

  test("a file that may not grow fails the store with VAULT_STORE_FAILED", async () => {
    const store = await PageStore.open(options);
    rmSync(options.path);
    const tooMuch = store.transaction((draft) => {
      for (let no = 0; no < 200; no++) draft.putPage({ arena: 1, no }, leaf("a", new Uint8Array(16_000)));
    });
    await assert.rejects(tooMuch, { code: "VAULT_STORE_FAILED" });
  });

  test("a store that outgrows its memory map goes on", async () => {
    await using store = await PageStore.open({ ...options, mapBytes: 1 << 20 });
    const value = new Uint8Array(16_000).fill(7);
    await store.transaction((draft) => {
      for (let no = 0; no < 200; no++) draft.putPage({ arena: 1, no }, leaf("a", value));
    });
    assert.deepEqual(new Uint8Array(store.page({ arena: 1, no: 199 }).value(0)), value);
  });

  test("a commit that LMDB does not answer in time fails the store instead of hanging", async () => {
    const store = await PageStore.open(options);
    const silent = store.transaction((draft) => draft.putMeta(META, META));
    // The commit is asked for within a few microtasks, and not answered before the next turn.
    for (let i = 0; i < 8; i++) await Promise.resolve();
    clock.fireAll();
    await assert.rejects(silent, { code: "VAULT_STORE_FAILED" });
    await assert.rejects(
      store.transaction((draft) => draft.putMeta(META, META)),
      { code: "VAULT_STORE_FAILED" },
    );
    await store.close();
  });

  test("a truncated file is refused before it is mapped", async () => {
    const { store } = await storeWithTree();
    const { fileBytes } = store.stats();
    await store.close();
    for (const bytes of [fileBytes - 1, fileBytes - 4_096, 8_192, 5_000, 4_096, 100]) {
      truncateSync(options.path, bytes);
      await assert.rejects(PageStore.open(options), { code: "VAULT_PAGES_DAMAGED" });
    }
  });

  test("a file that is no page file is refused", async () => {
    writeFileSync(options.path, Buffer.alloc(20_000, "not a database "));
    await assert.rejects(PageStore.open(options), { code: "VAULT_PAGES_DAMAGED" });
  });

  test("a folder that does not exist is refused with the reason", async () => {
    writeFileSync(join(folder, "file"), "");
    const path = join(folder, "file", "pages.mdb");
    await assert.rejects(PageStore.open({ ...options, path }), (error: NodeJS.ErrnoException) => {
      assert.ok(error.code === "VAULT_STORE_FAILED" || error.code === "ENOTDIR");
      return true;
    });
  });

  test("the file is never shorter than its meta page says, so the check never refuses a good one", async (t) => {
    const store = await PageStore.open(options);
    const change = fc.record({
      no: fc.nat(900),
      size: fc.oneof(fc.integer({ min: 10, max: 300 }), fc.integer({ min: 10, max: 60_000 })),
      isDeleted: fc.boolean(),
    });
    const property = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 600, size: "max" }),
      async (changes) => {
        await store.transaction((draft) => {
          for (const { no, size, isDeleted } of changes) {
            if (isDeleted) draft.deletePage({ arena: 1, no });
            else draft.putPage({ arena: 1, no }, leaf("a", new Uint8Array(size)));
          }
        });
        assert.ok(statSync(options.path).size >= store.stats().fileBytes);
      },
    );
    await fc.assert(property, { numRuns: 60 });
    t.diagnostic(`${store.stats().pages} pages`);
    await store.close();
    await (await PageStore.open(options)).close();
  });
});

describe("damage to pages in the file", () => {
  /** Writes the tree, damages the file as told, and reopens it. `places` are the offsets of all pages in the file. */
  async function damaged(harm: (file: Buffer, places: readonly number[]) => void): Promise<number> {
    const { store, root, entries } = await storeWithTree();
    const pages = [...pagesOfTree(store, root)].map((id) => store.page(id).bytes);
    await store.close();
    const file = readFileSync(options.path);
    const places = pages.map((bytes) => file.indexOf(bytes)).filter((at) => at > 0);
    assert.equal(places.length, pages.length);
    harm(file, places);
    writeFileSync(options.path, file);
    await using again = await PageStore.open(options);
    return refusedReads(again, root, entries);
  }

  /** Reads every key: each answer is the right one or VAULT_PAGE_DAMAGED. Returns how many were refused. */
  function refusedReads(store: PageStore, root: TreeRoot, entries: readonly Entry[]): number {
    let refused = 0;
    for (const [key, value] of entries) {
      try {
        assert.deepEqual(getFromTree(store, root, key), value);
      } catch (error) {
        assert.ok(error instanceof Error && "code" in error && error.code === "VAULT_PAGE_DAMAGED", String(error));
        refused++;
      }
    }
    return refused;
  }

  test("a flipped bit in any page is refused", async () => {
    const refused = await damaged((file, places) => {
      for (const [i, at] of places.entries()) file[at + ((i * 97) % 40)]! ^= 1 << (i % 8);
    });
    assert.equal(refused, 4_000);
  });

  test("a zeroed block in one leaf costs that leaf's keys and no others", async () => {
    const refused = await damaged((file, places) => file.fill(0, places.at(-1)! + 4_096, places.at(-1)! + 8_192));
    assert.ok(refused > 10 && refused < 100, `${refused} keys were refused`);
  });

  test("a page written to another page's place is refused", async () => {
    const refused = await damaged((file, places) =>
      file.copyWithin(places.at(-1)!, places.at(-2)!, places.at(-2)! + 15_000),
    );
    assert.ok(refused > 10 && refused < 100, `${refused} keys were refused`);
  });
});
