/**
 * What tells one vault from another: `vault.json` in its folder, written once.
 *
 * The uuid is the one thing in the vault that is drawn from the system's entropy: it must differ between vaults that
 * were made by the same program with the same seed, and nothing is ever decided by it. Salts are derived from it.
 */
import { randomUUID } from "node:crypto";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { VaultError } from "./errors.ts";
import { systemCode } from "./log-files.ts";

const FILE = "vault.json";
const FORMAT = 1;
/** What only a vault has: a folder with one of these and without `vault.json` has lost its identity. */
const TRACES: readonly string[] = ["log", "pages.mdb"];

/** Reads the vault's uuid, or gives a new vault one. Throws VAULT_FORMAT_UNKNOWN. */
export async function identify(folder: string): Promise<string> {
  const text = await readFile(join(folder, FILE), "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (text !== undefined) return parseIdentity(folder, text);
  refuseTraces(folder, await readdir(folder));
  const uuid = randomUUID();
  await writeIdentity(folder, uuid);
  return uuid;
}

/**
 * Whether a vault lies in the folder, as far as that can be told without opening it; nothing is written. Throws
 * VAULT_FORMAT_UNKNOWN where there is one that has lost its identity.
 */
export async function isVault(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) return [];
    throw error;
  });
  if (names.includes(FILE)) return true;
  refuseTraces(folder, names);
  return false;
}

function refuseTraces(folder: string, names: readonly string[]): void {
  const trace = TRACES.find((name) => names.includes(name));
  if (trace !== undefined) throw formatUnknown(folder, `it holds ${trace} but no ${FILE}`);
}

/** The salt of a segment's checksums. Differs from one segment number to the next, so that old frames do not check. */
export function saltOf(uuid: string, segmentNo: number): number {
  return crc32(`${uuid}/${segmentNo}`);
}

function parseIdentity(folder: string, text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw formatUnknown(folder, `its ${FILE} is not JSON`, cause);
  }
  if (typeof value !== "object" || value === null || !("format" in value) || !("uuid" in value)) {
    throw formatUnknown(folder, `its ${FILE} names no format`);
  }
  if (value.format !== FORMAT || typeof value.uuid !== "string" || !/^[0-9a-f-]{36}$/.test(value.uuid)) {
    throw formatUnknown(folder, `its format is ${String(value.format)}, this version reads ${FORMAT}`);
  }
  return value.uuid;
}

/** Makes the folder a vault with this uuid: what comes before is no vault yet. Durable when it resolves. */
export async function writeIdentity(folder: string, uuid: string): Promise<void> {
  const path = join(folder, `${FILE}.new`);
  await writeFile(path, `${JSON.stringify({ format: FORMAT, uuid })}\n`, { mode: 0o600, flush: true });
  await rename(path, join(folder, FILE));
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function formatUnknown(folder: string, reason: string, cause?: unknown): VaultError {
  const message = `${folder} is no vault that this version can open: ${reason}`;
  return new VaultError("VAULT_FORMAT_UNKNOWN", message, { details: { path: folder }, cause });
}
