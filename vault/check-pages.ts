/**
 * Checking pages: every page that a set of roots reaches, read from the file and not from the cache, and compared with what
 * its parent says; long values with their sha256.
 *
 * Invariants:
 * 1. A page is visited once, however many trees share it.
 * 2. A bad page ends nothing but the way through it. `resume` goes on below it once it was mended.
 */
import { createHash } from "node:crypto";
import { VaultError } from "./errors.ts";
import { BLOB_SLICE_BYTES, PAGE_HEADER_BYTES, pageDamaged } from "./page.ts";
import type { BlobRef, Page, PageId, PageRef } from "./page.ts";
import { PageSet } from "./page-set.ts";
import type { Slices } from "./slices.ts";
import { ALL_KEYS } from "./tree-locate.ts";
import type { KeySpan } from "./tree-locate.ts";
import { verifyPage } from "./tree-verify.ts";
import { loadPage } from "./tree.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** A place in a tree that is still to be visited. */
export interface PagePlace {
  readonly ref: PageRef;
  readonly span: KeySpan;
  readonly root: TreeRoot;
}

/** A page that is not what it should be. */
export interface BadPage extends PagePlace {
  readonly id: PageId;
  readonly error: VaultError;
  /** The long value that it is part of; `ref` is then the leaf that refers to it. */
  readonly blob: BlobRef | undefined;
}

/** How a walk goes. */
export interface PageCheckOptions {
  /** Gives pages as they are on the disk. */
  readonly source: PageSource;
  readonly slices: Slices;
  /** Told now and then how many pages were visited so far. */
  readonly onPages: (done: number) => void;
}

/** One check of all pages. */
export class PageCheck {
  readonly #options: PageCheckOptions;
  readonly #bad: BadPage[] = [];
  /** Everything that was visited, bad pages included. */
  readonly visited: PageSet = new PageSet();
  #bytes = 0;

  constructor(options: PageCheckOptions) {
    this.#options = options;
  }

  /** Bytes of sound pages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes what was found bad since the last call. */
  takeBad(): readonly BadPage[] {
    return this.#bad.splice(0);
  }

  async walk(roots: Iterable<TreeRoot>): Promise<void> {
    for (const root of roots) await this.#walk([{ ref: root, span: ALL_KEYS, root }]);
  }

  /** Goes on below a page that was bad and is sound now. */
  async resume(place: PagePlace): Promise<void> {
    const page = this.#verified(place);
    if (page !== undefined) await this.#walk(await this.#below(place, page));
  }

  async #walk(ahead: PagePlace[]): Promise<void> {
    for (let place = ahead.pop(); place !== undefined; place = ahead.pop()) {
      if (!this.visited.add(place.ref.id)) continue;
      const page = this.#verified(place);
      if (page !== undefined) ahead.push(...(await this.#below(place, page)));
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const pause = this.#options.slices.pause();
    if (pause === undefined) return;
    this.#options.onPages(this.visited.count);
    await pause;
  }

  #verified(place: PagePlace): Page | undefined {
    return this.#sound(place, place.ref.id, undefined, () => {
      const page = loadPage(this.#options.source, place.ref);
      verifyPage(page, place.ref, place.span);
      return page;
    });
  }

  /** What `read` gives; undefined when it meets damage, which is put down. */
  #sound(place: PagePlace, id: PageId, blob: BlobRef | undefined, read: () => Page): Page | undefined {
    try {
      const page = read();
      this.#bytes += page.bytes.length;
      return page;
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "VAULT_PAGE_DAMAGED") throw error;
      this.#bad.push({ ...place, id, error, blob });
      return undefined;
    }
  }

  /** The children of an inner page, last first. The long values of a leaf are checked at once. */
  async #below(place: PagePlace, page: Page): Promise<PagePlace[]> {
    const { span, root } = place;
    const children: PagePlace[] = [];
    for (let i = page.count - 1; i >= 0; i--) {
      if (page.level === 0) {
        if (page.entryKind(i) === "blob") await this.#checkBlob({ ...place, span: keySpan(page, i) }, page.blob(i));
        continue;
      }
      const low = i === 0 ? span.low : page.key(i);
      const high = i + 1 < page.count ? page.key(i + 1) : span.high;
      children.push({ ref: page.child(i), span: { low, high }, root });
    }
    return children;
  }

  async #checkBlob(place: PagePlace, blob: BlobRef): Promise<void> {
    const digest = createHash("sha256");
    let isWhole = true;
    for (let i = 0; i < blob.count; i++) {
      const id = { arena: blob.first.arena, no: blob.first.no + i };
      // Shared with a leaf that was seen: the whole value was.
      if (!this.visited.add(id)) return;
      const page = this.#sound(place, id, blob, () => blobPage(this.#options.source, blob, i));
      if (page === undefined) isWhole = false;
      else digest.update(page.bytes.subarray(PAGE_HEADER_BYTES));
      await this.#pause();
    }
    if (!isWhole || Buffer.compare(digest.digest(), blob.sha256) === 0) return;
    const error = pageDamaged(blob.first, "the content hash of the long value that begins here differs");
    this.#bad.push({ ...place, id: blob.first, error, blob });
  }
}

/** Page `index` of a long value. Throws VAULT_PAGE_DAMAGED. */
export function blobPage(source: PageSource, blob: BlobRef, index: number): Page {
  const id = { arena: blob.first.arena, no: blob.first.no + index };
  const page = source.page(id);
  const expected = Math.min(BLOB_SLICE_BYTES, blob.length - index * BLOB_SLICE_BYTES);
  if (page.kind !== "blob" || page.bytes.length - PAGE_HEADER_BYTES !== expected)
    throw pageDamaged(id, "it is not the expected slice of a long value");
  return page;
}

function keySpan(page: Page, index: number): KeySpan {
  const low = page.key(index);
  return { low, high: Buffer.concat([low, Buffer.alloc(1)]) };
}
