/** Page numbers after a crash between a checkpoint's pages and its rows. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import { ARENA_PREFIX } from "../../vault/rows.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { bytes, contentOf, put, tempFolder, tempVault, text, vaultOptions } from "../support/temp-vault.ts";

it("a fork that names pages of a checkpoint which a crash cut off keeps its state through the next checkpoints", async (t) => {
  const image = join(tempFolder(t), "image");
  const path = tempFolder(t);
  let atRows: (() => void) | undefined;
  let transactions = 0;
  // The second transaction is that of the rows: the pages are there, and no row names them.
  const onStep = (step: string): void => (step === "store.commit" && ++transactions === 2 ? atRows?.() : undefined);
  const vault = await tempVault(t, { path, onStep });
  const ops = (tag: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ put: `k${i}`, value: bytes(`${tag} ${i} ${"x".repeat(50)}`) }));
  const { branch } = vault.create({ name: "a", ops: ops("first", 50) });
  const mark = (label: string) => vault.commit([{ type: "snapshot", branch: branch.id, label }]);
  mark("s1");
  vault.commit([{ type: "write", branch: branch.id, ops: ops("second", 20) }]);
  mark("s2");
  vault.commit([put(branch, "k49", "three")]);
  mark("s3");
  const { seq } = vault.commit([put(branch, "between", "1")]);
  vault.commit([put(branch, "between", "2")]);
  const view = await branch.at({ seq });
  const expected = contentOf(view);
  let kept: Promise<void> | undefined;
  atRows = () => {
    cpSync(path, image, { recursive: true });
    kept = vault.fork(view, { name: "old" }).commit.durable;
  };
  await vault.checkpoint();
  assert.ok(kept !== undefined);
  await kept;
  // The log may be quicker than LMDB: the fork was on the disk before the rows were.
  cpSync(join(path, "log"), join(image, "log"), { recursive: true });
  // A branch that is no longer young is merged where it was not before: other pages get the same numbers.
  for (const clock of [new SimulatedClock(1_800_000_060_000), new SimulatedClock(1_800_000_120_000)]) {
    await using again = await Vault.open(vaultOptions(image, { clock }));
    assert.deepEqual(contentOf(again.head("old")!), expected);
    await again.checkpoint();
    assert.deepEqual(contentOf(again.head("old")!), expected);
    again.commit([{ type: "write", branch: again.head("a")!.id, ops: ops("later", 50) }]);
    await again.checkpoint();
    assert.deepEqual(contentOf(again.head("old")!), expected);
    assert.ok((await again.maintenance.check()).isSound);
  }
});

describe("a counter of pages whose row is gone", () => {
  it("goes on behind every page that a root names: nothing that is needed is written over", async (t) => {
    const path = tempFolder(t);
    const many = (tag: string) =>
      Array.from({ length: 400 }, (_, i) => ({ put: `k${i}`, value: bytes(tag.repeat(200)) }));
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a", ops: many("1") });
      await vault.commit([{ type: "snapshot", branch: branch.id, label: "one" }]).durable;
      await vault.checkpoint();
      const { store } = vault.maintenance.context.parts;
      const [row] = store.rangeMeta(ARENA_PREFIX);
      await store.transaction((draft) => draft.deleteMeta(row![0]));
    }
    const vault = await tempVault(t, { path });
    const branch = vault.head("a")!;
    await vault.commit([{ type: "write", branch: branch.id, ops: many("2") }]).durable;
    await vault.checkpoint();
    assert.equal(text((await branch.at({ label: "one" })).get("k7")), "1".repeat(200));
    assert.equal(text(branch.get("k7")), "2".repeat(200));
    assert.equal((await vault.maintenance.check()).isSound, true);
  });
});
