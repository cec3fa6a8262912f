/**
 * A long value that was damaged in pages may still stand in the log: the commit that wrote it holds all of it.
 */
import { createHash } from "node:crypto";
import type { BadPage } from "./check-pages.ts";
import { VaultError } from "./errors.ts";
import { readFrames } from "./log-scan.ts";
import { buildBlobPage } from "./page-build.ts";
import { BLOB_SLICE_BYTES } from "./page.ts";
import type { BlobRef } from "./page.ts";
import { readRecords } from "./record.ts";
import type { ViewContext } from "./view.ts";

/** The damaged slice, taken from the value with the right length and sha256; undefined when the log has none. */
export async function blobFromLog(
  { folder, log }: ViewContext,
  { blob, span, id }: BadPage,
): Promise<Buffer | undefined> {
  const fromSeq = folder.firstSeq;
  const { writtenSeq } = log;
  if (blob === undefined || fromSeq === undefined) return undefined;
  const key = Buffer.from(span.low).toString("utf8");
  let value: Uint8Array | undefined;
  try {
    await folder.reading(() =>
      readFrames(folder, { fromSeq, untilSeq: writtenSeq, writtenSeq }, ({ body }) => {
        value ??= valueIn(body, key, blob);
      }),
    );
  } catch (error) {
    // What lies behind damage in the log is not looked at.
    if (!(error instanceof VaultError) || error.code !== "VAULT_LOG_DAMAGED") throw error;
  }
  const start = (id.no - blob.first.no) * BLOB_SLICE_BYTES;
  return value === undefined ? undefined : buildBlobPage(value.subarray(start, start + BLOB_SLICE_BYTES));
}

function valueIn(body: Uint8Array, key: string, blob: BlobRef): Uint8Array | undefined {
  for (const record of readRecords(body)) {
    if (record.type !== "write") continue;
    for (const op of record.ops) {
      if (!("put" in op) || op.put !== key || op.value.length !== blob.length) continue;
      const isIt = Buffer.compare(createHash("sha256").update(op.value).digest(), blob.sha256) === 0;
      if (isIt) return new Uint8Array(op.value);
    }
  }
  return undefined;
}
