/**
 * The pure parts of the vault's bench: what states hold, what pages take on disk, and the looking at the event loop.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keysOf } from "../../bench/vault/acks.ts";
import { longestGapMs } from "../../bench/vault/blocks.ts";
import { groupsOf, objectOf, rowAt, rowBytes, rowCountOf, rowsUpTo, scattered } from "../../bench/vault/content.ts";
import { diskBytesOf } from "../../bench/vault/stored-state.ts";

describe("the rows of a measured state", () => {
  const rows = [...rowsUpTo(2_000)];

  it("are the same each time, and others in another version", () => {
    assert.deepEqual(rowAt(77), rowAt(77));
    assert.equal(rowAt(77, 1).key, rowAt(77).key);
    assert.equal(rowAt(77, 1).value.length, rowAt(77).value.length);
    assert.notDeepEqual(rowAt(77, 1).value, rowAt(77).value);
    assert.notDeepEqual(rowAt(77, 1).value, rowAt(77, 2).value);
  });
  it("come in the order of their keys, each once", () => {
    const keys = rows.map(({ key }) => key);
    assert.deepEqual(keys, [...new Set(keys)].toSorted());
  });
  it("have values of 100 to 1,000 bytes, of all lengths", () => {
    const lengths = rows.map(({ value }) => value.length);
    assert.ok(Math.min(...lengths) >= 100 && Math.min(...lengths) < 110);
    assert.ok(Math.max(...lengths) <= 1_000 && Math.max(...lengths) > 990);
  });
  it("have as many bytes as were asked for, to the row", () => {
    const count = rowCountOf(1_000_000);
    const bytes = [...rowsUpTo(count)].reduce((sum, row) => sum + rowBytes(row), 0);
    assert.ok(bytes >= 1_000_000 && bytes < 1_000_000 + 1_100, `${bytes} bytes`);
  });
  it("as an object have the same content", () => {
    const object = objectOf(20);
    for (const { key, value } of rowsUpTo(20)) assert.deepEqual(Buffer.from(object[key] ?? "", "latin1"), value);
    assert.equal(Object.keys(object).length, 20);
  });
});

describe("scattered changes", () => {
  it("hit one row in every step, each once", () => {
    const indexes = scattered(10_000, 100, 3);
    assert.deepEqual(
      indexes.map((index) => Math.floor(index / 100)),
      Array.from({ length: 100 }, (_, group) => group),
    );
  });
  it("hit other rows for another seed", () =>
    assert.notDeepEqual(scattered(10_000, 100, 1), scattered(10_000, 100, 2)));
});

describe("groups", () => {
  it("hold everything in order, the last what is left", () => {
    assert.deepEqual([...groupsOf([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
    assert.deepEqual([...groupsOf([1, 2], 2)], [[1, 2]]);
    assert.deepEqual([...groupsOf([], 2)], []);
  });
});

describe("the keys of the writers", () => {
  for (const writers of [1, 10, 100, 1_000]) {
    it(`of ${writers} are 100,000 different ones`, () => {
      const keys = keysOf(writers);
      assert.equal(keys.length, writers);
      assert.equal(new Set(keys.flat()).size, 100_000);
    });
  }
});

describe("what a page takes on disk", () => {
  for (const [bytes, expected] of [
    [16_360, 16_384],
    [65_512, 65_536],
    [16_361, 20_480],
    [4_072, 4_096],
  ] as const) {
    it(`is ${expected} bytes and its node for ${bytes}`, () => assert.equal(diskBytesOf(bytes), expected + 16));
  }
  it("is little more than itself for one that shares LMDB's page", () => assert.equal(diskBytesOf(500), 516));
});

describe("the longest gap", () => {
  it("is found, wherever in the work it lies", async () => {
    for (const before of [0, 3]) {
      const gap = await longestGapMs(async () => {
        for (let turn = 0; turn < before; turn++) await new Promise((resolve) => setImmediate(resolve));
        spin(40);
        await new Promise((resolve) => setImmediate(resolve));
      });
      assert.ok(gap >= 40, `${gap} ms`);
    }
  });
  it("at the very end of the work counts too", async () => {
    assert.ok((await longestGapMs(async () => spin(40))) >= 40);
  });
});

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
