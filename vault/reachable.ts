/**
 * Reachability: the pages that a set of states needs, found by walking all their trees.
 *
 * Invariants:
 * 1. Every page is visited once, however many states share it: what was seen is not walked again.
 * 2. A damaged page does not end the walk. It is named, and what only it leads to is not found: whoever deletes by this
 *    list must look at `damaged` first.
 */
import { VaultError } from "./errors.ts";
import type { Page, PageId, PageRef } from "./page.ts";
import { PageSet } from "./page-set.ts";
import { treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import type { Slices } from "./slices.ts";
import { loadPage } from "./tree.ts";
import type { PageSource } from "./tree.ts";
import { skipBlob } from "./tree-blob.ts";

/** What was found. */
export interface Reachable {
  /** Damaged ones included. */
  readonly pages: PageSet;
  /** Pages that could not be read, so that it is not known what lies below them. */
  readonly damaged: readonly PageId[];
}

/**
 * Walks all trees of `states`. Reads inner pages, and leaves that may refer to long values; so a leaf that is damaged is
 * found only if it is one of those. Rejects with the reason of the slices' signal.
 */
export async function reachablePages(source: PageSource, states: Iterable<Roots>, slices: Slices): Promise<Reachable> {
  const pages = new PageSet();
  const damaged: PageId[] = [];
  for (const roots of states) {
    const ahead: PageRef[] = [...treesOf(roots)];
    for (let ref = ahead.pop(); ref !== undefined; ref = ahead.pop()) {
      if (pages.add(ref.id) && !(ref.level === 0 && ref.hasNoBlobs)) {
        const page = pageOf(source, ref);
        if (page === undefined) damaged.push(ref.id);
        else if (ref.level === 0) addBlobs(pages, page);
        else for (let i = page.count - 1; i >= 0; i--) ahead.push(page.child(i));
      }
      const pause = slices.pause();
      if (pause !== undefined) await pause;
    }
  }
  return { pages, damaged };
}

/** The page, or undefined when it is damaged. */
function pageOf(source: PageSource, ref: PageRef): Page | undefined {
  try {
    return loadPage(source, ref);
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED") return undefined;
    throw error;
  }
}

function addBlobs(pages: PageSet, leaf: Page): void {
  for (let i = 0; i < leaf.count; i++) {
    if (leaf.entryKind(i) !== "blob") continue;
    for (const id of skipBlob(leaf.blob(i), () => false)) pages.add(id);
  }
}
