/** Landmarks: how long each of them stood, after restarts and after commits that were undone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { Branch, VaultOptions } from "../../vault/index.ts";
import { landmarkKey, encodeLandmark, decodeLandmark } from "../../vault/rows.ts";
import { FaultyFiles, code, contentOf, put, tempFolder, vaultOptions } from "../support/temp-vault.ts";

/** More than a few segments of 4 KiB. */
async function writeMuch(vault: Vault, branch: Branch, prefix: string): Promise<void> {
  for (let i = 0; i < 40; i++) await vault.commit([put(branch, `${prefix}${i}`, "x".repeat(500))]).durable;
}

function landmarksOf(vault: Vault, branch: Branch) {
  return vault.maintenance.context.parts.state.branch(branch.id).landmarks;
}

/** A snapshot of a state that a checkpoint has stored already, and then a restart. */
async function restarted(t: TestContext): Promise<{ vault: Vault; branch: Branch; options: VaultOptions }> {
  const options = vaultOptions(tempFolder(t), { segmentBytes: 4096, retainBytes: 0 });
  {
    await using before = await Vault.open(options);
    const { branch } = before.create({ name: "a" });
    await before.commit([put(branch, "k", "1")]).durable;
    await before.checkpoint();
    await before.commit([{ type: "snapshot", branch: branch.id, label: "s" }]).durable;
  }
  const vault = await Vault.open(options);
  t.after(() => vault.close());
  return { vault, branch: vault.head("a")!, options };
}

describe("a landmark that another followed without a change", () => {
  it("goes with the log, also when the vault was opened anew in between", async (t) => {
    const { vault, branch } = await restarted(t);
    await writeMuch(vault, branch, "k");
    await vault.checkpoint();
    await writeMuch(vault, branch, "l");
    await vault.checkpoint();
    await vault.maintenance.collect();
    const stale = landmarksOf(vault, branch)
      .slice(0, -1)
      .filter(({ kind }) => kind !== "snapshot");
    assert.deepEqual(stale, []);
  });

  it("is not taken for the state that the retained log goes on from: the export can be imported", async (t) => {
    const { vault, branch } = await restarted(t);
    await writeMuch(vault, branch, "k");
    await vault.checkpoint();
    await writeMuch(vault, branch, "l");
    await vault.checkpoint();
    const path = join(tempFolder(t), "a.planaria");
    await vault.maintenance.exportBranch(branch, path);
    await vault.maintenance.importBranch(path, { name: "b" });
    assert.deepEqual(contentOf(vault.head("b")!), contentOf(branch));
  });

  it("ends there too when its row was written without an end", async (t) => {
    const { vault, branch, options } = await restarted(t);
    const { store } = vault.maintenance.context.parts;
    const [mark] = landmarksOf(vault, branch);
    assert.ok(mark !== undefined);
    const key = landmarkKey(branch.id, mark);
    const row = decodeLandmark([key, store.readMeta(key)!]);
    await store.transaction((draft) => draft.putMeta(...encodeLandmark({ ...row, through: undefined })));
    await vault.close();
    await using again = await Vault.open(options);
    assert.equal(landmarksOf(again, again.head("a")!)[0]?.through, mark.through);
  });
});

it("a commit that is undone under a checkpoint leaves no landmark without an end but the last", async (t) => {
  const files = new FaultyFiles();
  await using vault = await Vault.open(vaultOptions(tempFolder(t), { files }));
  const { branch } = vault.create({ name: "a" });
  await vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }]).durable;
  files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
  const lost = vault.commit([put(branch, "k", "1")]);
  const checkpoint = vault.checkpoint();
  await assert.rejects(lost.durable, code("VAULT_COMMIT_FAILED"));
  await assert.rejects(checkpoint, code("VAULT_COMMIT_FAILED"));
  files.plan = () => undefined;
  await vault.commit([put(branch, "k", "2")]).durable;
  const older = landmarksOf(vault, branch).slice(0, -1);
  assert.deepEqual(
    older.filter(({ through, isPartial }) => through === undefined && !isPartial),
    [],
  );
  assert.deepEqual(contentOf(await branch.at({ label: "s" })), {});
});

it("a restore that is undone under a checkpoint is not what the past shows later", async (t) => {
  const files = new FaultyFiles();
  await using vault = await Vault.open(vaultOptions(tempFolder(t), { files }));
  const { branch } = vault.create({ name: "a" });
  await vault.commit([{ type: "snapshot", branch: branch.id, label: "empty" }]).durable;
  const kept = vault.commit([put(branch, "k", "1")]);
  await kept.durable;
  const empty = await branch.at({ label: "empty" });
  files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
  const restored = vault.restore(branch.id, empty);
  const written = vault.commit([put(branch, "l", "1")]);
  const checkpoint = vault.checkpoint();
  for (const lost of [restored.durable, written.durable, checkpoint]) {
    await assert.rejects(lost, code("VAULT_COMMIT_FAILED"));
  }
  files.plan = () => undefined;
  const later = vault.commit([put(branch, "k", "2")]);
  await later.durable;
  for (let seq = kept.seq; seq < later.seq; seq++)
    assert.deepEqual(contentOf(await branch.at({ seq })), { k: "1" }, `at ${seq}`);
});

it("a snapshot that is undone stays away, though a checkpoint had put it aside as forgotten", async (t) => {
  const files = new FaultyFiles();
  await using vault = await Vault.open(vaultOptions(tempFolder(t), { files }));
  const { branch, commit } = vault.create({ name: "a" });
  await commit.durable;
  files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
  const { seq, durable } = vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }, put(branch, "k", "1")]);
  const forgotten = vault.commit([{ type: "forget", branch: branch.id, label: "s", seq }]);
  const checkpoint = vault.checkpoint();
  for (const lost of [durable, forgotten.durable, checkpoint]) {
    await assert.rejects(lost, code("VAULT_COMMIT_FAILED"));
  }
  files.plan = () => undefined;
  assert.deepEqual(branch.snapshots(), []);
  await assert.rejects(branch.at({ label: "s" }), code("VAULT_POINT_UNKNOWN"));
});
