/** Pages in a Map: what trees are tested on when no disk is needed. Checksums are stamped and verified as in the store. */
import { loadPageChecksum, Page, pageDamaged } from "../../vault/page.ts";
import type { PageChecksum, PageId } from "../../vault/page.ts";
import type { ApplyOptions, BuiltTree } from "../../vault/tree-apply.ts";
import type { PageAllocator } from "../../vault/tree-blob.ts";
import type { PageSource, TreeRoot } from "../../vault/tree.ts";

/** A page source in memory, with a counter of loads and a way to harm what is stored. */
export class MemoryPages implements PageSource {
  readonly #checksum: PageChecksum;
  readonly #pages = new Map<string, Buffer>();
  #next = 1;
  /** Loads so far: how lazily something reads. */
  reads = 0;
  readonly ids: PageAllocator = { arena: 7, take: (count) => (this.#next += count) - count };

  private constructor(checksum: PageChecksum) {
    this.#checksum = checksum;
  }

  static async create(): Promise<MemoryPages> {
    return new MemoryPages(await loadPageChecksum());
  }

  get count(): number {
    return this.#pages.size;
  }

  page(id: PageId): Page {
    this.reads++;
    const bytes = this.#pages.get(nameOf(id));
    if (bytes === undefined) throw pageDamaged(id, "it is missing");
    if (!this.#checksum.matches(id, bytes)) throw pageDamaged(id, "its checksum differs");
    return new Page(id, bytes);
  }

  /** The stored bytes themselves, to be damaged by a test. */
  bytesOf(id: PageId): Buffer {
    return this.#pages.get(nameOf(id))!;
  }

  put(id: PageId, bytes: Buffer): void {
    this.#pages.set(nameOf(id), bytes);
  }

  /** Runs a build to its end, stores its pages and returns it. */
  build(steps: Generator<void, BuiltTree>): BuiltTree {
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    for (const [id, bytes] of step.value.pages) {
      this.#checksum.stamp(id, bytes);
      this.put(id, bytes);
    }
    return step.value;
  }

  /** Options for a build on these pages. */
  options(pageBytes: number, keepTombstones: boolean): ApplyOptions {
    return { ids: this.ids, pageBytes, keepTombstones };
  }
}

/** A page's id as text, for sets and messages. */
export function nameOf(id: PageId): string {
  return `${id.arena}/${id.no}`;
}

/** A root that must exist. */
export function rootOf(built: BuiltTree): TreeRoot {
  if (built.root === undefined) throw new Error("the tree is empty");
  return built.root;
}
