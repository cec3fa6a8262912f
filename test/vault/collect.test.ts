/**
 * Collection in a vault. The judge is a recount: after it, the store has exactly the pages that rows, branches, landmarks
 * and readers need, and every one of them is whole.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { Branch, View } from "../../vault/index.ts";
import {
  bytes,
  code,
  contentOf,
  eventLog,
  put,
  tempFolder,
  tempVault,
  text,
  vaultOptions,
} from "../support/temp-vault.ts";

const VALUE = bytes("v".repeat(300));

/** Enough for a tree of several leaves and an inner page. */
function rows(count: number, value: Uint8Array = VALUE) {
  return Array.from({ length: count }, (_, i) => ({ put: `k${String(i).padStart(5, "0")}`, value }));
}

function write(vault: Vault, branch: Branch, ops: ReturnType<typeof rows>) {
  return vault.commit([{ type: "write", branch: branch.id, ops }]);
}

describe("a collection", () => {
  it("takes what no branch needs any more, and leaves the rest as it was, also after reopening", async (t) => {
    const path = tempFolder(t);
    const { events, onEvent } = eventLog();
    const before = await Vault.open(vaultOptions(path, { onEvent, retainBytes: 0 }));
    const { branch } = before.create({ name: "a", ops: rows(400) });
    const { branch: fork } = before.fork(branch);
    write(before, fork, rows(400, bytes("w".repeat(300))));
    await before.checkpoint();
    const pages = before.stats().pages;
    before.commit([{ type: "drop", branch: fork.id }]);
    const content = contentOf(branch);
    const report = await before.maintenance.collect();
    assert.ok(report.pages > 5 && report.bytes > report.pages * 1000, JSON.stringify(report));
    assert.equal(before.stats().pages, pages - report.pages);
    assert.equal(before.stats().livePages, report.livePages);
    assert.equal(report.livePages, before.stats().pages);
    assert.deepEqual(report.damaged, []);
    assert.deepEqual(contentOf(branch), content);
    assert.equal((await before.maintenance.collect()).pages, 0, "nothing is left for a second one");
    assert.equal(events.filter(({ type }) => type === "pages.collected").length, 2);
    await before.close();
    const after = await tempVault(t, { path });
    assert.deepEqual(contentOf(after.head("a")!), content);
  });

  it("keeps long values, forks of forks, and a fork that outlives its parent", async (t) => {
    const vault = await tempVault(t, { retainBytes: 0 });
    const { branch } = vault.create({ ops: [...rows(300), { put: "long", value: new Uint8Array(200_000).fill(7) }] });
    const { branch: child } = vault.fork(branch);
    write(vault, child, [{ put: "child", value: VALUE }]);
    const { branch: grandchild } = vault.fork(child, { name: "g" });
    write(vault, grandchild, [{ put: "grandchild", value: VALUE }]);
    await vault.checkpoint();
    const content = contentOf(grandchild);
    vault.commit([branch, child].map(({ id }) => ({ type: "drop", branch: id }) as const));
    await vault.maintenance.collect();
    assert.deepEqual(contentOf(grandchild), content);
    assert.equal(grandchild.get("long")?.length, 200_000);
  });

  it("returns pages and rows of 1,000 dropped forks to where they were", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path, retainBytes: 0, segmentBytes: 4 << 20 });
    const { branch } = vault.create({ name: "a", ops: rows(300) });
    const { livePages } = await vault.maintenance.collect();
    const forks = Array.from({ length: 1_000 }, () => vault.fork(branch, { durability: "memory" }).branch);
    for (const fork of forks) vault.commit([put(fork, "k00007", "changed")], { durability: "memory" });
    await vault.checkpoint();
    assert.ok(vault.stats().pages >= livePages + 1_000);
    for (const fork of forks) vault.commit([{ type: "drop", branch: fork.id }], { durability: "memory" });
    const startMs = performance.now();
    const report = await vault.maintenance.collect();
    const ms = (performance.now() - startMs).toFixed(0);
    assert.deepEqual([report.livePages, vault.stats().pages], [livePages, livePages]);
    t.diagnostic(`collected ${report.pages} pages in ${ms} ms`);
    assert.deepEqual(contentOf(branch), Object.fromEntries(rows(300).map(({ put: key }) => [key, text(VALUE)])));
  });

  it("leaves alone what somebody reads: a view, an iteration, a point that is being replayed", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ ops: rows(400) });
    vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }]);
    write(vault, branch, rows(400, bytes("w".repeat(300))));
    const head = branch.head;
    write(vault, branch, rows(1));
    await vault.checkpoint();
    const view = await branch.at({ label: "s" });
    const iteration = branch.range()[Symbol.iterator]();
    const replayed = branch.at({ seq: head });
    iteration.next();
    vault.commit([{ type: "drop", branch: branch.id }]);
    await vault.checkpoint();
    await vault.maintenance.collect();
    assert.equal([...view.range()].length, 400);
    assert.equal([...{ [Symbol.iterator]: () => iteration }].length, 399);
    assert.equal([...(await replayed).range()].length, 400);
    for (const read of [() => branch.get("k00001"), () => [...branch.range()], () => [...vault.diff(branch, view)]])
      assert.throws(read, code("VAULT_BRANCH_UNKNOWN"));
    await assert.rejects(branch.at({ label: "s" }), code("VAULT_BRANCH_UNKNOWN"));
    await assert.rejects(branch.history(), code("VAULT_BRANCH_UNKNOWN"));
  });

  it("runs beside commits, forks and checkpoints", async (t) => {
    const vault = await tempVault(t, { retainBytes: 0, segmentBytes: 1 << 20 });
    const { branch } = vault.create({ name: "a", ops: rows(2_000) });
    const views: { readonly view: View; readonly content: Record<string, string> }[] = [];
    const collecting = { isDone: false };
    const collections = (async () => {
      for (let i = 0; i < 12; i++) await vault.maintenance.collect();
      collecting.isDone = true;
    })();
    for (let round = 0; !collecting.isDone; round++) {
      const { branch: fork } = vault.fork(branch);
      await write(vault, fork, rows(30, bytes(`${round}`.repeat(50)))).durable;
      if (round % 3 === 0) await vault.checkpoint();
      if (round % 4 === 0) vault.commit([{ type: "snapshot", branch: fork.id, label: "s" }]);
      if (round % 4 === 0) views.push({ view: await fork.at({ label: "s" }), content: contentOf(fork) });
      if (round % 5 === 0) vault.restore(branch.id, fork);
      vault.commit([{ type: "drop", branch: fork.id }]);
    }
    await collections;
    const content = contentOf(branch);
    assert.equal(Object.keys(content).length, 2_000);
    for (const each of views) assert.deepEqual(contentOf(each.view), each.content);
    assert.ok(views.length > 0);
  });

  it("that is asked for twice runs twice at most, and one that the vault's end cuts short says VAULT_CLOSED", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent });
    vault.create({ ops: rows(10) });
    const shared = [1, 2, 3].map(() => vault.maintenance.collect());
    await shared[0];
    const [a, b] = await Promise.all(shared);
    assert.equal(a, b);
    const running = vault.maintenance.collect();
    const refused = assert.rejects(running, code("VAULT_CLOSED"));
    await vault.close();
    await refused;
    assert.ok(!events.some(({ type }) => type === "collect.failed"));
    await assert.rejects(vault.maintenance.collect(), code("VAULT_CLOSED"));
  });

  it("starts by itself when enough may be garbage, and not before", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent, retainBytes: 0, collectAt: { share: 0.5, pages: 20 } });
    const { branch } = vault.create({ name: "a", ops: rows(400) });
    const collected = () => events.filter(({ type }) => type === "pages.collected").length;
    await vault.checkpoint();
    await vault.maintenance.idle();
    assert.equal(collected(), 0, "a dozen pages are not enough");
    for (let round = 0; collected() === 0; round++) {
      write(vault, branch, rows(400, bytes(`${round}`.repeat(300))));
      await vault.checkpoint();
      await vault.maintenance.idle();
      assert.ok(round < 9, "it never started");
    }
    const { pages, livePages } = vault.stats();
    assert.equal(pages, livePages);
  });
});
