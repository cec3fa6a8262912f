/** The way back from a backup: a whole vault, or one page. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BackupReader } from "../../vault/backup-reader.ts";
import { Vault, restoreVault } from "../../vault/index.ts";
import { fill } from "../support/backups.ts";
import { Chance } from "../support/chance.ts";
import { FaultyFiles, bytes, code, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";
import { textOfVault } from "../support/vault-model.ts";

describe("a vault that is backed up now and then", () => {
  it(
    "comes back as it was each time, through forks, drops, collections, restores and crashes",
    { timeout: 120_000 },
    async (t) => {
      const seed = Number(process.env["SEED"] ?? 5);
      t.diagnostic(`SEED=${seed}`);
      for (let round = 0; round < 2; round++) {
        const chance = new Chance(seed, round);
        const to = tempFolder(t);
        const settings = { retainBytes: chance.of([0, 2 ** 30]), segmentBytes: 8192 };
        let path = tempFolder(t);
        let vault = await Vault.open(vaultOptions(path, settings));
        let fullBackups = 0;
        for (let step = 0; step < 60; step++) {
          const names = vault.names().map(({ name }) => name);
          const branch = vault.head(names.length === 0 ? "" : chance.of(names));
          const kind = branch === undefined ? 0 : chance.below(12);
          const ops = Array.from({ length: 1 + chance.below(40) }, () => {
            return {
              put: `k${chance.below(200)}`,
              value: bytes(`${step} `.repeat(1 + chance.below(chance.oneIn(20) ? 20_000 : 30))),
            };
          });
          if (branch === undefined || kind === 0) vault.create({ name: `new-${round}-${step}`, ops });
          else if (kind < 4) vault.commit([{ type: "write", branch: branch.id, ops }]);
          else if (kind === 4) vault.fork(branch, { name: `fork-${round}-${step}` });
          else if (kind === 5) vault.commit([{ type: "snapshot", branch: branch.id, label: `s${step}` }]);
          else if (kind === 6) vault.restore(branch.id, branch);
          else if (kind === 7 && names.length > 2) vault.commit([{ type: "drop", branch: branch.id }]);
          else if (kind === 8) await vault.maintenance.collect();
          else if (kind === 9) {
            // A crash: what is on the disk at this moment, pages of an unfinished checkpoint perhaps among it.
            const checkpoint = chance.oneIn(2) ? vault.checkpoint() : vault.barrier();
            const image = join(tempFolder(t), "image");
            await vault.barrier();
            cpSync(path, image, { recursive: true });
            await checkpoint;
            await vault.close();
            path = image;
            vault = await Vault.open(vaultOptions(path, settings));
          } else {
            const { isFull } = await vault.maintenance.backup(to);
            if (isFull) fullBackups++;
            const copy = join(tempFolder(t), "copy");
            await restoreVault({ from: to, vault: vaultOptions(copy, settings) });
            await using again = await Vault.open(vaultOptions(copy, settings));
            assert.equal(await textOfVault(again), await textOfVault(vault), `round ${round}, step ${step}`);
          }
        }
        t.diagnostic(`round ${round}: ${fullBackups} full backups`);
        await vault.close();
      }
    },
  );
});

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

  it("says what to do about one that was killed, and begins again where only its lock is left", async (t) => {
    const vault = await tempVault(t);
    vault.create({ name: "a" });
    const from = tempFolder(t);
    await vault.maintenance.backup(from);
    const path = join(tempFolder(t), "to");
    const images: string[] = [];
    let meanwhile: Promise<void> | undefined;
    const onStep = (step: string): void => {
      if (!step.startsWith("restore.") || step === "restore.identity.done") return;
      // While it runs the other one is told that somebody has the vault.
      meanwhile ??= assert.rejects(restoreVault({ from, vault: vaultOptions(path) }), code("VAULT_LOCKED"));
      const image = join(tempFolder(t), "image");
      mkdirSync(image);
      for (const name of readdirSync(path)) {
        // A handle to the lock file, closed again, would drop the lock.
        if (name === "lock") writeFileSync(join(image, name), "");
        else cpSync(join(path, name), join(image, name), { recursive: true });
      }
      images.push(image);
    };
    await restoreVault({ from, vault: vaultOptions(path, { onStep }) });
    await meanwhile;
    assert.equal(images.length, 2);
    for (const image of images) {
      const names = readdirSync(image);
      await assert.rejects(
        restoreVault({ from, vault: vaultOptions(image) }),
        /an interrupted restore lies in .* delete that folder and run restore again/,
      );
      assert.deepEqual(new Set(readdirSync(image)), new Set(names));
      for (const name of names) if (!name.startsWith("lock")) rmSync(join(image, name), { recursive: true });
      await restoreVault({ from, vault: vaultOptions(image) });
      assert.deepEqual((await tempVault(t, { path: image })).names(), vault.names());
    }
    const foreign = tempFolder(t);
    mkdirSync(join(foreign, "log"));
    await assert.rejects(restoreVault({ from, vault: vaultOptions(foreign) }), /not empty \(it holds log\)/);
    assert.deepEqual(readdirSync(foreign), ["log"]);
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
