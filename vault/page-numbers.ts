/**
 * Page numbers after a crash. A checkpoint writes its pages before the rows that say how far it has counted, so a crash in
 * between leaves pages whose numbers the next checkpoint would give out again.
 *
 * Mostly nobody knows those pages. But a fork or a restore in the log may name some of them: its state was one that the
 * checkpoint had just turned into pages. Then writing over them would change what the fork holds.
 */
import type { Folder } from "./fold.ts";
import type { Slices } from "./slices.ts";
import type { PageStore } from "./store.ts";

const NUMBERS_AT_ONCE = 1000;

/** Moves the counters of these arenas behind all pages that are stored in them. To be run while no checkpoint runs. */
export async function skipStoredPages(
  { store, folder }: { readonly store: PageStore; readonly folder: Folder },
  arenas: Iterable<number>,
  slices: Slices,
): Promise<void> {
  for (const arena of arenas) {
    for (let isMore = true; isMore;) {
      const first = folder.nextPages.get(arena) ?? 1;
      const last = store.pageNumbers(arena, { first, limit: NUMBERS_AT_ONCE }).at(-1);
      if (last !== undefined) folder.skipPages(arena, last + 1);
      isMore = last !== undefined;
      await slices.pause();
    }
  }
}
