/** Export files whose sums are right and whose content is not what an export holds: somebody made them by hand. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { ContentHash, EXPORTED_BRANCH, ExportWriter } from "../../vault/export-file.ts";
import { FRAME_HEADER_BYTES, sealFrame } from "../../vault/frame.ts";
import { systemFiles } from "../../vault/index.ts";
import { code, tempFolder, tempVault } from "../support/temp-vault.ts";

/** Where the first frame begins, and how much the file's own sha256 takes at its end. */
const [FRAMES_AT, SHA256_BYTES] = [64, 32];

/** The export of an empty agent. */
async function exportOf(t: TestContext, name: string): Promise<string> {
  const path = join(tempFolder(t), "a.planaria");
  const uuid = "00000000-0000-0000-0000-000000000000";
  const writer = await ExportWriter.create(systemFiles, path, { uuid, seq: 1, timeMs: 1 });
  await writer.add({ timeMs: 1, records: [{ type: "name", branch: EXPORTED_BRANCH, name }] });
  await writer.finish(new ContentHash().digest());
  return path;
}

describe("an import", () => {
  it("makes no agent under a name that the next import would take away", async (t) => {
    const vault = await tempVault(t);
    const path = await exportOf(t, "~import/99");
    await assert.rejects(vault.maintenance.importBranch(path), code("VAULT_NAME_INVALID"));
    await assert.rejects(vault.maintenance.importBranch(path, { name: "~import/1" }), code("VAULT_NAME_INVALID"));
    assert.equal((await vault.maintenance.importBranch(path, { name: "a" })).name, "a");
  });

  it("refuses records that cannot be read as a damaged file, and leaves nothing", async (t) => {
    const vault = await tempVault(t);
    const path = await exportOf(t, "a");
    const bytes = readFileSync(path);
    const salt = bytes.readUInt32LE(36);
    const frame = bytes.subarray(FRAMES_AT);
    frame[FRAME_HEADER_BYTES] = 99; // no record has this code
    sealFrame(frame, { salt, previousCrc: salt, previousSeq: 0, durableSeq: 0 });
    const end = bytes.length - SHA256_BYTES;
    createHash("sha256").update(bytes.subarray(0, end)).digest().copy(bytes, end);
    writeFileSync(path, bytes);
    for (const options of [{}, { name: "b" }]) {
      await assert.rejects(vault.maintenance.importBranch(path, options), code("VAULT_EXPORT_DAMAGED"));
    }
    assert.deepEqual(vault.names(), []);
  });
});
