/**
 * Mending one page: copies and reconstructions are tried until one is, byte for byte, what the page's parent promises.
 *
 *     cache, backup ---------------------> is its content hash the one that the parent holds?
 *     older state, log --> leaf, value --'        yes: it can be written under the same id, for all who share it
 *                                                 no:  nothing is written
 *
 * Invariant: nothing is written that was not verified by content hash. An inner page and a leaf by the hash its parent holds, a
 * slice of a long value by the sha256 of the whole value.
 */
import { createHash } from "node:crypto";
import type { BadPage } from "./check-pages.ts";
import { blobPage } from "./check-pages.ts";
import { VaultError } from "./errors.ts";
import { Page, PAGE_HEADER_BYTES } from "./page.ts";
import type { PageId } from "./page.ts";
import type { PageSource } from "./tree.ts";
import { isContentOf } from "./tree-verify.ts";

/** Where a sound copy came from. */
export type RepairSource = "memory" | "backup" | "log" | "snapshot";

/** What can be asked for copies. */
export interface RepairSources {
  /** Pages as they are on the disk. */
  readonly disk: PageSource;
  /** A verified copy in memory. */
  readonly cached: (id: PageId) => Page | undefined;
  readonly backup: PageSource | undefined;
  /** Rebuilds a leaf, or a slice of a long value: see repair-leaf.ts, repair-blob.ts. */
  readonly rebuild: (bad: BadPage) => Promise<SoundPage | undefined>;
}

/** A page that can be written. */
export interface SoundPage {
  readonly bytes: Buffer;
  readonly from: RepairSource;
}

/** A sound copy of a bad page; undefined when nobody has one. */
export async function soundCopy(bad: BadPage, sources: RepairSources): Promise<SoundPage | undefined> {
  const { cached, backup } = sources;
  const copies: readonly (readonly [RepairSource, (id: PageId) => Page | undefined])[] = [
    ["memory", cached],
    ["backup", (id) => (backup === undefined ? undefined : pageOf(backup, id))],
  ];
  for (const [from, read] of copies) {
    const copy = read(bad.id);
    if (copy !== undefined && isRight(bad, copy, sources)) return { bytes: Buffer.from(copy.bytes), from };
  }
  return bad.blob === undefined && bad.ref.level > 0 ? undefined : sources.rebuild(bad);
}

function isRight(bad: BadPage, copy: Page, { disk, cached, backup }: RepairSources): boolean {
  if (bad.blob === undefined) return isContentOf(copy, bad.ref);
  const { blob, id } = bad;
  const digest = createHash("sha256");
  for (let i = 0; i < blob.count; i++) {
    const no = blob.first.no + i;
    // Other slices of the same value may be damaged too: any sound copy of them will do for the comparison.
    const each = { arena: blob.first.arena, no };
    const slice =
      no === id.no
        ? copy
        : (sliceOf(disk, bad, i) ?? cached(each) ?? (backup === undefined ? undefined : sliceOf(backup, bad, i)));
    if (slice === undefined) return false;
    digest.update(slice.bytes.subarray(PAGE_HEADER_BYTES));
  }
  return Buffer.compare(digest.digest(), blob.sha256) === 0;
}

function sliceOf(source: PageSource, { blob }: BadPage, index: number): Page | undefined {
  return blob === undefined ? undefined : orNothing(() => blobPage(source, blob, index));
}

function pageOf(source: PageSource, id: PageId): Page | undefined {
  return orNothing(() => source.page(id));
}

function orNothing(read: () => Page): Page | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED") return undefined;
    throw error;
  }
}
