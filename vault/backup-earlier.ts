/**
 * What earlier backups left in the folder, looked at again before a new one relies on it: a file that went bad since would
 * else be found only by the restore.
 *
 * Invariant: a file that cannot be read is a bad one, whatever the reason. It is never repaired in place: the new backup does
 * without it, and it is taken away when that one is published.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { digestFile } from "./backup-file.ts";
import type { BackupFile, BackupManifest } from "./backup-manifest.ts";

/** A file of an earlier backup that was not what its manifest says. */
export interface MendedFile {
  readonly name: string;
  readonly reason: string;
}

/** How closely earlier files are looked at. */
export interface EarlierOptions {
  /** "all": every byte; "new": that they are there, with their length. */
  readonly verify: "all" | "new";
  readonly onProgress: (bytes: number, bytesTotal: number) => void;
  readonly signal: AbortSignal;
}

/** The files of `manifest` that are not what it says. Rejects with the signal's reason. */
export async function badFiles(
  folder: string,
  { files }: BackupManifest,
  { verify, onProgress, signal }: EarlierOptions,
): Promise<readonly MendedFile[]> {
  const bad: MendedFile[] = [];
  const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  for (const file of files) {
    signal.throwIfAborted();
    const reason = await faultOf(join(folder, file.name), file, { verify, signal });
    if (reason !== undefined) bad.push({ name: file.name, reason });
    bytes += file.bytes;
    if (verify === "all") onProgress(bytes, bytesTotal);
  }
  return bad;
}

async function faultOf(
  path: string,
  file: BackupFile,
  { verify, signal }: Pick<EarlierOptions, "verify" | "signal">,
): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return "it is no file";
    if (found.size !== file.bytes) return `it has ${found.size} bytes instead of ${file.bytes}`;
    if (verify === "new") return undefined;
    // The length once more: what was read is what counts.
    const { bytes, sha256 } = await digestFile(path, signal);
    return bytes === file.bytes && sha256 === file.sha256 ? undefined : "its sha256 is not the one in the manifest";
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * What the next backup may rely on. Packs hold with every page all pages below it, so with one bad pack all pages are written
 * anew; a segment stands for itself; rows are always written.
 */
export function reliableFiles({ files }: BackupManifest, bad: readonly MendedFile[]): readonly BackupFile[] {
  const isBad = ({ name }: BackupFile): boolean => bad.some((each) => each.name === name);
  const arePacksSound = !files.some((file) => file.kind === "pages" && isBad(file));
  return files.filter((file) => !isBad(file) && (file.kind === "log" || (file.kind === "pages" && arePacksSound)));
}
