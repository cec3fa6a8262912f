/** A page file that shrinks, and loses nothing. */
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Vault, compactVault } from "../../vault/index.ts";
import { FaultyFiles, bytes, code, put, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";
import { textOfVault } from "../support/vault-model.ts";

/** A closed vault of which most is dead, and what it holds. */
async function wasteful(path: string): Promise<string> {
  await using vault = await Vault.open(vaultOptions(path, { retainBytes: 0 }));
  for (let round = 0; round < 6; round++) {
    const before = vault.head("a");
    if (before !== undefined) vault.commit([{ type: "drop", branch: before.id }]);
    const ops = Array.from({ length: 20 }, (_, i) => ({ put: `k${i}`, value: bytes(`${round}`.repeat(60_000)) }));
    const { branch } = vault.create({ name: "a", ops });
    vault.commit([{ type: "snapshot", branch: branch.id, label: "here" }, put(branch, "after", "it")]);
    await vault.checkpoint();
  }
  return textOfVault(vault);
}

describe("compacting", () => {
  it("gives back the space of what nobody needs, and keeps the rest", async (t) => {
    const path = tempFolder(t);
    const text = await wasteful(path);
    const report = await compactVault({ vault: vaultOptions(path) });
    assert.ok(report.bytesAfter <= statSync(join(path, "pages.mdb")).size);
    assert.ok(report.bytesAfter < report.bytesBefore / 2, JSON.stringify(report));
    const vault = await tempVault(t, { path });
    assert.equal(await textOfVault(vault), text);
    vault.commit([put(vault.head("a")!, "goes", "on")]);
    await vault.checkpoint();
  });

  it("leaves a working vault wherever it is cut short", async (t) => {
    const path = tempFolder(t);
    const text = await wasteful(path);
    const steps: string[] = [];
    const images: string[] = [];
    const onStep = (step: string): void => {
      steps.push(step);
      const image = join(tempFolder(t), "image");
      cpSync(path, image, { recursive: true });
      images.push(image);
    };
    await compactVault({ vault: vaultOptions(path, { onStep }) });
    assert.ok(steps.includes("compact.rename") && steps.includes("compact.rename.done"));
    const before = images[steps.indexOf("compact.rename")]!;
    assert.ok(existsSync(join(before, "pages.mdb.new")), "the copy is there, and not yet in use");
    for (const [index, image] of images.entries()) {
      {
        await using vault = await Vault.open(vaultOptions(image));
        assert.equal(await textOfVault(vault), text, steps[index] ?? "");
      }
      await compactVault({ vault: vaultOptions(image) });
      assert.ok(!existsSync(join(image, "pages.mdb.new")));
    }
  });

  it("is refused while the vault is open, on a disk without room, and for a damaged page; nothing changes", async (t) => {
    const path = tempFolder(t);
    const text = await wasteful(path);
    {
      await using vault = await Vault.open(vaultOptions(path));
      await assert.rejects(compactVault({ vault: vaultOptions(path) }), code("VAULT_LOCKED"));
      assert.equal(await textOfVault(vault), text);
    }
    const files = new FaultyFiles();
    files.bytesLeft = 100;
    await assert.rejects(compactVault({ vault: vaultOptions(path, { files }) }), code("VAULT_COMMIT_FAILED"));
    const whole = readFileSync(join(path, "pages.mdb"));
    const spoiled = Buffer.from(whole);
    const at = spoiled.lastIndexOf("5".repeat(50_000));
    assert.ok(at > 0);
    spoiled[at + 7]! ^= 1;
    writeFileSync(join(path, "pages.mdb"), spoiled);
    await assert.rejects(compactVault({ vault: vaultOptions(path) }), code("VAULT_PAGE_DAMAGED"));
    assert.ok(!existsSync(join(path, "pages.mdb.new")));
    const gone = new AbortController();
    gone.abort(new Error("enough"));
    await assert.rejects(compactVault({ vault: vaultOptions(path), signal: gone.signal }), /enough/);
  });
});
