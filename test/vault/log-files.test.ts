/** The system's file operations, where the system answers in an unusual way. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { systemFiles } from "../../vault/index.ts";
import { code, tempFolder, tempVault } from "../support/temp-vault.ts";

it("a folder is made with those above it", async (t) => {
  const path = join(tempFolder(t), "a", "b");
  for (let i = 0; i < 2; i++) await systemFiles.makeFolder(path);
  assert.ok(existsSync(path));
});

it("a backup to a place where no folder can be made is refused, and does not wait for ever", async (t) => {
  const vault = await tempVault(t);
  await assert.rejects(vault.maintenance.backup("/proc/none"), code("VAULT_BACKUP_FAILED"));
});
