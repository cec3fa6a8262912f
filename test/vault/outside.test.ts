/** Copies of a vault are kept out of the vault's own folder. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { code, tempFolder, tempVault } from "../support/temp-vault.ts";

describe("a backup and an export", () => {
  it("do not go into the vault's own folder, by whatever way that is named", async (t) => {
    const [path, folder] = [join(tempFolder(t), "data"), tempFolder(t)];
    const vault = await tempVault(t, { path });
    const { branch } = vault.create({ name: "a" });
    const [link, into] = [join(folder, "link"), join(folder, "into")];
    symlinkSync(path, link);
    mkdirSync(join(path, "inner"));
    symlinkSync(join(path, "inner"), into);
    const before = readdirSync(path);
    for (const inside of [
      path,
      join(path, "log"),
      join(path, "new"),
      link,
      join(link, "a", "b"),
      into,
      join(into, "x"),
    ]) {
      await assert.rejects(vault.maintenance.backup(inside), code("VAULT_PATH_INVALID"), inside);
      await assert.rejects(
        vault.maintenance.exportBranch(branch, join(inside, "a")),
        code("VAULT_PATH_INVALID"),
        inside,
      );
    }
    assert.deepEqual(readdirSync(path), before);
    assert.deepEqual(readdirSync(join(path, "inner")), []);
    // Beside it, with a name that begins alike, is outside.
    await vault.maintenance.backup(`${path}-backup`);
    await vault.maintenance.exportBranch(branch, join(folder, "a"));
    assert.ok(existsSync(join(`${path}-backup`, "backup.json")) && existsSync(join(folder, "a")));
  });
});
