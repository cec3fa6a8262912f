/** The way back from a backup: a whole vault, or one page. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BackupReader } from "../../vault/backup-reader.ts";
import { Vault, restoreVault } from "../../vault/index.ts";
import { fill } from "../support/backups.ts";
import { FaultyFiles, code, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

describe("restoring", () => {
  it("refuses a folder that holds anything, and leaves it alone", async (t) => {
    const vault = await tempVault(t);
    vault.create({ name: "a" });
    const to = tempFolder(t);
    await vault.maintenance.backup(to);
    const busy = tempFolder(t);
    writeFileSync(join(busy, "mine"), "");
    await assert.rejects(restoreVault({ from: to, vault: vaultOptions(busy) }), code("VAULT_PATH_INVALID"));
    assert.deepEqual(readdirSync(busy), ["mine"]);
  });

  it("leaves an empty folder when the disk is full half-way", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 500, tag: "first" });
    const from = tempFolder(t);
    await vault.maintenance.backup(from);
    const files = new FaultyFiles();
    files.plan = (operation) => (operation === "sync" ? { error: "ENOSPC" } : undefined);
    const path = tempFolder(t);
    await assert.rejects(restoreVault({ from, vault: vaultOptions(path, { files }) }), /ENOSPC/);
    assert.deepEqual(readdirSync(path), []);
  });

  it("without its last step leaves a folder that is refused as a vault", async (t) => {
    const vault = await tempVault(t);
    vault.create({ name: "a" });
    const from = tempFolder(t);
    await vault.maintenance.backup(from);
    const path = tempFolder(t);
    await restoreVault({ from, vault: vaultOptions(path) });
    rmSync(join(path, "vault.json"));
    await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"));
  });
});

describe("a page of a backup", () => {
  it("is answered verified or not at all", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 300, tag: "first" });
    const to = tempFolder(t);
    await vault.maintenance.backup(to);
    const [pack] = readdirSync(to).filter((name) => name.startsWith("pages"));
    const path = join(to, pack!);
    {
      using reader = await BackupReader.open(to);
      assert.ok(reader.pageBytes({ arena: 1, no: 1 }) !== undefined);
      assert.equal(reader.pageBytes({ arena: 9, no: 9 }), undefined);
      assert.throws(() => reader.page({ arena: 9, no: 9 }), code("VAULT_PAGE_DAMAGED"));
    }
    const whole = readFileSync(path);
    whole[32 + 40]! ^= 1;
    writeFileSync(path, whole);
    using reader = await BackupReader.open(to);
    assert.equal(reader.pageBytes({ arena: 1, no: 1 }), undefined);
  });
});
