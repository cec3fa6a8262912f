/**
 * The probe: looks at a page file with plain reads before LMDB maps it, and refuses one that would lead LMDB astray. Why
 * it is no child process that lets LMDB try: docs/adr/0011-the-probe-reads-for-itself.md.
 *
 *     pages.mdb --pread--> newest meta page --> length --> all trees, free list --> LMDB may open it
 *
 * Invariants:
 * 1. The snapshot that is looked at is the one that LMDB will take: see `chooseMeta`.
 * 2. Nothing is written but what the file says elsewhere as well: see store-raw.ts.
 */
import { VaultError } from "./errors.ts";
import type { Slices } from "./slices.ts";
import { StoreFault } from "./store-layout.ts";
import { RawStore } from "./store-raw.ts";
import { walkStore } from "./store-walk.ts";
import type { StoreWalk } from "./store-walk.ts";

/**
 * Checks the whole structure of the page file. `undefined` when there is none yet. Throws VAULT_PAGES_DAMAGED (`details`
 * path, page and reason).
 */
export function probeStore(path: string): StoreWalk | undefined {
  const raw = RawStore.open(path);
  if (raw === undefined) return undefined;
  try {
    const found = raw.drive(walkStore(raw.meta()));
    raw.mendMeta();
    raw.mend(found.toMend);
    return found;
  } catch (error) {
    if (error instanceof StoreFault) throw structureDamaged(path, error);
    throw error;
  } finally {
    raw.close();
  }
}

/** The same walk over a file that LMDB has open and at rest, in slices. Mends nothing. Rejects with VAULT_PAGES_DAMAGED. */
export async function walkInSlices(path: string, slices: Slices): Promise<StoreWalk | undefined> {
  const raw = RawStore.open(path);
  if (raw === undefined) return undefined;
  try {
    return await slices.drive(raw.steps(walkStore(raw.meta())));
  } catch (error) {
    if (error instanceof StoreFault) throw structureDamaged(path, error);
    throw error;
  } finally {
    raw.close();
  }
}

/** The refusal of a page file whose structure is damaged: VAULT_PAGES_DAMAGED. */
function structureDamaged(path: string, fault: StoreFault): VaultError {
  const message =
    `the structure of the page file ${path} is damaged (${fault.message}); restore the vault from a ` +
    `backup, or, if its log still begins with entry 1, move the page file away and let the log rebuild it`;
  const details = { path, page: fault.page, reason: fault.message };
  return new VaultError("VAULT_PAGES_DAMAGED", message, { details, cause: fault });
}
