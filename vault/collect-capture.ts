/**
 * What a collection may not touch: every state that anybody can still ask for, and every page that is newer.
 *
 *     one turn:   branches, readers' holds, page counters, a barrier in the log
 *     in slices:  what those branches reach, and what the rows of the store say (a crash goes back to them)
 *
 * Invariants:
 * 1. No checkpoint runs meanwhile, so nothing that is captured leaves a branch but by being undone, and rows stay as they are.
 * 2. What becomes reachable later is made of what was captured, or of pages whose numbers come after `nextPages`.
 * 3. Nothing may be deleted before `settled` resolves. It rejects when a commit up to the capture was undone, such as the
 *    drop of a branch that is missing here. Afterwards no crash goes back to before the capture, and no commit up to it
 *    can be undone any more.
 */
import type { BranchState } from "./branch-state.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import { skipStoredPages } from "./page-numbers.ts";
import type { PageId } from "./page.ts";
import type { Roots } from "./roots.ts";
import { BRANCH_PREFIX, LANDMARK_PREFIX, decodeBranch, decodeLandmark } from "./rows.ts";
import type { Row } from "./rows.ts";
import type { Slices } from "./slices.ts";

/** Rows read at once. */
const ROWS_AT_ONCE = 128;

/** See the header. */
export interface CollectCapture {
  readonly roots: readonly Roots[];
  readonly settled: Promise<void>;
  /** Whether a page was there already, so that it is garbage when no root reaches it. */
  readonly isOld: (id: PageId) => boolean;
  /** Arenas with a page counter whose branch is gone for good: they never take pages again. */
  readonly deadArenas: readonly number[];
}

/** To be run while no checkpoint runs. Rejects with VAULT_PAGES_DAMAGED, or the reason of the slices' signal. */
export async function captureForCollect(on: MaintenanceContext, slices: Slices): Promise<CollectCapture> {
  const { state, holds } = on.context;
  const { folder, log } = on.parts.checkpoint;
  // From here to `settled` in one turn.
  const branches = [...state.branches.values()];
  const living = new Set<number>(state.branches.keys());
  const { nextBranch } = state;
  const nextPages = new Map(folder.nextPages);
  const roots = [...holds.roots()];
  const settled = log.barrier(log.lastSeq);
  settled.catch(() => undefined); // whoever deletes awaits it; until then it is nobody's

  const isDead = (arena: number) => arena < nextBranch && !living.has(arena);
  for (const branch of branches) {
    for (const each of rootsOf(branch)) roots.push(each);
    await slices.pause();
  }
  for (const each of [
    { prefix: BRANCH_PREFIX, decode: (row: Row) => decodeBranch(row).roots },
    { prefix: LANDMARK_PREFIX, decode: (row: Row) => decodeLandmark(row).roots },
  ]) {
    await readRows(on, each, { roots, slices });
  }
  return {
    roots,
    settled,
    isOld: ({ arena, no }) => isDead(arena) || (arena < nextBranch && no < (nextPages.get(arena) ?? 0)),
    deadArenas: [...nextPages.keys()].filter(isDead),
  };
}

function* rootsOf({ top, landmarks }: BranchState): Generator<Roots, void> {
  yield* top.allRoots();
  for (const { layer } of landmarks) yield* layer.allRoots();
}

/**
 * Moves page counters behind the pages of a checkpoint that a crash cut off: the next one would write over some of them,
 * and nobody would ever take the others away. To be run once after opening, while no checkpoint runs.
 */
export async function skipRemains({ context, parts }: MaintenanceContext, slices: Slices): Promise<void> {
  await skipStoredPages(parts.checkpoint, context.state.branches.keys(), slices);
}

async function readRows(
  { parts }: MaintenanceContext,
  { prefix, decode }: { readonly prefix: Uint8Array; readonly decode: (row: Row) => Roots },
  { roots, slices }: { readonly roots: Roots[]; readonly slices: Slices },
): Promise<void> {
  let after: Uint8Array | undefined;
  do {
    const rows = parts.store.rangeMeta(prefix, { limit: ROWS_AT_ONCE, ...(after === undefined ? {} : { after }) });
    for (const row of rows) roots.push(decode(row));
    after = rows.at(-1)?.[0];
    await slices.pause();
  } while (after !== undefined);
}
