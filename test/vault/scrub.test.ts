/**
 * The scrubber. Invariants: it finds every page that is bad on the disk; what is sound is never told as bad, however much is
 * written meanwhile; it keeps its pace.
 */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { systemClock } from "../../vault/index.ts";
import type { Branch, Vault } from "../../vault/index.ts";
import { openDisk } from "../../vault/scrub-disk.ts";
import { flipPages, overwrite, storedPages } from "../support/page-file.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { bytes, contentOf, eventLog, put, tempFolder, tempVault } from "../support/temp-vault.ts";

const FAST = { bytesPerSecond: Infinity };

async function fill(vault: Vault, name: string, count: number): Promise<Branch> {
  const ops = Array.from({ length: count }, (_, i) => ({
    put: `key${i}`,
    value: bytes(`${name}-${i}-${"x".repeat(300)}`),
  }));
  const { branch, commit } = vault.create({ name, ops });
  await commit.durable;
  await vault.checkpoint();
  return branch;
}

describe("a scrub", () => {
  it("reads every page and finds nothing in a sound vault", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent });
    await fill(vault, "ann", 500);
    vault.create({ ops: [{ put: "small", value: bytes("x") }], name: "small" });
    vault.create({ ops: [{ put: "long", value: new Uint8Array(300_000) }], name: "long" });
    await vault.checkpoint();
    const report = await vault.maintenance.scrub(FAST);
    assert.deepEqual([report.pages, report.damaged, report.structure], [vault.stats().pages, [], undefined]);
    assert.ok(report.bytes > 450_000);
    t.diagnostic(report.isDirect ? "reads went past the cache" : "this file system has no direct reads");
    assert.deepEqual(
      events.filter(({ type }) => type === "pages.scrubbed").map((event) => ({ ...event, durationMs: 0 })),
      [{ type: "pages.scrubbed", pages: report.pages, bytes: report.bytes, damaged: 0, durationMs: 0 }],
    );
  });

  it("finds every bad page, mends those that are sound in memory, and names whom the others hurt", async (t) => {
    const path = tempFolder(t);
    const first = await tempVault(t, { path });
    const expected = contentOf(await fill(first, "ann", 400));
    await fill(first, "bob", 400);
    await first.close();
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { path, onEvent });
    contentOf(vault.head("ann")!); // all of it is in memory now
    const pages = storedPages(join(path, "pages.mdb")).filter(({ kind }) => kind === "leaf");
    flipPages(join(path, "pages.mdb"), pages);
    const { damaged, mended, pages: count } = await vault.maintenance.scrub(FAST);
    const ann = pages.filter(({ id }) => id.arena === vault.head("ann")!.id).map(({ id }) => id);
    assert.deepEqual(
      damaged,
      pages.map(({ id }) => id),
    );
    assert.deepEqual(mended, ann);
    assert.ok(ann.length > 5 && count > pages.length);
    const told = events.flatMap((event) => (event.type === "page.damaged" ? [event.agents] : []));
    assert.deepEqual(
      told,
      pages.map(({ id }) => [id.arena === vault.head("ann")!.id ? "ann" : "bob"]),
    );
    await vault.close();
    const again = await tempVault(t, { path });
    assert.deepEqual(contentOf(again.head("ann")!), expected);
    assert.deepEqual((await again.maintenance.scrub(FAST)).damaged.length, pages.length - ann.length);
  });

  it("mends the head of a long value, on which LMDB relies", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path });
    await fill(vault, "ann", 200);
    const [page] = storedPages(join(path, "pages.mdb"));
    overwrite(join(path, "pages.mdb"), page!.at - 4, Uint8Array.of(99));
    assert.deepEqual((await vault.maintenance.scrub(FAST)).mended, [page!.id]);
    assert.deepEqual((await vault.maintenance.scrub(FAST)).damaged, []);
  });

  it("is not misled by what is written and collected meanwhile", async (t) => {
    const vault = await tempVault(t, {});
    const ann = await fill(vault, "ann", 600);
    const ended = new AbortController();
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        const keys = Array.from({ length: 20 }, (_, j) => `key${(i * 37 + j * 11) % 600}`);
        for (const key of keys) vault.commit([put(ann, key, `busy-${i}-${"y".repeat(200)}`)]);
        await vault.checkpoint();
        if (i % 4 === 0) await vault.maintenance.collect();
      }
    })().finally(() => ended.abort());
    let passes = 0;
    for (; !ended.signal.aborted; passes++) {
      const { damaged, structure } = await vault.maintenance.scrub(FAST);
      assert.deepEqual([damaged, structure], [[], undefined]);
    }
    await writing;
    assert.ok(passes > 1);
  });

  it("keeps its pace, and ends when its signal or the vault does", async (t) => {
    const clock = new SimulatedClock();
    const vault = await tempVault(t, { clock });
    await fill(vault, "ann", 2000);
    const pass = vault.maintenance.scrub({ bytesPerSecond: 100_000 });
    let seconds = 0;
    const done = pass.then(() => true);
    while (!(await Promise.race([done, turns(50)]))) {
      clock.advance(100);
      seconds += 0.1;
    }
    const { bytes: read } = await pass;
    assert.ok(seconds >= read / 100_000 - 3, `${read} bytes in ${seconds} s`);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(vault.maintenance.scrub({ ...FAST, signal }), reason);
    const cut = assert.rejects(vault.maintenance.scrub({ bytesPerSecond: 1 }), { code: "VAULT_CLOSED" });
    await turns(20);
    await vault.close();
    await cut;
  });

  it("runs by itself, pass after pass", async (t) => {
    const clock = new SimulatedClock();
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { clock, onEvent, scrub: { bytesPerSecond: Infinity, everyMs: 1000 } });
    await fill(vault, "ann", 100);
    const passes = () => events.filter(({ type }) => type === "pages.scrubbed").length;
    for (const pass of [1, 2, 3]) {
      clock.advance(999);
      await vault.maintenance.idle();
      assert.equal(passes(), pass - 1);
      clock.advance(1);
      while (passes() < pass || clock.armed === 0) await turn(); // until the next one is due
    }
    await vault.close();
    assert.deepEqual(
      events.filter(({ type }) => type === "scrub.failed"),
      [],
    );
  });

  it("does not keep the thread", async (t) => {
    const vault = await tempVault(t, { clock: systemClock });
    await fill(vault, "ann", 5000);
    let longestMs = 0;
    const ended = new AbortController();
    const pass = vault.maintenance.scrub(FAST).finally(() => ended.abort());
    for (let before = performance.now(); !ended.signal.aborted; before = performance.now()) {
      await turn();
      longestMs = Math.max(longestMs, performance.now() - before);
    }
    assert.deepEqual((await pass).damaged, []);
    t.diagnostic(`longest block ${longestMs.toFixed(1)} ms`);
    assert.ok(longestMs < 50, "5 ms on a quiet machine");
  });
});

describe("a disk reader", () => {
  it("reads what is in the file", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path });
    await fill(vault, "ann", 300);
    const disk = await openDisk(join(path, "pages.mdb"));
    for (const { at, bytes: expected } of storedPages(join(path, "pages.mdb"))) {
      const pages = Math.ceil((expected.length + 24) / 4096);
      const read = await disk.read({ page: (at - 24) / 4096, pages });
      assert.ok(read.subarray(24, 24 + expected.length).equals(expected));
    }
    await assert.rejects(disk.read({ page: 2 ** 30, pages: 1 }), { name: "StoreFault" });
    await disk.close();
  });
});

async function turns(count: number): Promise<false> {
  for (let i = 0; i < count; i++) await turn();
  return false;
}
