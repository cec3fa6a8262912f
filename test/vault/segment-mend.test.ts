/** Damage to the log that costs no state: headers that can be found again, and old segments that nothing needs any more. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault } from "../../vault/index.ts";
import { code, contentOf, eventLog, put, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

const SMALL = { segmentBytes: 4096 };

/** A vault of many segments, the last of them ahead of the checkpoint. */
async function manySegments(t: TestContext): Promise<{ path: string; segments: string[] }> {
  const path = tempFolder(t);
  {
    await using vault = await Vault.open(vaultOptions(path, SMALL));
    const { branch } = vault.create({ name: "a" });
    for (let i = 0; i < 60; i++) await vault.commit([put(branch, `k${i}`, "x".repeat(200))]).durable;
  }
  const names = readdirSync(join(path, "log")).filter((name) => /^\d+\.log$/.test(name));
  return { path, segments: names.toSorted().map((name) => join(path, "log", name)) };
}

describe("a segment header that cannot be read", () => {
  for (const which of ["first", "middle", "last"] as const) {
    it(`of the ${which} segment is found again from the frames behind it`, async (t) => {
      const { path, segments } = await manySegments(t);
      const index = { first: 0, middle: segments.length >> 1, last: segments.length - 1 }[which];
      const file = segments[index]!;
      const before = readFileSync(file);
      writeFileSync(file, Buffer.from(before).fill(0xff, 0, 64));
      const { events, onEvent } = eventLog();
      const vault = await tempVault(t, { path, ...SMALL, onEvent });
      assert.ok(events.some((event) => event.type === "segment.mended" && file.endsWith(event.segment)));
      assert.equal(Object.keys(contentOf(vault.head("a")!)).length, 60);
      assert.equal((await vault.head("a")!.history()).length, 62, "the whole past is there");
      // All but the time, which is the first frame's.
      assert.deepEqual(readFileSync(file).subarray(0, 48), before.subarray(0, 48));
      assert.equal((await vault.maintenance.check()).isSound, true);
    });
  }

  it("is damage when the first frame cannot be read either and the segment is ahead of the checkpoint", async (t) => {
    const path = tempFolder(t);
    const copy = join(path, "live");
    const vault = await tempVault(t, { path: copy, ...SMALL });
    const { branch } = vault.create({ name: "a" });
    for (let i = 0; i < 60; i++) await vault.commit([put(branch, `k${i}`, "x".repeat(200))]).durable;
    const log = join(copy, "log", "0000000003.log");
    const data = readFileSync(log);
    await vault.close();
    writeFileSync(log, data.fill(0xff, 0, 400));
    rmSync(join(copy, "pages.mdb"));
    await assert.rejects(Vault.open(vaultOptions(copy, SMALL)), code("VAULT_LOG_DAMAGED"));
    assert.ok(readdirSync(join(copy, "log")).includes("0000000003.log"), "nothing was put aside");
  });
});

describe("old log that cannot be read, all of it behind the checkpoint", () => {
  const damages: Record<string, (file: string) => void> = {
    "a missing segment": (file) => rmSync(file),
    "a cut header": (file) => truncateSync(file, 30),
    "a ruined beginning": (file) => writeFileSync(file, readFileSync(file).fill(0xa5, 0, 1000)),
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`${name} costs points in time before it, and nothing else`, async (t) => {
      const { path, segments } = await manySegments(t);
      damage(segments[2]!);
      const { events, onEvent } = eventLog();
      {
        await using vault = await Vault.open(vaultOptions(path, { ...SMALL, onEvent }));
        const branch = vault.head("a")!;
        assert.equal(Object.keys(contentOf(branch)).length, 60);
        const stranded = events.find((event) => event.type === "segments.stranded");
        assert.ok(stranded !== undefined && stranded.segments.length >= 2);
        await assert.rejects(branch.at({ seq: 3 }), code("VAULT_POINT_EXPIRED"));
        assert.ok((await branch.history()).length > 10);
        await vault.commit([put(branch, "after", "1")]).durable;
        assert.equal((await vault.maintenance.check()).isSound, true);
      }
      const again = await tempVault(t, { path, ...SMALL });
      assert.equal(Object.keys(contentOf(again.head("a")!)).length, 61);
      assert.ok(readdirSync(join(path, "log")).some((file) => file.startsWith("lost-")));
    });
  }

  it("is put aside by a check that repairs, which then says that all is sound", async (t) => {
    const { path, segments } = await manySegments(t);
    const data = readFileSync(segments[1]!);
    writeFileSync(segments[1]!, data.fill(0xa5, 2000, 2100));
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { path, ...SMALL, onEvent });
    const found = await vault.maintenance.check();
    assert.deepEqual(
      found.problems.map(({ where }) => where),
      ["log"],
    );
    assert.equal((await vault.maintenance.check({ repair: true })).isSound, true);
    assert.ok(events.some(({ type }) => type === "segments.stranded"));
    assert.equal((await vault.maintenance.check()).isSound, true);
    const branch = vault.head("a")!;
    assert.ok((await branch.history()).length > 10, "the later past can be listed again");
    assert.equal(Object.keys(contentOf(branch)).length, 60);
  });
});
