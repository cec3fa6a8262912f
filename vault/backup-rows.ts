/**
 * The rows of a checkpoint as one file: what the page store keeps in its meta table (rows.ts), in the order of the keys.
 *
 *     0      8        12                  32
 *     | magic | format | count u32 | zeros | count times: key length u16 | value length u32 | key | value
 *
 * Each row carries its own checksum, and the row `G` says how many there must be.
 */
import type { HashedFile } from "./backup-file.ts";
import { backupDamaged } from "./backup-manifest.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Row } from "./rows.ts";

const MAGIC = Buffer.from("PLNR-ROW", "latin1");
const FORMAT = 1;
const HEADER_BYTES = 32;

/** Adds the rows to an empty file. */
export async function writeRowsFile(file: HashedFile, rows: readonly Row[]): Promise<void> {
  const header = new ByteWriter(HEADER_BYTES);
  header.raw(MAGIC);
  header.u32(FORMAT);
  header.u32(rows.length);
  header.zeros(HEADER_BYTES - header.length);
  await file.append(header.done());
  for (const [key, value] of rows) {
    const row = new ByteWriter(6 + key.length + value.length);
    row.u16(key.length);
    row.u32(value.length);
    row.raw(key);
    row.raw(value);
    const writing = file.append(row.done());
    if (writing !== undefined) await writing;
  }
}

/** The rows in a file's bytes. Throws VAULT_BACKUP_DAMAGED. */
export function readRowsFile(path: string, bytes: Buffer): readonly Row[] {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC) || bytes.readUInt32LE(8) !== FORMAT)
    throw backupDamaged(path, "it is no file of rows that this version reads");
  const count = bytes.readUInt32LE(12);
  const from = new ByteReader(bytes.subarray(HEADER_BYTES));
  const rows: Row[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const keyLength = from.u16();
      const valueLength = from.u32();
      rows.push([from.raw(keyLength), from.raw(valueLength)]);
    }
  } catch (cause) {
    throw backupDamaged(path, "it is cut short", cause);
  }
  if (!from.isDone) throw backupDamaged(path, "it is longer than its header says");
  return rows;
}
