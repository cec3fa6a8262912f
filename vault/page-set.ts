/**
 * A set of page ids, one bit per number: a hundred gigabytes of pages fit into a megabyte. Numbers of an arena grow for as
 * long as its branch lives while few of its pages do, so bits are kept in blocks, and only where there are any.
 */
import type { PageId } from "./page.ts";

/** 1,024 numbers, 128 bytes: most arenas are forks with a handful of pages. */
const BLOCK_BITS = 1024;
const WORD_BITS = 32;

/** See the header. */
export class PageSet {
  readonly #arenas = new Map<number, Map<number, Uint32Array>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has({ arena, no }: PageId): boolean {
    const block = this.#arenas.get(arena)?.get(Math.floor(no / BLOCK_BITS));
    return block !== undefined && (block[wordOf(no)]! & (1 << (no % WORD_BITS))) !== 0;
  }

  /** Whether any page of the arena is in here. */
  hasArena(arena: number): boolean {
    return this.#arenas.has(arena);
  }

  /** Adds an id; false when it was there already. */
  add(id: PageId): boolean {
    if (this.has(id)) return false;
    const block = this.#block(id);
    block[wordOf(id.no)]! |= 1 << (id.no % WORD_BITS);
    this.#count++;
    return true;
  }

  /** All ids, by arena and number. */
  *ids(): Generator<PageId, void> {
    for (const [arena, blocks] of byNumber(this.#arenas)) {
      for (const [index, block] of byNumber(blocks)) {
        for (let no = index * BLOCK_BITS; no < (index + 1) * BLOCK_BITS; no++) {
          if ((block[wordOf(no)]! & (1 << (no % WORD_BITS))) !== 0) yield { arena, no };
        }
      }
    }
  }

  #block({ arena, no }: PageId): Uint32Array {
    const blocks = this.#arenas.get(arena) ?? new Map<number, Uint32Array>();
    this.#arenas.set(arena, blocks);
    const index = Math.floor(no / BLOCK_BITS);
    const block = blocks.get(index) ?? new Uint32Array(BLOCK_BITS / WORD_BITS);
    blocks.set(index, block);
    return block;
  }
}

function wordOf(no: number): number {
  return Math.floor((no % BLOCK_BITS) / WORD_BITS);
}

function byNumber<T>(map: ReadonlyMap<number, T>): (readonly [number, T])[] {
  return [...map].toSorted(([a], [b]) => a - b);
}
