/**
 * The page cache: verified pages, the least recently used leaving first when the bytes exceed their bound.
 *
 * Invariants:
 * 1. Only pages whose checksum was verified are in here; they never change, so nothing has to be invalidated but deletes.
 * 2. The bytes of all cached pages never exceed the bound.
 */
import type { Page, PageId } from "./page.ts";

interface Slot {
  readonly page: Page;
  older: Slot | undefined;
  newer: Slot | undefined;
}

/** Pages by id, bounded by their bytes. */
export class PageCache {
  readonly #bytesMax: number;
  // Two maps, because arena and number together need 64 bits and a number in JavaScript has 53.
  readonly #arenas = new Map<number, Map<number, Slot>>();
  #oldest: Slot | undefined;
  #newest: Slot | undefined;
  #bytes = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The page, which thereby becomes the most recently used. */
  get(id: PageId): Page | undefined {
    const slot = this.#arenas.get(id.arena)?.get(id.no);
    if (slot === undefined) return undefined;
    if (slot !== this.#newest) {
      this.#unlink(slot);
      this.#link(slot);
    }
    return slot.page;
  }

  /** Keeps the page and lets the oldest go; a page larger than the whole bound is not kept. */
  put(page: Page): void {
    this.delete(page.id);
    if (page.bytes.length > this.#bytesMax) return;
    const slot: Slot = { page, older: undefined, newer: undefined };
    const arena = this.#arenas.get(page.id.arena) ?? new Map<number, Slot>();
    this.#arenas.set(page.id.arena, arena.set(page.id.no, slot));
    this.#link(slot);
    this.#bytes += page.bytes.length;
    this.#count++;
    while (this.#bytes > this.#bytesMax && this.#oldest !== undefined) this.delete(this.#oldest.page.id);
  }

  delete(id: PageId): void {
    const arena = this.#arenas.get(id.arena);
    const slot = arena?.get(id.no);
    if (arena === undefined || slot === undefined) return;
    arena.delete(id.no);
    if (arena.size === 0) this.#arenas.delete(id.arena);
    this.#unlink(slot);
    this.#bytes -= slot.page.bytes.length;
    this.#count--;
  }

  #link(slot: Slot): void {
    slot.older = this.#newest;
    slot.newer = undefined;
    if (this.#newest !== undefined) this.#newest.newer = slot;
    this.#newest = slot;
    this.#oldest ??= slot;
  }

  #unlink(slot: Slot): void {
    if (slot.older !== undefined) slot.older.newer = slot.newer;
    if (slot.newer !== undefined) slot.newer.older = slot.older;
    if (this.#oldest === slot) this.#oldest = slot.newer;
    if (this.#newest === slot) this.#newest = slot.older;
    slot.older = undefined;
    slot.newer = undefined;
  }
}
