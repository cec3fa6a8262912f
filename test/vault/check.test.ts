/**
 * Check and repair. Invariants: a sound vault is told to be sound; every damage is found and named; a repair restores the
 * page byte for byte or leaves it alone; nothing reads wrongly afterwards.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { BackupReader } from "../../vault/backup-reader.ts";
import { Vault } from "../../vault/index.ts";
import type { Branch, VaultOptions } from "../../vault/index.ts";
import { readFolder, writeFolder } from "../support/folder-image.ts";
import type { FolderImage } from "../support/folder-image.ts";
import { flipPages, overwrite, storedPages } from "../support/page-file.ts";
import type { StoredPage } from "../support/page-file.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { bytes, contentOf, eventLog, put, tempFolder, tempVault } from "../support/temp-vault.ts";

const KEYS = Array.from({ length: 400 }, (_, i) => `key${String(i).padStart(3, "0")}`);

async function fill(vault: Vault, name: string): Promise<Branch> {
  const ops = KEYS.map((key) => ({ put: key, value: bytes(`${name}-${key}-${"x".repeat(200)}`) }));
  const { branch, commit } = vault.create({ name, ops });
  await commit.durable;
  return branch;
}

function pagesOf(path: string, arena: number, kind: string): readonly StoredPage[] {
  return storedPages(join(path, "pages.mdb")).filter((page) => page.id.arena === arena && page.kind === kind);
}

/** A vault with all kinds of pages: two agents, a fork, long values, a delta over a base, a snapshot. */
async function richVault(t: TestContext, overrides: Partial<VaultOptions>): Promise<Vault> {
  const clock = new SimulatedClock();
  const vault = await tempVault(t, { ...overrides, clock });
  const ann = await fill(vault, "ann");
  await fill(vault, "bob");
  const long = new Uint8Array(200_000).map((_, i) => (i * 7) % 251);
  vault.commit([{ type: "write", branch: ann.id, ops: [{ put: "long", value: long }] }]);
  await vault.checkpoint();
  vault.commit([{ type: "snapshot", branch: ann.id, label: "first" }]);
  for (let i = 0; i < 60; i++) vault.commit([put(ann, KEYS[i * 5]!, `second-${i}-${"y".repeat(300)}`)]);
  vault.commit([{ type: "write", branch: ann.id, ops: [{ delete: KEYS[7]! }, { delete: "none" }] }]);
  vault.fork(ann, { name: "child" });
  await vault.checkpoint();
  for (let i = 0; i < 30; i++) vault.commit([put(ann, KEYS[i * 3]!, `third-${i}`)]);
  await vault.barrier();
  return vault;
}

describe("a check", () => {
  it("of a sound vault, closed or busy, says that it is sound and tells its progress", async (t) => {
    const path = tempFolder(t);
    const vault = await richVault(t, { path });
    const seen: number[] = [];
    const report = await vault.maintenance.check({ onProgress: ({ done, total }) => void seen.push(done / total) });
    assert.deepEqual([report.problems, report.damaged, report.repaired], [[], [], []]);
    const { pages, bytes, rows, entries } = report;
    assert.ok(report.isSound && pages > 15 && bytes > 300_000 && rows > 5 && entries > 90, JSON.stringify(report));
    assert.equal(report.pages + report.unreachablePages, vault.stats().pages);
    assert.equal(seen.at(-1), 1);
    await vault.close();
    const again = await tempVault(t, { path });
    assert.ok((await again.maintenance.check()).isSound);
  });

  it("goes on while commits, checkpoints and collections do", async (t) => {
    const vault = await richVault(t, {});
    const ann = vault.head("ann")!;
    const ended = new AbortController();
    const checks = (async () => {
      for (let round = 0; round < 5; round++) {
        const { isSound, problems, damaged } = await vault.maintenance.check();
        assert.ok(isSound, JSON.stringify({ problems, damaged }));
      }
    })().finally(() => ended.abort());
    for (let i = 0; !ended.signal.aborted; i++) {
      await vault.commit([put(ann, KEYS[i % KEYS.length]!, `busy-${i}`)]).durable;
      if (i % 5 === 0) await vault.checkpoint();
      if (i % 20 === 0) await vault.maintenance.collect();
    }
    await checks;
  });

  it("ends with VAULT_CLOSED when the vault is closed meanwhile, and with its signal", async (t) => {
    const vault = await richVault(t, {});
    const reason = new Error("enough");
    await assert.rejects(vault.maintenance.check({ signal: AbortSignal.abort(reason) }), reason);
    const running = vault.maintenance.check();
    const ended = assert.rejects(running, { code: "VAULT_CLOSED" }).catch(() => running);
    await vault.close();
    await ended;
  });

  it("finds every damaged page, names the agents it hurts, and leaves it alone", async (t) => {
    const path = tempFolder(t);
    const first = await richVault(t, { path });
    await first.close();
    const all = storedPages(join(path, "pages.mdb"));
    for (const bad of all) {
      const sound = Buffer.from(bad.bytes);
      flipPages(join(path, "pages.mdb"), [bad]);
      const vault = await tempVault(t, { path });
      const { damaged, isSound, repaired, unreachablePages } = await vault.maintenance.check();
      await vault.close();
      overwrite(join(path, "pages.mdb"), bad.at, sound);
      if (damaged.length === 0) {
        assert.ok(unreachablePages > 0, `page ${bad.id.arena}/${bad.id.no} is garbage`);
        continue;
      }
      assert.ok(!isSound);
      assert.deepEqual(repaired, []);
      const [damage] = damaged;
      assert.deepEqual([damage?.arena, damage?.no, damaged.length], [bad.id.arena, bad.id.no, 1]);
      assert.ok((damage?.agents.length ?? 0) > 0 && damage?.keys !== undefined && damage.root !== undefined);
      assert.ok(damage.agents.includes("bob") !== damage.agents.includes("ann"), "ann and bob share nothing");
    }
    assert.ok(all.length > 15);
  });

  it("finds damage in the log, in rows and in the identity", async (t) => {
    const path = tempFolder(t);
    const vault = await richVault(t, { path, retainBytes: 2 ** 30 });
    await vault.checkpoint();
    const [segment] = readdirSync(join(path, "log")).filter((name) => name.endsWith(".log"));
    const log = join(path, "log", segment!);
    const frame = readFileSync(log).indexOf("second-3-");
    overwrite(log, frame, Buffer.from("XXXXXX"));
    const identity = readFileSync(join(path, "vault.json"), "utf8");
    writeFileSync(join(path, "vault.json"), identity.replace(/"uuid":"./, '"uuid":"-'));
    const { problems, isSound } = await vault.maintenance.check();
    assert.ok(!isSound);
    assert.deepEqual(problems.map(({ where }) => where).toSorted(), ["identity", "log"]);
    const [lost] = problems.filter(({ where }) => where === "log");
    assert.equal(lost?.details["segment"], segment);
    assert.match(lost?.message ?? "", /only points in time among them are lost/);
    writeFileSync(join(path, "vault.json"), identity);
  });
});

describe("a repair", () => {
  it("takes the copy in memory, or the one in a backup", async (t) => {
    for (const from of ["memory", "backup"] as const) {
      const path = tempFolder(t);
      const first = await richVault(t, { path });
      const expected = contentOf(first.head("ann")!);
      const copy = tempFolder(t);
      await first.maintenance.backup(join(copy, "backup"));
      await first.close();
      const { events, onEvent } = eventLog();
      const vault = await tempVault(t, { path, onEvent });
      if (from === "memory") for (const { name } of vault.names()) contentOf(vault.head(name)!);
      const bad = pagesOf(path, vault.head("ann")!.id, "leaf");
      const inner = pagesOf(path, vault.head("ann")!.id, "inner");
      const blobs = from === "backup" ? pagesOf(path, vault.head("ann")!.id, "blob").slice(0, 2) : [];
      flipPages(join(path, "pages.mdb"), [...bad, ...inner, ...blobs]);
      using backup = await BackupReader.open(join(copy, "backup"));
      const report = await vault.maintenance.check({ repair: true, ...(from === "backup" ? { backup } : {}) });
      assert.ok(report.isSound, JSON.stringify(report));
      assert.ok(report.repaired.length >= 5 && report.repaired.every((each) => each.from === from));
      const told = events.filter(({ type }) => type === "page.repaired");
      assert.equal(told.length, report.repaired.length);
      assert.deepEqual(contentOf(vault.head("ann")!), expected);
      await vault.close();
      const again = await tempVault(t, { path });
      assert.ok((await again.maintenance.check()).isSound);
      assert.deepEqual(contentOf(again.head("ann")!), expected);
    }
  });

  it("rebuilds leaves and long values from older states and the log, byte for byte", async (t) => {
    const path = tempFolder(t);
    const first = await richVault(t, { path });
    const names = ["ann", "bob", "child"];
    const expected = names.map((name) => contentOf(first.head(name)!));
    const { id } = first.head("ann")!;
    await first.close();
    const leaves = [
      ...pagesOf(path, id, "blob"),
      ...pagesOf(path, id, "leaf"),
      ...pagesOf(path, first.names()[1]!.branch, "leaf"),
    ];
    let rebuilt = 0;
    for (const bad of leaves) {
      flipPages(join(path, "pages.mdb"), [bad]);
      const vault = await tempVault(t, { path });
      const report = await vault.maintenance.check({ repair: true });
      assert.ok(report.isSound, JSON.stringify(report));
      await vault.close();
      // The others were left behind: the states that needed them were computed again.
      const isIt = ({ id }: StoredPage) => id.no === bad.id.no && id.arena === bad.id.arena;
      if (storedPages(join(path, "pages.mdb")).find(isIt)?.bytes.equals(bad.bytes) === true) rebuilt++;
    }
    assert.ok(rebuilt >= leaves.length * 0.6, `${rebuilt} of ${leaves.length}`);
    const last = await tempVault(t, { path });
    assert.deepEqual(
      names.map((name) => contentOf(last.head(name)!)),
      expected,
    );
  });

  it("computes a state again from an older one and the log when a page has no copy, and leaves the page behind", async (t) => {
    const path = tempFolder(t);
    const clock = new SimulatedClock();
    const first = await tempVault(t, { path, clock });
    // Long keys and many of them, so that the inner page is of a size that lies by itself in the file.
    const keys = Array.from({ length: 1200 }, (_, i) => `${"k".repeat(60)}${String(i).padStart(4, "0")}`);
    const ops = (text: string) => keys.map((key) => ({ put: key, value: bytes(`${text}-${key}-${"y".repeat(400)}`) }));
    const ann = first.create({ name: "ann", ops: ops("first") }).branch;
    await first.checkpoint();
    first.commit([{ type: "snapshot", branch: ann.id, label: "first" }]);
    const before = contentOf(ann);
    const known = new Set(pagesOf(path, ann.id, "inner").map(({ id }) => id.no));
    clock.advance(60_000);
    first.commit([{ type: "write", branch: ann.id, ops: ops("second") }]);
    await first.checkpoint(); // a new base
    for (let i = 0; i < 20; i++) first.commit([put(ann, keys[i * 7]!, `third-${i}`)]);
    first.fork(ann, { name: "child" });
    await first.checkpoint();
    first.commit([put(ann, "last", "one")]);
    const expected = contentOf(ann);
    await first.close();
    const inner = pagesOf(path, ann.id, "inner").filter(({ id }) => !known.has(id.no));
    assert.equal(inner.length, 1);
    flipPages(join(path, "pages.mdb"), inner);
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { path, clock, onEvent });
    assert.throws(() => contentOf(vault.head("ann")!), { code: "VAULT_PAGE_DAMAGED" });
    const report = await vault.maintenance.check({ repair: true });
    assert.ok(report.isSound, JSON.stringify(report));
    assert.deepEqual(
      report.repaired.map(({ from }) => from),
      ["log"],
    );
    assert.equal(events.filter(({ type }) => type === "page.repaired").length, 1);
    assert.deepEqual(contentOf(vault.head("ann")!), expected);
    await vault.close();
    const again = await tempVault(t, { path, clock });
    assert.ok((await again.maintenance.check()).isSound);
    assert.deepEqual(contentOf(again.head("ann")!), expected);
    assert.deepEqual(contentOf(await again.head("ann")!.at({ label: "first" })), before);
    const { last, ...child } = expected;
    assert.deepEqual([last, contentOf(again.head("child")!)], ["one", child]);
  });

  it("leaves alone what nobody has a copy of, and says so", async (t) => {
    const path = tempFolder(t);
    const first = await richVault(t, { path, retainBytes: 0, segmentBytes: 16_384 });
    await first.close();
    const [blob] = pagesOf(path, first.head("ann")!.id, "blob");
    flipPages(join(path, "pages.mdb"), [blob!]);
    const vault = await tempVault(t, { path, retainBytes: 0 });
    await vault.commit([put(vault.head("bob")!, "a", "b")]).durable;
    const { isSound, repaired, damaged } = await vault.maintenance.check({ repair: true });
    assert.deepEqual([isSound, repaired, damaged.map(({ agents }) => agents)], [false, [], [["ann", "child"]]]);
    assert.throws(() => vault.head("ann")!.get("long"), { code: "VAULT_PAGE_DAMAGED" });
    assert.ok(vault.head("ann")!.get(KEYS[1]!) !== undefined);
  });

  it("writes damaged rows anew from the state in memory", async (t) => {
    const path = tempFolder(t);
    const vault = await richVault(t, { path });
    await vault.checkpoint();
    const file = readFileSync(join(path, "pages.mdb"));
    let flipped = 0;
    // Every copy of the row, those in pages of LMDB that are free by now too.
    for (let at = file.indexOf("\0bob"); at >= 0; at = file.indexOf("\0bob", at + 1)) {
      overwrite(join(path, "pages.mdb"), at + 3, Buffer.from("B"));
      flipped++;
    }
    assert.ok(flipped > 0);
    const found = await vault.maintenance.check();
    assert.ok(found.problems.some(({ where }) => where === "rows"));
    const repaired = await vault.maintenance.check({ repair: true });
    assert.deepEqual(repaired.problems, []);
    await vault.close();
    const again = await tempVault(t, { path });
    assert.ok(again.head("bob") !== undefined && (await again.maintenance.check()).isSound);
  });
});

describe("page numbers", () => {
  it("that a checkpoint gave out before it was killed are garbage and no damage", async (t) => {
    const [path, copy] = [tempFolder(t), tempFolder(t)];
    let image: FolderImage | undefined;
    let isWatched = false;
    const onStep = (step: string) => {
      if (isWatched && step === "store.commit.done") image ??= readFolder(path);
    };
    const vault = await tempVault(t, { path, onStep });
    const branch = await fill(vault, "a");
    await vault.checkpoint();
    const { pages } = vault.stats();
    for (const key of KEYS) vault.commit([put(branch, key, `again-${"y".repeat(300)}`)]);
    isWatched = true;
    await vault.checkpoint();
    assert.ok(image !== undefined, "it was killed when its pages were written and its rows were not");
    writeFolder(copy, image);
    const again = await tempVault(t, { path: copy });
    assert.ok(again.stats().pages > pages);
    const { isSound, problems, unreachablePages } = await again.maintenance.check();
    assert.deepEqual(problems, []);
    assert.equal(isSound, true);
    assert.equal(unreachablePages, again.stats().pages - pages);
  });

  it("that count as free although their pages are needed are a problem", async (t) => {
    const vault = await tempVault(t);
    const { id } = await fill(vault, "a");
    await vault.checkpoint();
    // Opening would put a counter right whose row is lost; this one goes wrong afterwards.
    vault.maintenance.context.parts.checkpoint.folder.forgetArenas([id]);
    const { isSound, problems } = await vault.maintenance.check();
    assert.equal(isSound, false);
    assert.match(problems[0]?.message ?? "", /counts as free/);
  });
});
