/** Checkpoints: what a failed one leaves, and what many branches cost the thread. */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import { FaultyFiles, code, contentOf, put, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

describe("a checkpoint that fails", () => {
  it("gives back the landmarks it was about to drop, so that the next one takes their rows away", async (t) => {
    const path = tempFolder(t);
    const files = new FaultyFiles();
    {
      await using vault = await Vault.open(vaultOptions(path, { files, segmentBytes: 4096, retainBytes: 0 }));
      const { branch } = vault.create({ name: "a" });
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 20; i++) await vault.commit([put(branch, `k${i}`, `${round}`.repeat(200))]).durable;
        files.bytesLeft = round === 4 ? 0 : undefined;
        if (round === 4) await assert.rejects(vault.checkpoint(), code("VAULT_COMMIT_FAILED"));
        else await vault.checkpoint();
      }
      files.bytesLeft = undefined;
    }
    const vault = await tempVault(t, { path });
    assert.equal(contentOf(vault.head("a")!)["k7"], "5".repeat(200));
  });
});

describe("a checkpoint", () => {
  it("holds the moment it began, whatever is done to branches while it is captured", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path, segmentBytes: 1 << 20 });
    const branches = Array.from(
      { length: 3_000 },
      (_, i) => vault.create({ name: `b${i}`, durability: "memory" }).branch,
    );
    await vault.barrier();
    const isDone = vault.checkpoint();
    // All in the turn in which the capture began: none of these branches has been looked at yet.
    for (const branch of branches.slice(0, 500)) vault.commit([put(branch, "k", "later")], { durability: "memory" });
    for (const { id } of branches.slice(500, 1_000))
      vault.commit([{ type: "drop", branch: id }], { durability: "memory" });
    for (const branch of branches.slice(1_000, 1_200)) vault.fork(branch, { durability: "memory" });
    for (const branch of branches.slice(1_200, 1_400)) vault.restore(branch.id, branches[0]!, { durability: "memory" });
    await isDone;
    await vault.barrier();
    const copy = tempFolder(t);
    cpSync(path, copy, { recursive: true });
    const after = await tempVault(t, { path: copy });
    assert.ok(after.recovery.entries >= 1_400, "what came after the capture is replayed, not in the pages");
    assert.equal(after.stats().branches, vault.stats().branches);
    for (const branch of branches) {
      const found = after.branch(branch.id);
      assert.equal(found === undefined, vault.branch(branch.id) === undefined);
      if (found !== undefined) assert.deepEqual([contentOf(found), found.head], [contentOf(branch), branch.head]);
    }
  });

  it("with thousands of rows is there whole or not at all, wherever it is cut off", async (t) => {
    const path = tempFolder(t);
    const images: { readonly step: string; readonly path: string }[] = [];
    let isWatched = false;
    const onStep = (step: string) => {
      if (!isWatched || !step.startsWith("store.commit")) return;
      const image = tempFolder(t);
      cpSync(path, image, { recursive: true });
      images.push({ step, path: image });
    };
    const vault = await tempVault(t, { path, onStep, segmentBytes: 1 << 20 });
    const branches = Array.from(
      { length: 900 },
      (_, i) => vault.create({ name: `b${i}`, durability: "memory" }).branch,
    );
    await vault.checkpoint();
    for (const branch of branches) vault.commit([put(branch, "k", `${branch.id}`)], { durability: "memory" });
    for (const { id } of branches.slice(0, 400)) vault.commit([{ type: "drop", branch: id }], { durability: "memory" });
    await vault.barrier();
    isWatched = true;
    await vault.checkpoint();
    isWatched = false;
    assert.ok(images.length > 12, `the rows took ${images.length / 2} transactions`);
    const seqs = new Set<number>();
    for (const { step, path: image } of images) {
      const found = await Vault.open(vaultOptions(image));
      seqs.add(found.recovery.checkpointSeq);
      assert.equal(found.stats().branches, 500, step);
      for (const { id } of branches.slice(400)) assert.deepEqual(contentOf(found.branch(id)!), { k: `${id}` }, step);
      await found.close();
      const again = await Vault.open(vaultOptions(image));
      assert.equal(again.stats().branches, 500, "and it goes on from there");
      await again.close();
    }
    assert.equal(seqs.size, 2, "some were cut off before the checkpoint counted, some after");
  });
});

describe("a large build", () => {
  it("writes its pages while it goes on, and a crash in the middle leaves the state before", async (t) => {
    const path = tempFolder(t);
    const copies: string[] = [];
    let commits = 0;
    const onStep = (step: string) => {
      if (step !== "store.commit.done") return;
      commits++;
      if (commits !== 3) return;
      const copy = `${path}-copy`;
      cpSync(path, copy, { recursive: true });
      copies.push(copy);
    };
    const vault = await tempVault(t, { path, onStep });
    const ops = Array.from({ length: 12_000 }, (_, i) => ({ put: `key ${i}`, value: new Uint8Array(1_000).fill(i) }));
    const { branch, commit } = vault.create({ name: "large", ops });
    await commit.durable;
    await vault.checkpoint();
    assert.ok(commits > 4, `12 MB were written in ${commits} transactions`);
    assert.equal([...branch.range()].length, 12_000);
    const [copy] = copies;
    t.after(() => rmSync(copy!, { recursive: true, force: true }));
    const crashed = await tempVault(t, { path: copy! });
    assert.equal(crashed.recovery.entries, 1, "the checkpoint had not happened");
    await crashed.checkpoint();
    assert.equal([...crashed.head("large")!.range()].length, 12_000);
    assert.equal((await crashed.maintenance.check()).isSound, true);
  });
});
