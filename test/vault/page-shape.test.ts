/** Backups made by hand: every sum in them is right, and a page is none that we would write. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { restoreVault } from "../../vault/index.ts";
import { Page, loadPageChecksum } from "../../vault/page.ts";
import { fill } from "../support/backups.ts";
import { code, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

const CHECKSUM = await loadPageChecksum();

/** Changes one leaf of a backup, the one with a long value, and makes all sums right again. */
function forge(folder: string, change: (leaf: Page, long: number) => void): void {
  const path = join(
    folder,
    readdirSync(folder).find((name) => name.startsWith("pages"))!,
  );
  const pack = readFileSync(path);
  const index = pack.subarray(pack.readDoubleLE(pack.length - 32), pack.length - 32);
  for (let at = 0; at < index.length; at += 20) {
    const id = { arena: index.readUInt32LE(at), no: index.readUInt32LE(at + 4) };
    const start = index.readDoubleLE(at + 8);
    const page = new Page(id, pack.subarray(start, start + index.readUInt32LE(at + 16)));
    if (page.kind !== "leaf") continue;
    const long = Array.from({ length: page.count }, (_, i) => i).find((i) => page.entryKind(i) === "blob");
    if (long === undefined) continue;
    change(page, long);
    CHECKSUM.stamp(id, page.bytes);
  }
  writeFileSync(path, pack);
  const manifest = JSON.parse(readFileSync(join(folder, "backup.json"), "utf8"));
  for (const file of manifest.files) {
    if (file.kind === "pages") file.sha256 = createHash("sha256").update(pack).digest("hex");
  }
  writeFileSync(join(folder, "backup.json"), JSON.stringify(manifest));
}

const FORGERIES: readonly (readonly [what: string, change: (leaf: Page, long: number) => void])[] = [
  ["refers to four billion pages", (leaf, long) => leaf.value(long).writeUInt32LE(0xffff_ffff, 8)],
  ["has a cell far outside", (leaf) => leaf.bytes.writeUInt32LE(0xffff_fff0, 16)],
  ["has cells that overlap", (leaf) => leaf.bytes.writeUInt32LE(leaf.bytes.readUInt32LE(16), 20)],
  ["has a key that is longer than its cell", (leaf) => leaf.cell(0).writeUInt16LE(0xffff, 0)],
  ["has a short value for a reference", (leaf) => leaf.cell(0).writeUInt32LE(0x4000_0030, 2)],
];

describe("a backup in which a page", () => {
  for (const [what, change] of FORGERIES) {
    it(`${what} is refused, and nothing is restored`, async (t) => {
      const vault = await tempVault(t);
      const { branch } = vault.create({ name: "a" });
      fill(vault, branch, { count: 30, tag: "first" });
      const [from, path] = [tempFolder(t), tempFolder(t)];
      await vault.maintenance.backup(from);
      forge(from, change);
      await assert.rejects(restoreVault({ from, vault: vaultOptions(path) }), code("VAULT_PAGE_DAMAGED"));
      assert.deepEqual(readdirSync(path), []);
    });
  }
});
