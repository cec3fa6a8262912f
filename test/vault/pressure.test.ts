/** Back-pressure: whoever asks for room waits while the disk lags, and only then. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pressure } from "../../vault/pressure.ts";
import { FaultyFiles, bytes, code, tempVault } from "../support/temp-vault.ts";

const MIB = 1024 * 1024;

describe("pressure", () => {
  it("lets nobody wait while there is room, and wakes whoever waits when there is room again", async () => {
    const level = { queued: 0, tables: 0 };
    const pressure = new Pressure({
      queuedBytes: () => level.queued,
      queuedBytesMax: 10,
      tableBytes: () => level.tables,
      tableBytesMax: 100,
    });
    assert.equal(pressure.room(), undefined);
    for (const [what, most] of [
      ["queued", 10],
      ["tables", 100],
    ] as const) {
      level[what] = most;
      assert.equal(pressure.room(), undefined, `${what} at its limit`);
      level[what] = most + 1;
      const room = pressure.room();
      assert.ok(room !== undefined);
      assert.equal(pressure.room(), room, "everybody waits for the same");
      pressure.relieve();
      assert.equal(pressure.room(), room, "nothing has changed");
      level[what] = 0;
      pressure.relieve();
      await room;
      assert.equal(pressure.room(), undefined);
    }
  });
});

describe("a vault whose disk is slow", () => {
  it("asks for patience, takes commits all the same, and has room when the disk has caught up", async (t) => {
    const files = new FaultyFiles();
    const held = Promise.withResolvers<void>();
    const vault = await tempVault(t, { files, segmentBytes: 64 * MIB });
    assert.equal(vault.room(), undefined);
    files.beforeSync = () => held.promise;
    const { branch } = vault.create({});
    const value = new Uint8Array(MIB);
    let commits = 0;
    while (vault.room() === undefined) {
      vault.commit([{ type: "write", branch: branch.id, ops: [{ put: `k${commits++}`, value }] }]);
      assert.ok(commits < 100, "the queue never filled");
    }
    const room = vault.room();
    const last = vault.commit([{ type: "write", branch: branch.id, ops: [{ put: "last", value: bytes("1") }] }]);
    let hasRoom = false;
    void room?.then(() => (hasRoom = true));
    await new Promise(setImmediate);
    assert.equal(hasRoom, false, "the disk stands still");
    held.resolve();
    await room;
    await last.durable;
    assert.equal(vault.room(), undefined);
  });

  it("lets nobody wait for a vault that has failed or is closed: the next commit says why", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { files, segmentBytes: 64 * MIB });
    const held = Promise.withResolvers<void>();
    files.beforeSync = () => held.promise;
    const { branch } = vault.create({});
    const value = new Uint8Array(MIB);
    for (let i = 0; vault.room() === undefined && i < 100; i++)
      vault.commit([{ type: "write", branch: branch.id, ops: [{ put: `k${i}`, value }] }]);
    const room = vault.room();
    files.plan = (operation) => (operation === "sync" ? { error: "EIO" } : undefined);
    held.resolve();
    await room;
    assert.equal(vault.room(), undefined);
    assert.throws(() => vault.commit([]), code("VAULT_FAILED"));
  });
});
