/**
 * Collection: takes away the pages that no state needs any more. No reference is counted while the vault works; what is
 * reachable is found by looking.
 *
 *     retention --> checkpoint --> capture --> mark --> log durable up to the capture --> sweep
 *      commits                    one turn     slices                                     short transactions
 *
 * Invariants:
 * 1. A page that any branch, landmark, reader or row of the store reaches is never deleted (collect-capture.ts says why
 *    looking once is enough).
 * 2. When a page cannot be read, what it leads to is not known: then nothing is deleted at all.
 * 3. Commits, reads and checkpoints go on meanwhile; a checkpoint waits for the capture only.
 * 4. Whatever moment a crash hits, the worst that is left is garbage for the next collection.
 */
import { captureForCollect, skipRemains } from "./collect-capture.ts";
import { applyRetention, touchPrunable } from "./collect-retention.ts";
import { sweep } from "./collect-sweep.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import type { PageId } from "./page.ts";
import { reachablePages } from "./reachable.ts";
import { Slices } from "./slices.ts";

/** What a collection did. */
export interface CollectReport {
  /** Pages and bytes that were taken away. */
  readonly pages: number;
  readonly bytes: number;
  /** Pages that are needed. */
  readonly livePages: number;
  /** Snapshots that retention no longer keeps, and branches that went with them. */
  readonly snapshots: number;
  readonly branches: number;
  /** Pages that could not be read: if there are any, no page was taken away. */
  readonly damaged: readonly PageId[];
  readonly durationMs: number;
}

/**
 * Runs one collection; one at a time. `isFirst`: since the vault was opened. Rejects with VAULT_CLOSED when the vault is closed meanwhile, with VAULT_COMMIT_FAILED
 * (disk full), VAULT_FAILED, VAULT_PAGES_DAMAGED.
 */
export async function collect(
  on: MaintenanceContext,
  { isFirst }: { readonly isFirst: boolean },
): Promise<CollectReport> {
  const { clock } = on.options;
  const startMs = clock.monotonicMs();
  on.closing.throwIfAborted();
  const slices = new Slices({ signal: on.closing });
  const retained = await applyRetention(on, slices);
  await touchPrunable(on.context, slices);
  await on.checkpoints.now();
  const capture = await on.checkpoints.exclusively(async () => {
    if (isFirst) await skipRemains(on, slices);
    on.step("collect.capture");
    return captureForCollect(on, slices);
  });
  on.step("collect.mark");
  const { pages: live, damaged } = await reachablePages(on.parts.store, capture.roots, slices);
  await capture.settled;
  on.step("collect.mark.done");
  const isWhole = damaged.length === 0;
  const swept = isWhole ? await sweep(on, { capture, live }, slices) : { pages: 0, bytes: 0 };
  return { ...retained, ...swept, livePages: live.count, damaged, durationMs: clock.monotonicMs() - startMs };
}
