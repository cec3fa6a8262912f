/**
 * Filling a new page file: pages from wherever they are, then the rows that name them. Restoring and compacting both end
 * here.
 *
 * Invariants:
 * 1. Only what the rows reach is copied, and every page is verified on its way.
 * 2. The rows come last, in one transaction: a file that was not filled to the end is an empty page store.
 */
import { PageSet } from "./page-set.ts";
import { rootsOfRow } from "./backup.ts";
import type { Clock } from "./clock.ts";
import type { PageId } from "./page.ts";
import { treesOf } from "./roots.ts";
import type { Row } from "./rows.ts";
import type { Slices } from "./slices.ts";
import { PageStore } from "./store.ts";
import { pagesOfTree } from "./tree.ts";
import type { PageSource } from "./tree.ts";

const TRANSACTION_BYTES_MAX: number = 4 * 1024 * 1024;
/** Every page is read about once. */
const CACHE_BYTES: number = 16 * 1024 * 1024;
/** Address space for the page file; costs nothing until it is used. */
const MAP_BYTES: number = 64 * 1024 ** 3;
/** Nobody waits for these transactions but whoever restores: a slow disk is no reason to give up. */
const COMMIT_LIMIT_MS = 120_000;

/** Opens a page file for a job that nobody else shares it with. */
export async function openPageFile(path: string, clock: Clock): Promise<PageStore> {
  const limits = { cacheBytes: CACHE_BYTES, mapBytes: MAP_BYTES, commitLimitMs: COMMIT_LIMIT_MS };
  return PageStore.open({ path, clock, ...limits });
}

/** Where the content comes from, and who is told how far it is. */
export interface FillOptions {
  readonly rows: readonly Row[];
  readonly source: PageSource;
  readonly slices: Slices;
  readonly onProgress?: ((pages: number, pagesTotal: number) => void) | undefined;
}

/** Fills an empty page store; returns how many pages it took. Throws VAULT_PAGE_DAMAGED, VAULT_STORE_FAILED. */
export async function fillStore(store: PageStore, options: FillOptions): Promise<number> {
  const needed = await reachedPages(options);
  let batch: (readonly [PageId, Buffer])[] = [];
  let bytes = 0;
  let done = 0;
  const flush = async (): Promise<void> => {
    const pages = batch;
    batch = [];
    bytes = 0;
    await store.transaction((draft) => {
      for (const [id, page] of pages) draft.putPage(id, page);
    });
    done += pages.length;
    options.onProgress?.(done, needed.count);
  };
  for (const id of needed.ids()) {
    // A copy: the store stamps what it is given, and a page that was handed out is nobody's to change.
    const page = Buffer.from(options.source.page(id).bytes);
    batch.push([id, page]);
    bytes += page.length;
    if (bytes >= TRANSACTION_BYTES_MAX) await flush();
    await options.slices.pause();
  }
  await flush();
  await store.transaction((draft) => {
    for (const [key, value] of options.rows) draft.putMeta(key, value);
  });
  return needed.count;
}

async function reachedPages({ rows, source, slices }: FillOptions): Promise<PageSet> {
  const seen = new PageSet();
  for (const row of rows) {
    for (const tree of rootsOfRow(row).flatMap(treesOf)) {
      for (const _ of pagesOfTree(source, tree, (id) => !seen.add(id))) await slices.pause();
    }
  }
  return seen;
}
