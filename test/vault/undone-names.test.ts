/** Names that commits give up and take while the disk is full: what is told to be kept stays, whatever is undone around it. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { Action, Branch } from "../../vault/index.ts";
import { FaultyFiles, code, tempFolder, vaultOptions } from "../support/temp-vault.ts";

const WAYS: readonly (readonly [what: string, frees: (branch: Branch) => Action])[] = [
  ["dropped its branch", ({ id }) => ({ type: "drop", branch: id })],
  ["freed it", () => ({ type: "name", name: "n", branch: undefined })],
];

describe("a name that is taken behind a commit which is undone", () => {
  for (const [what, frees] of WAYS) {
    it(`is not told to be kept when that commit ${what}`, async (t) => {
      const files = new FaultyFiles();
      const options = vaultOptions(tempFolder(t), { files });
      const copy = tempFolder(t);
      await using vault = await Vault.open(options);
      const { branch, commit } = vault.create({ name: "n" });
      await commit.durable;
      files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
      const freed = vault.commit([frees(branch)]);
      const taken = vault.create({ name: "n", durability: "memory" });
      assert.equal(taken.commit.isDurable, false);
      await assert.rejects(freed.durable, code("VAULT_COMMIT_FAILED"));
      await assert.rejects(taken.commit.durable, code("VAULT_COMMIT_FAILED"));
      files.plan = () => undefined;
      await vault.barrier();
      assert.equal(vault.head("n")?.id, branch.id);
      assert.equal(vault.branch(taken.branch.id), undefined);
      // What a crash would leave says the same as what is in memory.
      cpSync(options.path, copy, { recursive: true });
      await using again = await Vault.open({ ...options, path: copy });
      assert.deepEqual(again.names(), vault.names());
    });
  }

  it("waits for the commits that gave up other names before", async (t) => {
    const files = new FaultyFiles();
    await using vault = await Vault.open(vaultOptions(tempFolder(t), { files }));
    const first = vault.create({ name: "first" });
    const second = vault.create({ name: "second" });
    await vault.barrier();
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const freed = vault.commit([{ type: "drop", branch: first.branch.id }]);
    vault.commit([{ type: "drop", branch: second.branch.id }], { durability: "memory" });
    const taken = vault.create({ name: "first", durability: "memory" });
    await assert.rejects(freed.durable, code("VAULT_COMMIT_FAILED"));
    await assert.rejects(taken.commit.durable, code("VAULT_COMMIT_FAILED"));
    files.plan = () => undefined;
    assert.deepEqual(
      vault.names().map(({ name }) => name),
      ["first", "second"],
    );
  });

  it("stays taken when that commit only freed what was free", async (t) => {
    const files = new FaultyFiles();
    await using vault = await Vault.open(vaultOptions(tempFolder(t), { files }));
    await vault.create({ name: "other" }).commit.durable;
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const freed = vault.commit([{ type: "name", name: "n", branch: undefined }]);
    const taken = vault.create({ name: "n", durability: "memory" });
    assert.equal(taken.commit.isDurable, true);
    await assert.rejects(freed.durable, code("VAULT_COMMIT_FAILED"));
    files.plan = () => undefined;
    assert.equal(vault.head("n")?.id, taken.branch.id);
  });
});
