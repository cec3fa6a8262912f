/**
 * What a backup folder holds, written down: `backup.json`. It is written last, so the backup is what the manifest says and
 * nothing else; files beside it belong to a backup that was not finished.
 *
 *     backup.json              this
 *     rows.000003              the rows of a checkpoint                             (backup-rows.ts)
 *     pages.000001, .000003    packs of pages, each with an index                   (backup-pack.ts)
 *     0000000007.log.000002    segments of the log, the newest cut at the checkpoint
 *
 * The number behind the last point is the generation: it grows with every backup, so no file is ever written over.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { VaultError } from "./errors.ts";
import { systemCode } from "./log-files.ts";
import type { LogPlace } from "./log-scan.ts";

/** Name of the manifest. */
export const MANIFEST_FILE = "backup.json";
/** Raised when the layout of a backup changes. */
const FORMAT = 1;
const NAME = /^(?:rows|pages|\d{10}\.log)\.\d{6,}$/;

/** One file of a backup. */
export interface BackupFile {
  readonly name: string;
  readonly kind: "rows" | "pages" | "log";
  readonly bytes: number;
  readonly sha256: string;
  /** Of a log file: the segment's number, and whether all of it was copied. */
  readonly segmentNo?: number;
  readonly isWhole?: boolean;
}

/** See the header. */
export interface BackupManifest {
  readonly format: typeof FORMAT;
  readonly uuid: string;
  /** 0: the folder was claimed, no backup was finished yet. */
  readonly generation: number;
  readonly timeMs: number;
  /** Where the rows end in the log; its seq is that of the backup. */
  readonly place: LogPlace;
  readonly files: readonly BackupFile[];
}

/** The place before a vault's first commit. */
export const NO_PLACE: LogPlace = { segmentNo: 0, offset: 0, crc: 0, seq: 0 };

/** The file of one kind in one generation. */
export function backupFileName(prefix: string, generation: number): string {
  return `${prefix}.${String(generation).padStart(6, "0")}`;
}

/** Whether a file in a backup folder is one that a backup makes. */
export function isBackupFileName(name: string): boolean {
  return NAME.test(name) || name === MANIFEST_FILE || name === `${MANIFEST_FILE}.new`;
}

/** The manifest as text. */
export function manifestText(manifest: BackupManifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/** The manifest of a folder, or undefined where there is none. Throws VAULT_BACKUP_DAMAGED, VAULT_FORMAT_UNKNOWN. */
export async function readManifest(folder: string): Promise<BackupManifest | undefined> {
  const path = join(folder, MANIFEST_FILE);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw backupDamaged(path, "it cannot be read", error);
  });
  return text === undefined ? undefined : parseManifest(path, text);
}

function parseManifest(path: string, text: string): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw backupDamaged(path, "it is not JSON", cause);
  }
  if (!isObject(value)) throw backupDamaged(path, "it is no object");
  if (value["format"] !== FORMAT) {
    const message = `${path} has format ${String(value["format"])}; this version reads format ${FORMAT}`;
    throw new VaultError("VAULT_FORMAT_UNKNOWN", message, { details: { path, format: value["format"] } });
  }
  if (!isManifest(value)) throw backupDamaged(path, "a field is missing or of the wrong kind");
  return value;
}

function isManifest(value: object): value is BackupManifest {
  if (!("uuid" in value && "generation" in value && "timeMs" in value && "place" in value && "files" in value))
    return false;
  const { uuid, generation, timeMs, place, files } = value;
  return (
    typeof uuid === "string" &&
    /^[0-9a-f-]{36}$/.test(uuid) &&
    isCount(generation) &&
    typeof timeMs === "number" &&
    isObject(place) &&
    ["segmentNo", "offset", "crc", "seq"].every((field) => isCount(place[field])) &&
    Array.isArray(files) &&
    files.every(isFile)
  );
}

function isFile(value: unknown): value is BackupFile {
  if (!isObject(value)) return false;
  const { name, kind, bytes, sha256, segmentNo } = value;
  const isKnown = kind === "rows" || kind === "pages" || (kind === "log" && isCount(segmentNo));
  // The name is joined to a path: nothing but our own form is let through.
  const isNamed = typeof name === "string" && NAME.test(name);
  return isKnown && isNamed && isCount(bytes) && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** VAULT_BACKUP_DAMAGED for a file of a backup. */
export function backupDamaged(path: string, what: string, cause?: unknown): VaultError {
  const message = `the backup file ${path} cannot be used: ${what}`;
  return new VaultError("VAULT_BACKUP_DAMAGED", message, { details: { path, what }, cause });
}
