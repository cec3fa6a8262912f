/**
 * The draft of one transaction: what it will change, collected and checked before LMDB hears of it.
 *
 * Invariants:
 * 1. Every key appears once: LMDB allocates pages for each put, also for one that is overwritten in the same transaction.
 * 2. Nothing that is in here can make LMDB throw: lengths are checked, and a page's header is read before it is stamped.
 */
import assert from "node:assert/strict";
import { Page } from "./page.ts";
import type { PageChecksum, PageId } from "./page.ts";

/** What one transaction changes. Usable only inside the callback; the last call for a page or key wins. */
export interface StoreDraft {
  /** Stores a page. The store stamps the checksum into `bytes` and owns them from here on. */
  putPage(id: PageId, bytes: Buffer): void;
  /** Stores a page in place of the damaged one with its id. */
  replacePage(id: PageId, bytes: Buffer): void;
  /** Removes a page; harmless when it is not there. */
  deletePage(id: PageId): void;
  /** Sets a meta row. Keys have 1 to 512 bytes. */
  putMeta(key: Uint8Array, value: Uint8Array): void;
  deleteMeta(key: Uint8Array): void;
}

const META_KEY_BYTES_MAX = 512;

/** One row to be put or deleted. */
export interface Change {
  readonly table: "pages" | "meta";
  readonly key: Buffer;
  /** `undefined` deletes. */
  readonly value: Buffer | undefined;
  readonly page?: PageId;
  /** The page is there already, damaged. */
  readonly isReplaced?: boolean;
}

/** The draft of one transaction. Every key appears once: LMDB allocates pages for each put, also for overwritten ones. */
export class Changes implements StoreDraft {
  readonly #checksum: PageChecksum;
  readonly #rows = new Map<string, Change>();
  #isSealed = false;

  constructor(checksum: PageChecksum) {
    this.#checksum = checksum;
  }

  /** Rows that change. */
  get count(): number {
    return this.#rows.size;
  }

  /** Their bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const { key, value } of this.#rows.values()) bytes += key.length + (value?.length ?? 0);
    return bytes;
  }

  /** Lets `fn` make its changes, then closes the draft. */
  fill(fn: (draft: StoreDraft) => void): void {
    // `unknown`: TypeScript lets an async function pass for one that returns nothing.
    const result: unknown = fn(this);
    this.#isSealed = true;
    assert.equal(result, undefined, "the callback of a store transaction returns nothing: it cannot be asynchronous");
  }

  rows(): Iterable<Change> {
    return this.#rows.values();
  }

  /** Pages that a cache may hold in an older form. */
  stalePages(): readonly PageId[] {
    return [...this.#rows.values()].flatMap(({ page }) => page ?? []);
  }

  /** Keys of stored pages that this takes away or replaces, in order. */
  freedPages(): readonly Buffer[] {
    const freed = [...this.#rows.values()].filter(
      ({ value, isReplaced }) => value === undefined || isReplaced === true,
    );
    return freed.flatMap(({ table, key }) => (table === "pages" ? key : [])).toSorted((a, b) => Buffer.compare(a, b));
  }

  putPage(id: PageId, bytes: Buffer): void {
    this.#checksum.stamp(id, new Page(id, bytes).bytes);
    this.#set({ table: "pages", key: pageKey(id.arena, id.no, Buffer.alloc(8)), value: bytes, page: id });
  }

  replacePage(id: PageId, bytes: Buffer): void {
    this.#checksum.stamp(id, new Page(id, bytes).bytes);
    const key = pageKey(id.arena, id.no, Buffer.alloc(8));
    this.#set({ table: "pages", key, value: bytes, page: id, isReplaced: true });
  }

  deletePage(id: PageId): void {
    this.#set({ table: "pages", key: pageKey(id.arena, id.no, Buffer.alloc(8)), value: undefined, page: id });
  }

  putMeta(key: Uint8Array, value: Uint8Array): void {
    this.#set({ table: "meta", key: Buffer.from(key), value: Buffer.from(value) });
  }

  deleteMeta(key: Uint8Array): void {
    this.#set({ table: "meta", key: Buffer.from(key), value: undefined });
  }

  #set(change: Change): void {
    assert.ok(!this.#isSealed, "a store transaction changes nothing after its callback has returned");
    const { length } = change.key;
    assert.ok(
      length > 0 && length <= META_KEY_BYTES_MAX,
      `a meta key has 1 to ${META_KEY_BYTES_MAX} bytes, not ${length}`,
    );
    this.#rows.set(change.table + change.key.toString("latin1"), change);
  }
}

/** Big endian, so that an arena is one range of keys and its pages ascend. Writes into `key` and returns it. */
export function pageKey(arena: number, no: number, key: Buffer): Buffer {
  key.writeUInt32BE(arena, 0);
  key.writeUInt32BE(no, 4);
  return key;
}
