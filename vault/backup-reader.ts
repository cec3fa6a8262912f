/**
 * Reading a backup: its rows, its pages by id, its files. Looks like a page store to whoever walks trees, so a tree can be
 * read, and a page be mended, straight from a backup.
 *
 * Invariants:
 * 1. A page leaves this room verified, as from the page store.
 * 2. Nothing here writes. An open reader goes on reading the generation it was opened for, also when a newer one has
 *    replaced it: its packs stay open.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { digestFile } from "./backup-file.ts";
import { MANIFEST_FILE, backupDamaged, readManifest } from "./backup-manifest.ts";
import type { BackupFile, BackupManifest } from "./backup-manifest.ts";
import { PackReader } from "./backup-pack.ts";
import { readRowsFile } from "./backup-rows.ts";
import { VaultError } from "./errors.ts";
import { assertWellFormed } from "./page-shape.ts";
import { Page, loadPageChecksum, pageDamaged } from "./page.ts";
import type { PageChecksum, PageId } from "./page.ts";
import type { Row } from "./rows.ts";
import type { PageSource } from "./tree.ts";

/** See the header. Close it, or `using` it. */
export class BackupReader implements PageSource, Disposable {
  readonly path: string;
  readonly manifest: BackupManifest;
  readonly #checksum: PageChecksum;
  readonly #packs: readonly PackReader[];
  readonly #rows: readonly Row[];

  private constructor(path: string, { manifest, checksum, packs, rows }: Parts) {
    this.path = path;
    this.manifest = manifest;
    this.#checksum = checksum;
    this.#packs = packs;
    this.#rows = rows;
  }

  /** Throws VAULT_BACKUP_DAMAGED (details.path) when there is no finished backup, VAULT_FORMAT_UNKNOWN. */
  static async open(path: string): Promise<BackupReader> {
    const manifest = await readManifest(path);
    if (manifest === undefined) throw backupDamaged(join(path, MANIFEST_FILE), "there is none");
    if (manifest.generation === 0) throw backupDamaged(join(path, MANIFEST_FILE), "no backup was finished here yet");
    return BackupReader.of(path, manifest);
  }

  /** As `open`, for a manifest that is not published yet. */
  static async of(path: string, manifest: BackupManifest): Promise<BackupReader> {
    const checksum = await loadPageChecksum();
    const [rowsFile] = manifest.files.filter(({ kind }) => kind === "rows");
    const rows = rowsFile === undefined ? [] : await loadRows(path, rowsFile);
    const packs: PackReader[] = [];
    try {
      for (const { kind, name } of manifest.files) if (kind === "pages") packs.push(new PackReader(join(path, name)));
    } catch (error) {
      for (const pack of packs) pack.close();
      throw error;
    }
    return new BackupReader(path, { manifest, checksum, packs: packs.toReversed(), rows });
  }

  /** Bytes of the page, or undefined when the backup does not have it. */
  sizeOf(id: PageId): number | undefined {
    for (const pack of this.#packs) {
      const size = pack.sizeOf(id);
      if (size !== undefined) return size;
    }
    return undefined;
  }

  /** The bytes of a page, verified; undefined when the backup does not have it or has it damaged. */
  pageBytes(id: PageId): Buffer | undefined {
    for (const pack of this.#packs) {
      const bytes = pack.read(id);
      if (bytes !== undefined && this.#checksum.matches(id, bytes)) return bytes;
    }
    return undefined;
  }

  /** The verified page. Throws VAULT_PAGE_DAMAGED. */
  page(id: PageId): Page {
    const bytes = this.pageBytes(id);
    if (bytes === undefined) throw pageDamaged(id, `the backup ${this.path} has no sound copy of it`);
    const page = new Page(id, bytes);
    // A backup comes from anywhere, and the checksum can be had by anybody.
    assertWellFormed(page);
    return page;
  }

  /** A row, as `PageStore.readMeta`. */
  readMeta(key: Uint8Array): Buffer | undefined {
    const found = this.#rows.find(([each]) => Buffer.compare(each, key) === 0);
    return found === undefined ? undefined : Buffer.from(found[1]);
  }

  /** Rows by prefix, as `PageStore.rangeMeta`. */
  rangeMeta(prefix: Uint8Array): readonly (readonly [key: Uint8Array, value: Buffer])[] {
    const rows = this.#rows.filter(([key]) => Buffer.compare(key.subarray(0, prefix.length), prefix) === 0);
    return rows.map(([key, value]) => [key, Buffer.from(value)]);
  }

  /** All rows, in the order of their keys. */
  rows(): readonly Row[] {
    return this.#rows;
  }

  /** The ids of all pages in one file of the backup, ascending. */
  *pageIdsOf(file: BackupFile): Generator<PageId, void> {
    const path = join(this.path, file.name);
    for (const pack of this.#packs) if (pack.path === path) yield* pack.ids();
  }

  /** Compares the sha256 of files with the manifest's. Throws VAULT_BACKUP_DAMAGED (details.path). */
  async verifyFiles(
    files: readonly BackupFile[],
    { onFile, signal }: { onFile?: (file: BackupFile) => void; signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const file of files) {
      const path = join(this.path, file.name);
      const found = await digestFile(path, signal).catch((cause: unknown) => {
        if (signal?.aborted === true || cause instanceof VaultError) throw cause;
        throw backupDamaged(path, "it cannot be read", cause);
      });
      if (found.sha256 !== file.sha256) throw backupDamaged(path, "its sha256 is not the one in the manifest");
      onFile?.(file);
    }
  }

  close(): void {
    for (const pack of this.#packs) pack.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface Parts {
  readonly manifest: BackupManifest;
  readonly checksum: PageChecksum;
  /** The newest first. */
  readonly packs: readonly PackReader[];
  readonly rows: readonly Row[];
}

async function loadRows(folder: string, file: BackupFile): Promise<readonly Row[]> {
  const path = join(folder, file.name);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw backupDamaged(path, "it cannot be read", cause);
  });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== file.sha256) throw backupDamaged(path, "its sha256 is not the one in the manifest");
  return readRowsFile(path, bytes);
}
