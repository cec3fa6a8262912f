/**
 * Damage in the log ahead of the checkpoint. Invariants: it is refused until the very loss is accepted; what comes before it
 * is kept; what was lost never comes back, nor do its numbers; nothing is deleted.
 */
import assert from "node:assert/strict";
import { cpSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Vault, VaultError } from "../../vault/index.ts";
import { overwrite } from "../support/page-file.ts";
import {
  FaultyFiles,
  code,
  contentOf,
  eventLog,
  put,
  tempFolder,
  tempVault,
  vaultOptions,
} from "../support/temp-vault.ts";

describe("damage ahead of the checkpoint", () => {
  for (const [name, segmentBytes] of [
    ["within one segment", 64 * 1024],
    ["with segments behind it", 4096],
  ] as const) {
    it(`${name} is refused, and accepted by the number of the first lost entry alone`, async (t) => {
      const origin = tempFolder(t);
      const first = await tempVault(t, { path: origin, segmentBytes });
      const { branch } = first.create({ name: "ann" });
      await first.checkpoint();
      for (let i = 0; i < 40; i++)
        await first.commit([put(branch, `key${i}`, `value-${i}-${"x".repeat(300)}`)]).durable;
      const lastSeq = first.durableSeq;
      const path = tempFolder(t);
      cpSync(origin, path, { recursive: true });
      const expected = contentOf(first.head("ann")!);
      const log = join(path, "log");
      const damaged = readdirSync(log).find((file) => readFileSync(join(log, file)).includes("value-17-"))!;
      overwrite(join(log, damaged), readFileSync(join(log, damaged)).indexOf("value-17-"), Buffer.from("X"));

      const refusal = await Vault.open(vaultOptions(path, { segmentBytes })).catch((error: unknown) => error);
      assert.ok(refusal instanceof VaultError && refusal.code === "VAULT_LOG_DAMAGED");
      const firstLost = Number(refusal.details["firstLostSeq"]);
      for (const acceptLoss of [firstLost - 1, firstLost + 1, 0]) {
        await assert.rejects(Vault.open(vaultOptions(path, { segmentBytes, acceptLoss })), {
          code: "VAULT_LOG_DAMAGED",
        });
      }
      const { events, onEvent } = eventLog();
      const vault = await tempVault(t, { path, segmentBytes, acceptLoss: firstLost, onEvent });
      const kept = Object.fromEntries(Object.entries(expected).filter(([key]) => Number(key.slice(3)) < 17));
      assert.deepEqual(contentOf(vault.head("ann")!), kept);
      const [lost] = events.filter(({ type }) => type === "log.lost");
      assert.ok(lost?.type === "log.lost" && lost.firstSeq === firstLost && lost.lastSeq >= lastSeq);
      const commit = vault.commit([put(vault.head("ann")!, "later", "x")]);
      assert.ok(commit.seq > lastSeq, "the numbers of lost entries are not used again");
      await commit.durable;
      const isAside = readdirSync(log).some((file) => file.startsWith("lost-"));
      assert.equal(isAside, segmentBytes === 4096);

      const image = tempFolder(t);
      cpSync(path, image, { recursive: true });
      await vault.close();
      for (const each of [path, image]) {
        const again = await tempVault(t, { path: each, segmentBytes });
        assert.deepEqual(contentOf(again.head("ann")!), { ...kept, later: "x" }, "no leave is needed any more");
        await again.close();
      }
    });
  }
});

it("a loss that was accepted on a full disk is refused, and can be accepted again by the same process", async (t) => {
  const origin = tempFolder(t);
  const path = tempFolder(t);
  const first = await tempVault(t, { path: origin });
  const { branch } = first.create({ name: "ann" });
  for (let i = 0; i < 10; i++) await first.commit([put(branch, `key${i}`, `value-${i}-`)]).durable;
  cpSync(origin, path, { recursive: true });
  const log = join(path, "log", "0000000001.log");
  overwrite(log, readFileSync(log).indexOf("value-5-"), Buffer.from("X"));
  const refusal = await Vault.open(vaultOptions(path)).catch((error: unknown) => error);
  assert.ok(refusal instanceof VaultError && refusal.code === "VAULT_LOG_DAMAGED");
  const acceptLoss = Number(refusal.details["firstLostSeq"]);
  const files = new FaultyFiles();
  files.bytesLeft = 1000;
  await assert.rejects(Vault.open(vaultOptions(path, { acceptLoss, files })), code("VAULT_COMMIT_FAILED"));
  files.bytesLeft = undefined;
  const vault = await tempVault(t, { path, acceptLoss, files });
  assert.equal(Object.keys(contentOf(vault.head("ann")!)).length, 5);
});
