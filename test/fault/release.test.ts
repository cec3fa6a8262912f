/** Old segments that cannot be taken away: told with a code, and never a hole in the log. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { Vault, systemFiles } from "../../vault/index.ts";
import { FailingFiles } from "../support/failing-files.ts";
import { eventLog, tempFolder } from "../support/temp-vault.ts";
import { faultVault } from "./recover.ts";

for (const errno of ["ENOSPC", "EIO"]) {
  it(`a segment that cannot be taken away (${errno}) stays the oldest, and the vault opens afterwards`, async (t) => {
    const path = tempFolder(t);
    const files = new FailingFiles(systemFiles);
    const { events, onEvent } = eventLog();
    const vault = await Vault.open(faultVault(path, { files, retainBytes: 0, checkpointBytes: 2 ** 40, onEvent }));
    const { branch } = vault.create({ name: "agent" });
    const fill = async () => {
      for (let no = 0; no < 8; no++) {
        const ops = [{ put: "key", value: Buffer.alloc(3000, no) }];
        await vault.commit([{ type: "write", branch: branch.id, ops }]).durable;
      }
    };
    await fill();
    // The segment becomes the spare or is removed, whichever comes.
    files.plan = (_no, operation) => (operation === "remove" || operation === "rename" ? { code: errno } : undefined);
    await vault.checkpoint();
    assert.deepEqual(
      events.filter(({ type }) => type === "release.failed").map((event) => "code" in event && event.code),
      ["VAULT_RELEASE_FAILED"],
    );
    assert.ok(!events.some(({ type }) => type === "checkpoint.failed"), "the checkpoint itself is written");
    files.plan = () => undefined;
    await fill();
    await vault.checkpoint();
    await vault.close();
    const names = readdirSync(join(path, "log")).filter((name) => name.endsWith(".log"));
    const numbers = names.toSorted().map((name) => Number.parseInt(name, 10));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => (numbers[0] ?? 0) + index),
      "no hole",
    );
    await using again = await Vault.open(faultVault(path));
    assert.equal(again.head("agent")?.get("key")?.length, 3000);
  });
}
