/**
 * The log under load and under faults: groups, durability modes, full disks, failing disks.
 *
 * Invariants: (1) what was acknowledged is there after reopening; (2) what was refused is not, neither in memory nor
 * after reopening; (3) a commit is there whole or not at all; (4) after a failed sync nothing is promised any more.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault, VaultError } from "../../vault/index.ts";
import type { Branch, Commit, VaultOptions } from "../../vault/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import {
  FaultyFiles,
  code,
  contentOf,
  eventLog,
  put,
  tempFolder,
  tempVault,
  text,
  vaultOptions,
} from "../support/temp-vault.ts";
import type { Fault, FileOperation } from "../support/temp-vault.ts";

/** A vault whose next sync waits until the test lets it go. */
async function slowVault(t: TestContext, overrides: Partial<VaultOptions> = {}) {
  const files = new FaultyFiles();
  const vault = await tempVault(t, { files, segmentBytes: 16 * 1024 * 1024, ...overrides });
  const { branch, commit } = vault.create({ name: "a" });
  await commit.durable;
  await vault.barrier();
  const hold = () => {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    files.beforeSync = async () => {
      reached.resolve();
      await released.promise;
      files.beforeSync = async () => undefined;
    };
    return { reached: reached.promise, release: () => released.resolve() };
  };
  return { vault, branch, files, hold };
}

describe("group commit", () => {
  it("makes commits that come during a flush durable with one more sync, in their order", async (t) => {
    const { vault, branch, hold } = await slowVault(t);
    const before = vault.stats().fsyncs;
    const { reached, release } = hold();
    const first = vault.commit([put(branch, "k", "first")]);
    await reached;
    const settled: number[] = [];
    const rest = Array.from({ length: 200 }, (_, i) => vault.commit([put(branch, "k", String(i))]));
    for (const { seq, durable } of rest) durable.then(() => settled.push(seq));
    assert.ok(!first.isDurable);
    release();
    await Promise.all(rest.map(({ durable }) => durable));
    assert.equal(vault.stats().fsyncs - before, 2);
    assert.deepEqual(
      settled,
      rest.map(({ seq }) => seq),
    );
    assert.equal(vault.durableSeq, rest.at(-1)?.seq);
  });

  it("takes commits of one turn together, and no more than 1 MiB at once", async (t) => {
    const { vault, branch, files } = await slowVault(t);
    const writes = () => files.operations.filter((operation) => operation === "write").length;
    const [before, fsyncs] = [writes(), vault.stats().fsyncs];
    const large = "x".repeat(400_000);
    await Promise.all([1, 2, 3, 4].map((i) => vault.commit([put(branch, `k${i}`, large)]).durable));
    assert.equal(writes() - before, 4, "two groups, each with its end mark");
    assert.equal(vault.stats().fsyncs - fsyncs, 2);
  });
});

describe("a crowd of writers", () => {
  it("is flushed in halves that take turns, each on its way before the one before it is told", async (t) => {
    const { vault, branch, files } = await slowVault(t);
    const told: number[] = [];
    const commits = Array.from({ length: 100 }, (_, i) => vault.commit([put(branch, `k${i}`, "v")]));
    const all = Promise.all(commits.map(({ durable }, i) => durable.then(() => told.push(i))));
    const syncs: number[] = [];
    files.beforeSync = async () => void syncs.push(told.length);
    await all;
    assert.deepEqual(syncs, [0, 0], "nobody is told before the second half is on its way");
    assert.deepEqual(
      told,
      [...told].toSorted((x, y) => x - y),
      "in the order of the commits",
    );
    assert.ok(vault.durableSeq >= commits.at(-1)!.seq);
  });

  it("is told before the log fails, as far as it was kept", async (t) => {
    const { vault, branch, files } = await slowVault(t);
    let syncs = 0;
    files.plan = (operation) => (operation === "sync" && ++syncs === 2 ? { error: "EIO" } : undefined);
    const commits = Array.from({ length: 100 }, (_, i) => vault.commit([put(branch, `k${i}`, "v")]));
    const results = await Promise.allSettled(commits.map(({ durable }) => durable));
    const kept = results.filter(({ status }) => status === "fulfilled").length;
    assert.equal(kept, 50);
    assert.equal(vault.durableSeq, commits[49]!.seq);
  });
});

describe("durability", () => {
  it("memory: kept at once, on disk when asked for", async (t) => {
    const { vault, branch } = await slowVault(t, { durability: "memory" });
    const commit = vault.commit([put(branch, "k", "v")]);
    assert.ok(commit.isDurable);
    await commit.durable;
    assert.ok(vault.durableSeq < commit.seq);
    await vault.barrier(commit.seq);
    assert.ok(vault.durableSeq >= commit.seq);
  });

  it("os: kept after the write, synced after 50 ms or 100 entries, never later than a second", async (t) => {
    const clock = new SimulatedClock();
    const { vault, branch } = await slowVault(t, { durability: "os", clock, syncEveryMs: 5000 });
    const { fsyncs } = vault.stats();
    const commit = vault.commit([put(branch, "k", "v")]);
    assert.ok(!commit.isDurable);
    await commit.durable;
    assert.equal(vault.stats().fsyncs, fsyncs);
    clock.advance(1000);
    await until(() => vault.durableSeq >= commit.seq);
    assert.equal(vault.stats().fsyncs, fsyncs + 1);
    for (let i = 0; i < 100; i++) await vault.commit([put(branch, "k", "v")]).durable;
    await until(() => vault.stats().fsyncs === fsyncs + 2);
  });

  it("of a commit is never less than that of what it builds upon", async (t) => {
    const { vault, branch, hold } = await slowVault(t);
    const other = vault.create({ durability: "memory" }).branch;
    await vault.barrier();
    const { reached, release } = hold();
    const strict = vault.commit([put(branch, "k", "disk")]);
    await reached;
    const weak = { durability: "memory" } as const;
    const upon = vault.commit([put(branch, "k", "memory")], weak);
    const fork = vault.fork(branch, weak);
    const beside = vault.commit([put(other, "k", "memory")], weak);
    assert.deepEqual([upon.isDurable, fork.commit.isDurable, beside.isDurable], [false, false, true]);
    release();
    await Promise.all([strict.durable, upon.durable, fork.commit.durable]);
    assert.ok(vault.commit([put(branch, "k", "later")], weak).isDurable);
  });
});

describe("a full disk", () => {
  it("undoes what it could not keep, goes on reading, and takes commits again when there is space", async (t) => {
    const { events, onEvent } = eventLog();
    const path = tempFolder(t);
    const { vault, branch, files } = await slowVault(t, { onEvent, path });
    await vault.commit([put(branch, "k", "kept")]).durable;
    const snapshots = vault.stats();
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const lost = [
      vault.commit([put(branch, "k", "lost"), put(branch, "l", "lost")]),
      vault.commit([{ type: "snapshot", branch: branch.id, label: "lost" }]),
      vault.create({ name: "lost" }).commit,
      vault.fork(branch, { name: "lost too" }).commit,
      vault.restore(branch.id, await branch.at({ seq: 1 })),
      vault.commit([put(branch, "m", "lost")]),
      vault.commit([{ type: "name", name: "a", branch: undefined }]),
      vault.commit([{ type: "drop", branch: branch.id }]),
    ];
    for (const { durable } of lost) await assert.rejects(durable, code("VAULT_COMMIT_FAILED"));
    assert.deepEqual(contentOf(branch), { k: "kept" });
    assert.equal(vault.head("a"), branch);
    assert.deepEqual(vault.names(), [{ name: "a", branch: branch.id }]);
    assert.deepEqual(branch.snapshots(), []);
    assert.equal(vault.stats().branches, snapshots.branches);
    assert.deepEqual(events.map(({ type }) => type).slice(1), ["commit.failed"]);
    files.plan = () => undefined;
    const after = vault.commit([put(branch, "k", "after")]);
    assert.ok(after.seq > lost.at(-1)!.seq, "a number is not used twice");
    await after.durable;
    await vault.close();
    const again = await tempVault(t, { path });
    assert.deepEqual(contentOf(again.head("a")!), { k: "after" });
    assert.deepEqual(
      again.names().map(({ name }) => name),
      ["a"],
    );
  });

  it("keeps what was acknowledged in memory mode, in its order, and writes it later", async (t) => {
    const path = tempFolder(t);
    const { vault, branch, files } = await slowVault(t, { path });
    const other = vault.create({ name: "b", durability: "memory" }).branch;
    await vault.barrier();
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const weak = { durability: "memory" } as const;
    vault.commit([put(other, "k", "1")], weak);
    const strict = vault.commit([put(branch, "k", "lost")]);
    vault.commit([put(other, "k", "2")], weak);
    await assert.rejects(strict.durable, code("VAULT_COMMIT_FAILED"));
    assert.deepEqual([contentOf(branch), contentOf(other)], [{}, { k: "2" }]);
    await assert.rejects(vault.barrier(), code("VAULT_COMMIT_FAILED"));
    files.plan = () => undefined;
    await vault.commit([put(branch, "k", "kept")]).durable;
    await vault.close();
    const again = await tempVault(t, { path });
    assert.deepEqual([contentOf(again.head("a")!), contentOf(again.head("b")!)], [{ k: "kept" }, { k: "2" }]);
  });

  it("that takes writes again gets what was acknowledged, though nobody asks or commits", async (t) => {
    const clock = new SimulatedClock();
    const { vault, branch, files } = await slowVault(t, { clock });
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const kept = vault.commit([put(branch, "k", "1")], { durability: "memory" });
    await assert.rejects(vault.barrier(), code("VAULT_COMMIT_FAILED"));
    clock.advance(1000);
    await assert.rejects(vault.barrier(), code("VAULT_COMMIT_FAILED"));
    files.plan = () => undefined;
    const synced = Promise.withResolvers<void>();
    files.beforeSync = async () => synced.resolve();
    assert.ok(clock.armed > 0, "it will be tried again");
    clock.advance(1000);
    await synced.promise;
    await vault.barrier();
    assert.ok(vault.durableSeq >= kept.seq);
  });

  it("at any operation of the log loses nothing that was acknowledged", async (t) => {
    const operations = await sweep(t, (operation) => (operation === "sync" ? undefined : { error: "ENOSPC" }));
    t.diagnostic(`${operations} operations, each failing once and each failing from there on`);
  });

  it("in the middle of a write keeps the frames that fit and no part of the next", async (t) => {
    await sweep(t, (operation, cut) => (operation === "write" ? { takes: cut } : undefined));
  });
});

describe("a failing disk", () => {
  it("at any operation of the log loses nothing that was acknowledged, and nothing is promised afterwards", async (t) => {
    await sweep(t, () => ({ error: "EIO" }));
  });

  it("at a sync ends the vault: VAULT_FAILED, told once, never tried again, and reads go on", async (t) => {
    const { events, onEvent } = eventLog();
    const path = tempFolder(t);
    const { vault, branch, files } = await slowVault(t, { onEvent, path });
    await vault.commit([put(branch, "k", "kept")]).durable;
    files.plan = (operation) => (operation === "sync" ? { error: "EIO" } : undefined);
    const lost = vault.commit([put(branch, "k", "uncertain")]);
    await assert.rejects(lost.durable, code("VAULT_FAILED"));
    const { length } = files.operations;
    assert.throws(() => vault.commit([put(branch, "k", "more")]), code("VAULT_FAILED"));
    assert.throws(() => vault.create({}), code("VAULT_FAILED"));
    await assert.rejects(vault.barrier(), code("VAULT_FAILED"));
    await assert.rejects(vault.checkpoint(), code("VAULT_FAILED"));
    assert.deepEqual(contentOf(branch), { k: "kept" });
    assert.equal(files.operations.length, length, "nothing was tried again");
    assert.deepEqual(events.map(({ type }) => type).slice(1), ["commit.failed", "vault.failed"]);
    await vault.close();
    const again = await tempVault(t, { path });
    assert.ok(["kept", "uncertain"].includes(text(again.head("a")!.get("k")) ?? ""));
  });
});

describe("a checkpoint", () => {
  it("on a full disk fails without harm and works when there is space", async (t) => {
    const { events, onEvent } = eventLog();
    const { vault, branch, files } = await slowVault(t, { onEvent });
    vault.commit([put(branch, "k", "v")]);
    files.bytesLeft = 1000;
    await assert.rejects(vault.checkpoint(), code("VAULT_COMMIT_FAILED"));
    assert.equal(events.at(-1)?.type, "checkpoint.failed");
    await vault.commit([put(branch, "l", "w")]).durable;
    files.bytesLeft = undefined;
    await vault.checkpoint();
    assert.equal(vault.stats().checkpointSeq, vault.stats().seq);
    assert.deepEqual(contentOf(branch), { k: "v", l: "w" });
  });

  it("that is asked for by many at once runs one at a time, each holding what was committed before it", async (t) => {
    const { events, onEvent } = eventLog();
    const { vault, branch } = await slowVault(t, { onEvent });
    const runs = [1, 2, 3, 4].map(async (i) => {
      const { seq } = vault.commit([put(branch, "k", String(i))]);
      await vault.checkpoint();
      assert.ok(vault.stats().checkpointSeq >= seq);
    });
    await Promise.all(runs);
    const told = events.flatMap((event) => (event.type === "log.checkpointed" ? [event.seq] : []));
    assert.deepEqual(
      told,
      [...new Set(told)].toSorted((a, b) => a - b),
    );
  });

  it("starts by itself after checkpointBytes of log, and commits go on meanwhile", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent, checkpointBytes: 20_000, retainBytes: 0 });
    const { branch } = vault.create({ name: "a" });
    for (let i = 0; i < 1000; i++) await vault.commit([put(branch, `k${i}`, "v")]).durable;
    assert.ok(events.filter(({ type }) => type === "log.checkpointed").length >= 2);
    assert.equal(Object.keys(contentOf(branch)).length, 1000);
    assert.ok(vault.stats().logBytes < 3 * 64 * 1024, "the log stays short");
  });

  it("starts by itself when many snapshots have made the stack of layers deep", async (t) => {
    const { events, onEvent } = eventLog();
    const vault = await tempVault(t, { onEvent });
    const { branch } = vault.create({ name: "a" });
    for (let i = 0; i < 70; i++) {
      await vault.commit([put(branch, "k", String(i)), { type: "snapshot", branch: branch.id, label: `${i}` }]).durable;
    }
    await until(() => events.some(({ type }) => type === "log.checkpointed"));
    for (let i = 0; i < 70; i++) assert.equal(text((await branch.at({ label: `${i}` })).get("k")), String(i));
  });
});

/**
 * Runs the same work again and again, each time with the fault at the next operation: once only, and from there on.
 * After each run the vault is opened anew and compared with what it had acknowledged. Returns how many there were.
 */
async function sweep(t: TestContext, fault: (operation: FileOperation, no: number) => Fault): Promise<number> {
  for (let at = 1; ; at++) {
    for (const isLasting of [false, true]) {
      const isReached = await runWithFault(t, (operation, no) => {
        return no === at || (isLasting && no > at) ? fault(operation, at * 13) : undefined;
      });
      if (!isReached(at)) return at - 1;
    }
  }
}

const COMMITS = 6;

async function runWithFault(
  t: TestContext,
  plan: (operation: FileOperation, no: number) => Fault,
): Promise<(at: number) => boolean> {
  const path = tempFolder(t);
  const files = new FaultyFiles();
  const acked = new Map<string, number>();
  const refused = new Map<string, Set<number>>([
    ["a", new Set()],
    ["b", new Set()],
  ]);
  const vault = await Vault.open(vaultOptions(path, { files, segmentBytes: 1024 }));
  const branches: Branch[] = ["a", "b"].map((name) => vault.create({ name, durability: "os" }).branch);
  await vault.barrier();
  const skipped = files.operations.length;
  files.plan = (operation, no) => plan(operation, no - skipped);
  for (let i = 1; i <= COMMITS && (await isServing(vault)); i++) {
    const group = branches.map((branch) => [branch, commitOrFail(vault, branch, i)] as const);
    for (const [branch, commit] of group) {
      const outcome = await settled(commit);
      if (outcome === "kept") acked.set(branch.name!, i);
      else refused.get(branch.name!)!.add(i);
    }
    for (const branch of branches) assert.equal(text(branch.get("x")), text(branch.get("y")), "a commit is whole");
  }
  files.plan = () => undefined;
  const isFailed = !(await isServing(vault));
  await vault.close();
  await using again = await Vault.open(vaultOptions(path));
  for (const name of ["a", "b"]) {
    const branch = again.head(name)!;
    const found = Number(text(branch.get("x")) ?? 0);
    assert.equal(text(branch.get("x")), text(branch.get("y")), "a commit is whole");
    assert.ok(found >= (acked.get(name) ?? 0), `${name}: ${acked.get(name)} was acknowledged, ${found} is there`);
    // After a failing sync nobody knows; before it, what was refused is nowhere.
    if (!isFailed) assert.ok(!refused.get(name)!.has(found), `${name}: ${found} was refused and is there`);
  }
  return (at) => files.operations.length - skipped >= at;
}

function commitOrFail(vault: Vault, branch: Branch, no: number): Commit | undefined {
  try {
    return vault.commit([put(branch, "x", String(no)), put(branch, "y", String(no))]);
  } catch (error) {
    assert.ok(error instanceof VaultError && error.code === "VAULT_FAILED");
    return undefined;
  }
}

async function settled(commit: Commit | undefined): Promise<"kept" | "refused"> {
  if (commit === undefined) return "refused";
  try {
    await commit.durable;
    return "kept";
  } catch (error) {
    assert.ok(error instanceof VaultError && ["VAULT_COMMIT_FAILED", "VAULT_FAILED"].includes(error.code));
    return "refused";
  }
}

async function isServing(vault: Vault): Promise<boolean> {
  return vault.barrier().then(
    () => true,
    (error: unknown) => !(error instanceof VaultError && error.code === "VAULT_FAILED"),
  );
}

/** Lets the event loop turn until something has happened that the disk decides about; gives up after 10 s. */
async function until(isTrue: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 10_000; performance.now() < endMs;) {
    if (isTrue()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail("it did not happen");
}
