/**
 * A set of page ids, one bit per number: a vault of 100 GB has seven million pages, and they fit into a megabyte.
 */
import type { PageId } from "./page.ts";

const WORD_BITS = 32;

/** See the header. */
export class PageSet {
  readonly #arenas = new Map<number, Uint32Array>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has({ arena, no }: PageId): boolean {
    const word = this.#arenas.get(arena)?.[Math.floor(no / WORD_BITS)] ?? 0;
    return (word & (1 << (no % WORD_BITS))) !== 0;
  }

  /** Adds an id; false when it was there already. */
  add(id: PageId): boolean {
    if (this.has(id)) return false;
    const { arena, no } = id;
    const at = Math.floor(no / WORD_BITS);
    const words = this.#room(arena, at);
    words[at] = (words[at] ?? 0) | (1 << (no % WORD_BITS));
    this.#count++;
    return true;
  }

  /** All ids, by arena and number. */
  *ids(): Generator<PageId, void> {
    for (const arena of [...this.#arenas.keys()].toSorted((a, b) => a - b)) {
      const words = this.#arenas.get(arena) ?? [];
      for (const [at, word] of words.entries()) {
        if (word === 0) continue;
        for (let bit = 0; bit < WORD_BITS; bit++) {
          if ((word & (1 << bit)) !== 0) yield { arena, no: at * WORD_BITS + bit };
        }
      }
    }
  }

  #room(arena: number, at: number): Uint32Array {
    const words = this.#arenas.get(arena) ?? new Uint32Array(1);
    if (at < words.length) {
      this.#arenas.set(arena, words);
      return words;
    }
    const grown = new Uint32Array(Math.max(at + 1, words.length * 2));
    grown.set(words);
    this.#arenas.set(arena, grown);
    return grown;
  }
}
