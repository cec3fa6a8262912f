/** Backup while the vault is in use, and the whole vault back from it. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BackupView } from "../../vault/backup-view.ts";
import { Vault } from "../../vault/index.ts";
import type { Branch } from "../../vault/index.ts";
import {
  FaultyFiles,
  bytes,
  code,
  contentOf,
  eventLog,
  put,
  tempFolder,
  tempVault,
  vaultOptions,
} from "../support/temp-vault.ts";
import { fill, restored } from "../support/backups.ts";
import { textOfVault } from "../support/vault-model.ts";

function folderBytes(path: string): number {
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

describe("a backup", () => {
  it("brings the whole vault back: content, forks, names, snapshots, history, points in time", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 1000, tag: "first" });
    const { seq } = vault.commit([{ type: "snapshot", branch: branch.id, label: "old" }]);
    vault.fork(branch, { name: "b" });
    await vault.checkpoint();
    vault.commit([put(branch, "key-000001", "changed")]);
    vault.restore(branch.id, await branch.at({ label: "old" }));
    vault.commit([put(branch, "last", "one")], { note: bytes("note") });
    const to = join(tempFolder(t), "backup");
    const report = await vault.maintenance.backup(to);
    assert.equal(report.seq, vault.stats().seq);
    assert.ok(report.isFull && report.pages > 3 && report.pagesWritten === report.pages);
    const copy = await restored(t, to);
    assert.equal(copy.recovery.entries, 0);
    assert.equal(copy.recovery.tornTail, false, "the log ends as if it had been closed there");
    assert.equal(copy.uuid, vault.uuid);
    assert.equal(await textOfVault(copy), await textOfVault(vault));
    assert.deepEqual(await copy.head("a")!.history(), await branch.history());
    for (let at = seq; at <= report.seq; at++) {
      const points = [copy.head("a")!, branch].map(async (each) => contentOf(await each.at({ seq: at })));
      const [theirs, ours] = await Promise.all(points);
      assert.deepEqual(theirs, ours);
    }
    await copy.commit([put(copy.head("a")!, "goes", "on")]).durable;
  });

  it("of a vault without a commit is a vault without a commit", async (t) => {
    const vault = await tempVault(t);
    const to = join(tempFolder(t), "backup");
    assert.equal((await vault.maintenance.backup(to)).pages, 0);
    assert.deepEqual((await restored(t, to)).names(), []);
  });

  it("copies only what is new, and takes away what it needs no more", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 5000, tag: "first" });
    const to = tempFolder(t);
    const first = await vault.maintenance.backup(to);
    vault.commit([put(branch, "key-000007", "new")]);
    const second = await vault.maintenance.backup(to);
    assert.equal(second.isFull, false);
    assert.ok(second.pagesWritten <= 2, `${second.pagesWritten} pages for one key`);
    assert.ok(second.bytesWritten < first.bytesWritten / 4, `${second.bytesWritten} of ${first.bytesWritten} bytes`);
    const third = await vault.maintenance.backup(to);
    assert.equal(third.pagesWritten, 0);
    assert.equal(folderBytes(to), third.bytes + statSync(join(to, "backup.json")).size, "nothing is left over");
    assert.equal(await textOfVault(await restored(t, to)), await textOfVault(vault));
  });

  it("is the vault of one moment while commits, checkpoints and forks go on", async (t) => {
    const vault = await tempVault(t, { checkpointBytes: 64 * 1024 });
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 3000, tag: "first" });
    const to = tempFolder(t);
    const run = { isDone: false };
    const texts = new Map<number, string>();
    const writing = (async () => {
      for (let i = 0; !run.isDone; i++) {
        const { durable, seq } = vault.commit([put(branch, `key-${String(i % 3000).padStart(6, "0")}`, `now ${i}`)]);
        if (i % 5 === 0) vault.fork(branch, { name: `fork-${i}` });
        texts.set(seq, contentText(branch));
        await durable;
      }
    })();
    for (let round = 0; round < 3; round++) await vault.maintenance.backup(to);
    run.isDone = true;
    await writing;
    using view = await BackupView.open(to);
    const head = view.head("a");
    assert.ok(head !== undefined);
    assert.equal(contentText(head), texts.get(head.head));
    await restored(t, to);
  });

  it("keeps the pages it still has to copy from a collection", async (t) => {
    const vault = await tempVault(t, { retainBytes: 0 });
    const keep = vault.create({ name: "keep", ops: [{ put: "k", value: bytes("v") }] }).branch;
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 30_000, tag: "first" });
    await vault.checkpoint();
    const text = await textOfVault(vault);
    const to = tempFolder(t);
    let collecting: Promise<{ readonly pages: number }> | undefined;
    const onProgress = () => {
      if (collecting !== undefined) return;
      vault.commit([{ type: "drop", branch: branch.id }]);
      collecting = vault.maintenance.collect();
    };
    await vault.maintenance.backup(to, { onProgress });
    assert.ok(collecting !== undefined, "it took more than one slice");
    const during = await collecting;
    const after = await vault.maintenance.collect();
    assert.ok(during.pages + after.pages > 20, "afterwards they go");
    assert.equal(await textOfVault(await restored(t, to)), text);
    assert.deepEqual(contentOf(keep), { k: "v" });
    const next = await vault.maintenance.backup(to);
    assert.equal(await textOfVault(await restored(t, to)), await textOfVault(vault));
    assert.equal(next.seq, vault.stats().seq);
  });

  it("is told as an event", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent });
    vault.create({ name: "a", ops: [{ put: "k", value: bytes("v") }] });
    const path = tempFolder(t);
    const report = await vault.maintenance.backup(path);
    const event = events.find(({ type }) => type === "backup.completed");
    const { seq, bytes: total } = report;
    assert.deepEqual(event, { type: "backup.completed", path, seq, bytes: total, durationMs: 0 });
  });

  it("of a vault that was restored from an older state begins anew instead of mixing two lives", async (t) => {
    const path = tempFolder(t);
    const to = tempFolder(t);
    const old = join(tempFolder(t), "old");
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a" });
      fill(vault, branch, { count: 500, tag: "first" });
      await vault.close();
      cpSync(path, old, { recursive: true });
    }
    for (const [from, tag] of [
      [path, "one"],
      [old, "two"],
    ] as const) {
      await using vault = await Vault.open(vaultOptions(from));
      fill(vault, vault.head("a")!, { count: 500, tag });
      const { isFull } = await vault.maintenance.backup(to);
      assert.ok(isFull);
      const copy = await restored(t, to);
      assert.equal(await textOfVault(copy), await textOfVault(vault));
    }
  });

  it("writes all pages again when more than half of them are dead", async (t) => {
    const vault = await tempVault(t, { retainBytes: 0 });
    const to = tempFolder(t);
    const kinds: boolean[] = [];
    for (let round = 0; round < 3; round++) {
      const ops = Array.from({ length: 12 }, (_, i) => ({ put: `k${i}`, value: bytes(`${round}`.repeat(120_000)) }));
      const before = vault.head("a");
      if (before !== undefined) vault.commit([{ type: "drop", branch: before.id }]);
      vault.create({ name: "a", ops });
      kinds.push((await vault.maintenance.backup(to)).isFull);
    }
    assert.deepEqual(kinds, [true, true, true]);
    vault.commit([put(vault.head("a")!, "k0", "small")]);
    assert.equal((await vault.maintenance.backup(to)).isFull, false);
    const packs = readdirSync(to).filter((name) => name.startsWith("pages"));
    assert.ok(packs.reduce((sum, name) => sum + statSync(join(to, name)).size, 0) < 1_600_000);
    assert.equal(await textOfVault(await restored(t, to)), await textOfVault(vault));
  });
});

function contentText(view: Pick<Branch, "range">): string {
  let text = "";
  for (const [key, value] of view.range())
    text += `${key}=${value.length}:${Buffer.from(value).toString("latin1", 0, 20)}\n`;
  return text;
}

describe("a backup folder", () => {
  it("with other files, or the backup of another vault, is refused and left as it is", async (t) => {
    const vault = await tempVault(t);
    vault.create({ name: "a" });
    const other = await tempVault(t);
    const mine = tempFolder(t);
    writeFileSync(join(mine, "holiday.txt"), "sun");
    await assert.rejects(vault.maintenance.backup(mine), code("VAULT_BACKUP_FAILED"));
    assert.deepEqual(readdirSync(mine), ["holiday.txt"]);
    const theirs = tempFolder(t);
    await other.maintenance.backup(theirs);
    const before = readdirSync(theirs);
    await assert.rejects(vault.maintenance.backup(theirs), code("VAULT_BACKUP_FAILED"));
    assert.deepEqual(readdirSync(theirs), before);
  });

  it("whose manifest is gone or spoiled is damaged, for reading and for writing", async (t) => {
    const vault = await tempVault(t);
    vault.create({ name: "a" });
    const to = tempFolder(t);
    await vault.maintenance.backup(to);
    const manifest = readFileSync(join(to, "backup.json"), "utf8");
    for (const spoiled of [undefined, "{", "{}", '{"format":1}', manifest.replace(/"uuid": "[^"]+"/, '"uuid": 7')]) {
      if (spoiled === undefined) rmSync(join(to, "backup.json"));
      else writeFileSync(join(to, "backup.json"), spoiled);
      const expected = spoiled === "{}" ? "VAULT_FORMAT_UNKNOWN" : "VAULT_BACKUP_DAMAGED";
      await assert.rejects(vault.maintenance.backup(to), code(expected));
      await assert.rejects(restored(t, to), code(expected));
    }
    await assert.rejects(restored(t, join(to, "nowhere")), code("VAULT_BACKUP_DAMAGED"));
  });

  it("keeps the sound backup it has when the vault itself is damaged", async (t) => {
    const path = tempFolder(t);
    const to = tempFolder(t);
    let text: string;
    {
      await using vault = await Vault.open(vaultOptions(path));
      vault.create({ name: "a", ops: [{ put: "k", value: bytes("sound".repeat(10)) }] });
      await vault.maintenance.backup(to);
      text = await textOfVault(vault);
      vault.create({ name: "b", ops: [{ put: "k", value: bytes("fresh".repeat(10)) }] });
    }
    const file = join(path, "pages.mdb");
    const spoiled = readFileSync(file);
    for (let at = spoiled.indexOf("freshfresh"); at > 0; at = spoiled.indexOf("freshfresh", at + 50))
      spoiled[at + 3]! ^= 1;
    writeFileSync(file, spoiled);
    const vault = await tempVault(t, { path });
    await assert.rejects(vault.maintenance.backup(to), code("VAULT_BACKUP_FAILED"));
    const names = readdirSync(to).map((name) => name.split(".").at(-1));
    assert.deepEqual(new Set(names), new Set(["json", "000001"]), "nothing of the second is left");
    assert.equal(await textOfVault(await restored(t, to)), text);
  });

  it("with one flipped bit or one byte less, in any file, restores nothing", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 300, tag: "first" });
    const to = tempFolder(t);
    await vault.maintenance.backup(to);
    for (const name of readdirSync(to).filter((each) => each !== "backup.json")) {
      const whole = readFileSync(join(to, name));
      for (const at of [0, whole.length >> 1, whole.length - 1]) {
        const flipped = Buffer.from(whole);
        flipped[at]! ^= 4;
        writeFileSync(join(to, name), flipped);
        await assert.rejects(restored(t, to), code("VAULT_BACKUP_DAMAGED"), `${name} at ${at}`);
      }
      writeFileSync(join(to, name), whole);
      truncateSync(join(to, name), whole.length - 1);
      await assert.rejects(restored(t, to), code("VAULT_BACKUP_DAMAGED"), `${name} cut`);
      writeFileSync(join(to, name), whole);
    }
    await restored(t, to);
  });

  it("holds the previous backup or the new one, wherever writing ends", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { files });
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 1500, tag: "first" });
    const to = tempFolder(t);
    await vault.maintenance.backup(to);
    await vault.checkpoint();
    let last = await textOfVault(vault);
    let ends = 0;
    for (let fatal = 1; ends === fatal - 1; fatal++) {
      vault.commit([put(branch, "round", `${fatal}`)]);
      await vault.checkpoint();
      const begin = files.operations.length;
      files.plan = (_, no) => (no >= begin + fatal ? { error: "ENOSPC" } : undefined);
      const result = await vault.maintenance.backup(to).catch((error: unknown) => error);
      files.plan = () => undefined;
      if (result instanceof Error) {
        assert.ok(code("VAULT_BACKUP_FAILED")(result));
        ends++;
      }
      const copy = await restored(t, to);
      const text = await textOfVault(copy);
      assert.ok(text === last || text === (await textOfVault(vault)), `after operation ${fatal}`);
      last = text;
      await copy.close();
    }
    assert.ok(ends >= 10, `${ends} operations failed, one per round`);
    assert.equal(last, await textOfVault(vault));
    assert.equal((await vault.maintenance.backup(to)).bytes, folderBytes(to) - statSync(join(to, "backup.json")).size);
  });

  it("restores the backup before or the new one, whichever step a kill comes at", async (t) => {
    const to = tempFolder(t);
    const images: string[] = [];
    const onStep = (step: string): void => {
      if (!step.startsWith("backup.")) return;
      const image = join(tempFolder(t), "image");
      cpSync(to, image, { recursive: true });
      images.push(image);
    };
    const vault = await tempVault(t, { onStep });
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 300, tag: "first" });
    await vault.maintenance.backup(to);
    const first = await textOfVault(vault);
    images.length = 0;
    fill(vault, branch, { count: 300, tag: "second" });
    await vault.maintenance.backup(to);
    const second = await textOfVault(vault);
    const found: string[] = [];
    for (const image of images) found.push(await textOfVault(await restored(t, image)));
    assert.ok(found.length >= 8, `${found.length} steps`);
    const turn = found.indexOf(second);
    assert.ok(turn > 0 && found.every((text, index) => text === (index < turn ? first : second)));
    // Whatever was left lying about, the next backup tidies up.
    cpSync(images[turn - 1]!, to, { recursive: true });
    const { bytes: total } = await vault.maintenance.backup(to);
    assert.equal(folderBytes(to), total + statSync(join(to, "backup.json")).size);
  });

  it("is untouched by a copy that ends because the vault closes or the caller gives up", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path });
    const { branch } = vault.create({ name: "a" });
    fill(vault, branch, { count: 2000, tag: "first" });
    const to = tempFolder(t);
    const given = new AbortController();
    const ended = vault.maintenance.backup(to, { signal: given.signal, onProgress: () => given.abort() });
    given.abort(new Error("enough"));
    await assert.rejects(ended, /enough/);
    const closing = assert.rejects(vault.maintenance.backup(to), code("VAULT_CLOSED"));
    await vault.close();
    await closing;
    await assert.rejects(restored(t, to), code("VAULT_BACKUP_DAMAGED"), "none was finished");
    const again = await tempVault(t, { path });
    await again.maintenance.backup(to);
    assert.equal(await textOfVault(await restored(t, to)), await textOfVault(again));
  });
});
