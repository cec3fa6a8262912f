/**
 * Compaction: the page file written anew, without what nobody needs. LMDB uses the space of collected pages again but never
 * gives it back. Works on a vault that nobody has open.
 *
 *     open, collect, close --> lock --> pages.mdb.new: pages and rows, verified --synced--> rename --> sync folder
 *
 * Invariants:
 * 1. The vault is the same before and after the rename; a crash at any step leaves it working. What is left of a compaction
 *    that was cut short is a file `pages.mdb.new`, which the next one removes.
 * 2. A page that fails its checksum ends the compaction with nothing changed: a copy would make the damage last.
 */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { VaultError } from "./errors.ts";
import { identify } from "./identity.ts";
import { VaultLock } from "./lock.ts";
import { systemFiles } from "./log-files.ts";
import { scanLog } from "./log-scan.ts";
import type { VaultOptions } from "./open.ts";
import { fillStore, openPageFile } from "./restore-pages.ts";
import { finishRows } from "./row-writer.ts";
import { GLOBAL_KEY, ROW_PREFIXES, decodeGlobal } from "./rows.ts";
import type { Row } from "./rows.ts";
import { SegmentFolder } from "./segment-folder.ts";
import { Slices } from "./slices.ts";
import type { PageStore } from "./store.ts";
import { Vault } from "./vault.ts";

/** How a compaction is asked for. */
export interface CompactOptions {
  /** The vault as it is opened otherwise. */
  readonly vault: VaultOptions;
  readonly onProgress?: (progress: { readonly pages: number; readonly pagesTotal: number }) => void;
  /** Ends it; the vault stays as it is. */
  readonly signal?: AbortSignal;
}

/** Bytes that the page file takes on the disk, and pages in it. */
export interface CompactReport {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly pagesBefore: number;
  readonly pages: number;
  readonly durationMs: number;
}

/** What LMDB keeps beside a page file for as long as somebody has it open. */
const LMDB_LOCK = "-lock";
/** Of `stat`, whatever the file system's own are. */
const BLOCK_BYTES = 512;
/** Attempts to find the vault closed properly. */
const ATTEMPTS_MAX = 3;

/**
 * Collects and compacts a closed vault. Rejects with VAULT_LOCKED (details.pid) when it is open somewhere, VAULT_PAGE_DAMAGED,
 * VAULT_COMMIT_FAILED when the disk has no room for the copy, and what `Vault.open` rejects with.
 *
 *     const { bytesBefore, bytesAfter } = await compactVault({ vault: { ...settings, path: "./data" } });
 */
export async function compactVault(options: CompactOptions): Promise<CompactReport> {
  const { path, clock } = options.vault;
  const startMs = clock.monotonicMs();
  const bytesBefore = await sizeOf(join(path, "pages.mdb"));
  let pagesBefore = 0;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    pagesBefore = Math.max(pagesBefore, await tidy(options));
    const pages = await locked(path, async () => rewrite(options));
    if (pages === undefined) continue; // somebody had it open in between, and did not close it
    const bytesAfter = await sizeOf(join(path, "pages.mdb"));
    return { bytesBefore, bytesAfter, pagesBefore, pages, durationMs: clock.monotonicMs() - startMs };
  }
  throw new VaultError("VAULT_LOCKED", `${path} is being opened by somebody else again and again`, {
    details: { path },
  });
}

/** Collects, and closes the vault with everything in pages. Returns how many pages there were. */
async function tidy({ vault: options, signal }: CompactOptions): Promise<number> {
  const vault = await Vault.open(options);
  try {
    signal?.throwIfAborted();
    const { pages } = vault.stats();
    await vault.maintenance.collect();
    return pages;
  } finally {
    await vault.close();
  }
}

async function locked<T>(path: string, job: () => Promise<T>): Promise<T> {
  const lock = VaultLock.acquire(path);
  try {
    return await job();
  } finally {
    lock.release();
  }
}

/** Returns how many pages were copied, or undefined when the log has entries that are not in pages. */
async function rewrite(options: CompactOptions): Promise<number | undefined> {
  const { path, clock, files = systemFiles, onStep: step = () => undefined } = options.vault;
  const [current, next] = [join(path, "pages.mdb"), join(path, "pages.mdb.new")];
  await remove(next);
  const store = await openPageFile(current, clock);
  let pages: number;
  try {
    await finishRows(store);
    const rows = ROW_PREFIXES.flatMap((prefix) => store.rangeMeta(prefix));
    if (!(await isAllInPages(options.vault, rows))) return undefined;
    await requireRoom(options.vault, store.stats().fileBytes);
    pages = await copyTo(next, { store, rows, options });
  } catch (error) {
    await remove(next);
    throw error;
  } finally {
    await store.close();
  }
  step("compact.rename");
  await files.rename(next, current);
  await files.syncFolder(path);
  step("compact.rename.done");
  await remove(`${next}${LMDB_LOCK}`);
  return pages;
}

interface Copying {
  readonly store: PageStore;
  readonly rows: readonly Row[];
  readonly options: CompactOptions;
}

async function copyTo(path: string, { store, rows, options }: Copying): Promise<number> {
  const { onProgress, signal, vault } = options;
  const target = await openPageFile(path, vault.clock);
  try {
    const slices = new Slices(signal === undefined ? {} : { signal });
    const tell = (pages: number, pagesTotal: number) => onProgress?.({ pages, pagesTotal });
    return await fillStore(target, { rows, source: store, slices, onProgress: tell });
  } finally {
    await target.close();
  }
}

/** An entry of the log that is not in pages may need pages that no row names. */
async function isAllInPages(
  { path, files = systemFiles, segmentBytes }: VaultOptions,
  rows: readonly Row[],
): Promise<boolean> {
  const uuid = await identify(path);
  const folder = await SegmentFolder.open({ path: join(path, "log"), files, uuid, segmentBytes });
  const global = rows.find(([key]) => Buffer.compare(key, GLOBAL_KEY) === 0);
  if (global === undefined) return folder.segments.length === 0;
  let entries = 0;
  await scanLog(folder, decodeGlobal(global).place, () => void entries++);
  return entries === 0;
}

async function requireRoom({ path, files = systemFiles }: VaultOptions, needed: number): Promise<void> {
  const free = await files.freeBytes(path);
  if (free >= needed) return;
  const message = `the disk has ${free} bytes left where a second page file needs up to ${needed}; nothing was changed`;
  throw new VaultError("VAULT_COMMIT_FAILED", message, { details: { code: "ENOSPC", free, needed } });
}

/** What the file takes on the disk: LMDB's file has room ahead that costs nothing until it is used. */
async function sizeOf(path: string): Promise<number> {
  const file = await stat(path).catch(() => undefined); // a vault that is about to be made has none
  return file === undefined ? 0 : Math.min(file.size, file.blocks * BLOCK_BYTES);
}

async function remove(path: string): Promise<void> {
  for (const each of [path, `${path}${LMDB_LOCK}`]) await rm(each, { force: true });
}
