/**
 * The folder that backups go to: claiming it, adding files, and the one step that makes them the backup.
 *
 *     claim --> write, write, ... --> publish: sync folder, backup.json.new, sync, rename, sync folder --> remove what is old
 *
 * Invariants:
 * 1. Until the rename of the manifest the folder is the backup it was before, afterwards it is the new one: every file has
 *    a name of its own, and none is taken away before a newer manifest is durable.
 * 2. A folder with anything else in it, or with the backup of another vault, is left alone.
 */
import { join } from "node:path";
import { HashedFile } from "./backup-file.ts";
import { MANIFEST_FILE, NO_PLACE, backupDamaged, backupFileName } from "./backup-manifest.ts";
import { isBackupFileName, manifestText, readManifest } from "./backup-manifest.ts";
import type { BackupFile, BackupManifest } from "./backup-manifest.ts";
import { VaultError } from "./errors.ts";
import type { LogFiles } from "./log-files.ts";
import { writeFully } from "./segment.ts";

const NEW_MANIFEST = `${MANIFEST_FILE}.new`;

/** What a backup folder needs. */
export interface BackupFolderOptions {
  readonly path: string;
  readonly uuid: string;
  readonly timeMs: number;
  readonly files: LogFiles;
  /** Told every durable step. */
  readonly step: (name: string) => void;
}

/** See the header. */
export class BackupFolder {
  readonly path: string;
  readonly #options: BackupFolderOptions;
  #previous: BackupManifest;
  readonly #added: string[] = [];

  private constructor(options: BackupFolderOptions, previous: BackupManifest) {
    this.path = options.path;
    this.#options = options;
    this.#previous = previous;
  }

  /** Makes the folder if it is missing. Throws VAULT_BACKUP_FAILED when it is not ours to use, VAULT_BACKUP_DAMAGED. */
  static async claim(options: BackupFolderOptions): Promise<BackupFolder> {
    const { path, uuid, timeMs, files } = options;
    await files.makeFolder(path);
    const names = await files.list(path);
    const foreign = names.find((name) => !isBackupFileName(name));
    if (foreign !== undefined) throw refused(path, `it holds ${foreign}, which no backup made`);
    const previous = await readManifest(path);
    if (previous === undefined) {
      if (names.some((name) => name !== NEW_MANIFEST))
        throw backupDamaged(join(path, MANIFEST_FILE), "it is missing, and files of a backup are there");
      const folder = new BackupFolder(options, { format: 1, uuid, generation: 0, timeMs, place: NO_PLACE, files: [] });
      await folder.#write(folder.previous);
      return folder;
    }
    if (previous.uuid !== uuid) throw refused(path, "it holds the backup of another vault");
    return new BackupFolder(options, previous);
  }

  /** The backup that is there; generation 0 when there is none. */
  get previous(): BackupManifest {
    return this.#previous;
  }

  /** The generation that is being written. */
  get generation(): number {
    return this.#previous.generation + 1;
  }

  /** Adds a durable file. What `fill` throws rejects, and the file counts for nothing. */
  async add(
    prefix: string,
    about: Pick<BackupFile, "kind" | "segmentNo">,
    fill: (file: HashedFile) => Promise<void>,
  ): Promise<BackupFile> {
    const name = backupFileName(prefix, this.generation);
    this.#added.push(name);
    const { files, step } = this.#options;
    step("backup.create");
    const file = await HashedFile.create(files, join(this.path, name));
    try {
      await fill(file);
      const digest = await file.finish();
      step("backup.create.done");
      return { name, ...about, ...digest };
    } finally {
      await file.close();
    }
  }

  /** Makes the manifest the folder's, then takes away what it does not name. */
  async publish(manifest: BackupManifest): Promise<void> {
    const { files, step } = this.#options;
    await this.#write(manifest);
    this.#previous = manifest;
    this.#added.length = 0;
    const named = new Set([MANIFEST_FILE, ...manifest.files.map(({ name }) => name)]);
    step("backup.remove");
    for (const name of await files.list(this.path)) {
      if (!named.has(name) && isBackupFileName(name)) await files.remove(join(this.path, name));
    }
    await files.syncFolder(this.path);
    step("backup.remove.done");
  }

  /** Takes away what was added and not published, as far as that works: it is named by nobody. */
  async discard(): Promise<void> {
    const { files } = this.#options;
    for (const name of this.#added.splice(0)) {
      // It may never have been made; whatever stays is removed by the next backup.
      await files.remove(join(this.path, name)).catch(() => undefined);
    }
  }

  async #write(manifest: BackupManifest): Promise<void> {
    const { files, step } = this.#options;
    // The files' names are durable before the manifest that names them.
    await files.syncFolder(this.path);
    const path = join(this.path, NEW_MANIFEST);
    const file = await files.open(path, "create");
    try {
      await writeFully(file, Buffer.from(manifestText(manifest)), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    step("backup.rename");
    await files.rename(path, join(this.path, MANIFEST_FILE));
    await files.syncFolder(this.path);
    step("backup.rename.done");
  }
}

function refused(path: string, why: string): VaultError {
  const message = `${path} cannot take a backup of this vault: ${why}; choose an empty folder`;
  return new VaultError("VAULT_BACKUP_FAILED", message, { details: { path } });
}
