/** A backup folder that lost something since: the next backup is as good as a first one. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { BackupProgress, Vault } from "../../vault/index.ts";
import { fill, restored } from "../support/backups.ts";
import { code, put, tempFolder, tempVault } from "../support/temp-vault.ts";
import { textOfVault } from "../support/vault-model.ts";

const SPOILERS: Readonly<Record<string, (path: string) => void>> = {
  "with a flipped bit": (path) => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
  },
  "cut short": (path) => truncateSync(path, readFileSync(path).length - 1),
  gone: (path) => rmSync(path),
};

/** A vault that was backed up twice, with something in the folder that the third backup would only refer to. */
async function backedUp(t: TestContext): Promise<{ readonly vault: Vault; readonly to: string }> {
  const vault = await tempVault(t, { segmentBytes: 64 * 1024 });
  const { branch } = vault.create({ name: "a" });
  for (const tag of ["first", "second"]) fill(vault, branch, { count: 500, tag });
  const to = tempFolder(t);
  await vault.maintenance.backup(to);
  vault.commit([put(branch, "key-000007", "new")]);
  await vault.maintenance.backup(to);
  vault.commit([put(branch, "key-000008", "newer")]);
  return { vault, to };
}

describe("a later backup", () => {
  for (const [how, spoil] of Object.entries(SPOILERS)) {
    it(`finds an older file that is ${how}, writes anew what it held, and says so`, async (t) => {
      const { vault, to } = await backedUp(t);
      const names = readdirSync(to).filter((each) => each !== "backup.json");
      for (const prefix of ["pages.000001", "pages.000002", "rows", "00"]) {
        const name = readdirSync(to).find((each) => each.startsWith(prefix)) ?? names.at(-1)!;
        spoil(join(to, name));
        const report = await vault.maintenance.backup(to);
        assert.deepEqual(
          report.mended.map((each) => each.name),
          [name],
        );
        assert.equal(report.isFull, name.startsWith("pages"), "packs hold on to each other; a segment stands alone");
        assert.equal(await textOfVault(await restored(t, to)), await textOfVault(vault));
        assert.deepEqual((await vault.maintenance.backup(to)).mended, []);
        rmSync(to, { recursive: true });
        await vault.maintenance.backup(to);
        vault.commit([put(vault.head("a")!, "key-000009", prefix)]);
        await vault.maintenance.backup(to);
      }
    });
  }

  it("of new files only still sees that an older one is gone or has another length, and reads none", async (t) => {
    const { vault, to } = await backedUp(t);
    const pack = join(to, "pages.000001");
    const seen: BackupProgress["phase"][] = [];
    const onProgress = ({ phase }: BackupProgress): void => void seen.push(phase);
    await vault.maintenance.backup(to, { onProgress });
    assert.ok(seen.includes("earlier"), "all are read unless told otherwise");
    seen.length = 0;
    const bytes = readFileSync(pack);
    bytes[40]! ^= 4;
    writeFileSync(pack, bytes);
    assert.deepEqual((await vault.maintenance.backup(to, { verify: "new", onProgress })).mended, []);
    assert.ok(!seen.includes("earlier"));
    await assert.rejects(restored(t, to), code("VAULT_BACKUP_DAMAGED"), "which is the price");
    rmSync(pack);
    const { mended } = await vault.maintenance.backup(to, { verify: "new" });
    assert.deepEqual(
      mended.map(({ name }) => name),
      ["pages.000001"],
    );
    assert.equal(await textOfVault(await restored(t, to)), await textOfVault(vault));
  });

  it("that is given up while it reads older files leaves them", async (t) => {
    const { vault, to } = await backedUp(t);
    const before = readdirSync(to);
    const given = new AbortController();
    const onProgress = ({ phase }: BackupProgress): void => {
      if (phase === "earlier") given.abort(new Error("enough"));
    };
    await assert.rejects(vault.maintenance.backup(to, { onProgress, signal: given.signal }), /enough/);
    assert.deepEqual(readdirSync(to), before);
  });
});
