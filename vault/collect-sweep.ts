/**
 * The sweep: deletes what nobody reaches, a few pages per transaction. LMDB uses their space again.
 *
 * Invariants:
 * 1. Only pages that were there at the capture and that no captured state reaches are deleted.
 * 2. Each transaction stands alone: a crash between two of them leaves garbage, nothing else.
 */
import type { CollectCapture } from "./collect-capture.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import type { PageId } from "./page.ts";
import type { PageSet } from "./page-set.ts";
import { arenaKey } from "./rows.ts";
import type { Slices } from "./slices.ts";
import type { StoreDraft } from "./store-draft.ts";

/** Ids listed at once: about half a millisecond. */
const IDS_AT_ONCE = 512;
/** Changes of one transaction: LMDB is handed all of them in one turn, at some microseconds each. */
const DELETES_AT_ONCE = 500;
/** What LMDB may write for one of them: a few of its own pages. */
const ROOM_BYTES: number = 1 << 20;

/** What one sweep took away. */
export interface Swept {
  readonly pages: number;
  readonly bytes: number;
}

/** Rejects with VAULT_COMMIT_FAILED (disk full), VAULT_STORE_FAILED, or the reason of the slices' signal. */
export async function sweep(
  on: MaintenanceContext,
  { capture, live }: { readonly capture: CollectCapture; readonly live: PageSet },
  slices: Slices,
): Promise<Swept> {
  const { store } = on.parts;
  let pages = 0;
  let bytes = 0;
  let garbage: PageId[] = [];
  const flush = async () => {
    await change(on, garbage, (draft, id) => draft.deletePage(id));
    pages += garbage.length;
    garbage = [];
  };
  let from: PageId | undefined = { arena: 0, no: 0 };
  while (from !== undefined) {
    const ids: readonly PageId[] = store.pageIds({ from, limit: IDS_AT_ONCE });
    for (const id of ids) {
      if (live.has(id) || !capture.isOld(id)) continue;
      garbage.push(id);
      bytes += store.pageBytes(id);
      if (garbage.length >= DELETES_AT_ONCE) await flush();
      await slices.pause();
    }
    from = ids.length < IDS_AT_ONCE ? undefined : after(ids.at(-1));
    await slices.pause();
  }
  await flush();
  await forgetArenas(on, { capture, live }, slices);
  return { pages, bytes };
}

/** The counters of arenas that have neither a branch nor a page any more. */
async function forgetArenas(
  on: MaintenanceContext,
  { capture, live }: { readonly capture: CollectCapture; readonly live: PageSet },
  slices: Slices,
): Promise<void> {
  const empty = capture.deadArenas.filter((arena) => !live.hasArena(arena));
  for (let i = 0; i < empty.length; i += DELETES_AT_ONCE) {
    const arenas = empty.slice(i, i + DELETES_AT_ONCE);
    await change(on, arenas, (draft, arena) => draft.deleteMeta(arenaKey(arena)));
    on.parts.checkpoint.folder.forgetArenas(arenas);
    await slices.pause();
  }
}

async function change<T>(
  on: MaintenanceContext,
  what: readonly T[],
  each: (draft: StoreDraft, what: T) => void,
): Promise<void> {
  if (what.length === 0) return;
  await on.parts.checkpoint.folder.ensureRoom(ROOM_BYTES);
  on.step("collect.sweep");
  await on.parts.store.transaction((draft) => {
    for (const one of what) each(draft, one);
  });
  on.step("collect.sweep.done");
}

function after(id: PageId | undefined): PageId | undefined {
  if (id === undefined) return undefined;
  return id.no < 0xffff_ffff ? { arena: id.arena, no: id.no + 1 } : { arena: id.arena + 1, no: 0 };
}
