/** The vault as its callers see it: branches, names, snapshots, points in time, history, and every refusal. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { BranchId } from "../../vault/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import {
  FaultyFiles,
  bytes,
  code,
  contentOf,
  put,
  tempFolder,
  tempVault,
  text,
  vaultOptions,
} from "../support/temp-vault.ts";

describe("a branch", () => {
  it("shows a write at once, and after reopening, checkpointed or not", async (t) => {
    const path = tempFolder(t);
    for (const isCheckpointed of [false, true]) {
      await using vault = await Vault.open(vaultOptions(path));
      const branch = vault.head("a") ?? vault.create({ name: "a" }).branch;
      const commit = vault.commit([put(branch, `k-${isCheckpointed}`, "v")]);
      assert.equal(text(branch.get(`k-${isCheckpointed}`)), "v");
      assert.equal(branch.head, commit.seq);
      await commit.durable;
      assert.ok(commit.isDurable);
      if (isCheckpointed) await vault.checkpoint();
    }
    const vault = await tempVault(t, { path });
    assert.deepEqual(contentOf(vault.head("a")!), { "k-false": "v", "k-true": "v" });
    assert.equal(vault.recovery.entries, 0, "close has checkpointed");
  });

  it("lists keys in bytewise order within prefix, from, to and limit", async (t) => {
    const vault = await tempVault(t);
    const keys = ["b", "a", "ab", "abc", "😀", "ﬀ", "ac", "z"];
    const { branch } = vault.create({ ops: keys.map((key) => ({ put: key, value: bytes(key) })) });
    vault.commit([{ type: "write", branch: branch.id, ops: [{ delete: "ac" }] }]);
    const list = (options: Parameters<typeof branch.range>[0]) => [...branch.range(options)].map(([key]) => key);
    for (const isFolded of [false, true]) {
      if (isFolded) await vault.checkpoint();
      assert.deepEqual(list({}), ["a", "ab", "abc", "b", "z", "ﬀ", "😀"]);
      assert.deepEqual(list({ prefix: "ab" }), ["ab", "abc"]);
      assert.deepEqual(list({ from: "abc", to: "z" }), ["abc", "b"]);
      assert.deepEqual(list({ limit: 2 }), ["a", "ab"]);
      assert.ok(!branch.has("ac") && branch.has("ab"));
    }
  });

  it("keeps what was put even when the caller changes its bytes afterwards", async (t) => {
    const vault = await tempVault(t);
    const value = bytes("before");
    const { branch } = vault.create({ ops: [{ put: "k", value }] });
    value.fill(0);
    assert.equal(text(branch.get("k")), "before");
  });

  it("of several actions in one commit applies all or none", async (t) => {
    const vault = await tempVault(t);
    const a = vault.create({ name: "a" }).branch;
    const b = vault.create({ name: "b" }).branch;
    const move = { type: "name", name: "a", branch: b.id, expect: b.id } as const;
    assert.throws(() => vault.commit([put(a, "k", "1"), put(b, "k", "1"), move]), code("VAULT_NAME_TAKEN"));
    assert.deepEqual([contentOf(a), contentOf(b)], [{}, {}]);
    vault.commit([put(a, "k", "1"), put(b, "k", "2"), { ...move, expect: a.id }]);
    assert.deepEqual([contentOf(a), contentOf(b)], [{ k: "1" }, { k: "2" }]);
    assert.equal(vault.head("a"), b);
    assert.equal(a.name, undefined);
  });

  it("is gone with its names when it is dropped, and its fork lives on", async (t) => {
    const path = tempFolder(t);
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a", ops: [{ put: "k", value: bytes("v") }] });
      vault.fork(branch, { name: "child" });
      await vault.checkpoint();
      vault.commit([{ type: "drop", branch: branch.id }]);
      assert.equal(vault.branch(branch.id), undefined);
    }
    const vault = await tempVault(t, { path });
    assert.deepEqual(
      vault.names().map(({ name }) => name),
      ["child"],
    );
    assert.deepEqual(contentOf(vault.head("child")!), { k: "v" });
    assert.equal(vault.stats().branches, 1);
  });
});

describe("a writer epoch", () => {
  it("once raised refuses the writers of before, also after reopening", async (t) => {
    const path = tempFolder(t);
    let id: BranchId;
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a" });
      id = branch.id;
      const epoch = branch.fence();
      assert.equal(epoch, 1);
      assert.throws(() => vault.commit([{ ...put(branch, "k", "old"), epoch: 0 }]), code("VAULT_EPOCH_STALE"));
      vault.commit([{ ...put(branch, "k", "new"), epoch }]);
      assert.deepEqual(contentOf(branch), { k: "new" });
    }
    const vault = await tempVault(t, { path });
    assert.equal(vault.branch(id)?.epoch, 1);
    const stale = { ...put(vault.branch(id)!, "k", "old"), epoch: 0 };
    assert.throws(() => vault.commit([stale]), code("VAULT_EPOCH_STALE"));
    assert.throws(() => vault.commit([{ ...stale, epoch: Number.NaN }]), code("VAULT_EPOCH_STALE"));
  });
});

describe("a fork", () => {
  it("begins with its parent's state and then goes its own way", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a", ops: [{ put: "k", value: bytes("1") }] });
    const { branch: child, commit } = vault.fork(branch, { name: "shadow" });
    vault.commit([put(branch, "k", "2"), put(child, "k", "3")]);
    assert.deepEqual([contentOf(branch), contentOf(child)], [{ k: "2" }, { k: "3" }]);
    assert.equal(child.parent?.branch, branch.id);
    assert.equal(child.head > commit.seq, true);
    await vault.checkpoint();
    assert.deepEqual([contentOf(branch), contentOf(child)], [{ k: "2" }, { k: "3" }]);
  });

  it("of a past point is that point", async (t) => {
    const path = tempFolder(t);
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a" });
      const one = vault.commit([put(branch, "k", "1")]);
      vault.commit([put(branch, "k", "2"), put(branch, "l", "2")]);
      vault.fork(await branch.at({ seq: one.seq }), { name: "then" });
      assert.deepEqual(contentOf(vault.head("then")!), { k: "1" });
    }
    const vault = await tempVault(t, { path });
    assert.deepEqual(contentOf(vault.head("then")!), { k: "1" });
  });

  it("writes the same few bytes for a state of 1 KB and of 4 MB", async (t) => {
    const cost = async (keys: number) => {
      const vault = await tempVault(t, { segmentBytes: 16 * 1024 * 1024 });
      const value = new Uint8Array(1000).fill(7);
      const ops = Array.from({ length: keys }, (_, i) => ({ put: `key-${i}`, value }));
      const { branch } = vault.create({ ops });
      await vault.checkpoint();
      const before = vault.stats();
      const { branch: child, commit } = vault.fork(branch);
      await commit.durable;
      await vault.checkpoint();
      assert.equal([...child.range()].length, keys);
      const after = vault.stats();
      return { pages: after.pages - before.pages, logBytes: after.logBytes - before.logBytes };
    };
    const small = await cost(1);
    assert.deepEqual(await cost(4000), small);
    assert.deepEqual(small, { pages: 0, logBytes: 64 });
  });
});

describe("a point in the past", () => {
  it("is found by label, by seq and by time, before and after checkpoints and reopening", async (t) => {
    const path = tempFolder(t);
    const clock = new SimulatedClock();
    const expected: { seq: number; timeMs: number; content: Record<string, string> }[] = [];
    {
      await using vault = await Vault.open(vaultOptions(path, { clock }));
      const { branch } = vault.create({ name: "a" });
      for (let i = 0; i < 40; i++) {
        clock.advance(1000);
        const { seq } = vault.commit([put(branch, `k${i % 7}`, String(i))]);
        expected.push({ seq, timeMs: clock.now(), content: contentOf(branch) });
        if (i % 10 === 3) vault.commit([{ type: "snapshot", branch: branch.id, label: `at-${i}` }]);
        if (i % 9 === 5) await vault.checkpoint();
      }
      await allPointsAreRight(vault);
    }
    await allPointsAreRight(await tempVault(t, { path, clock }));

    async function allPointsAreRight(vault: Vault): Promise<void> {
      const branch = vault.head("a")!;
      for (const [i, { seq, timeMs, content }] of expected.entries()) {
        assert.deepEqual(contentOf(await branch.at({ seq })), content, `seq ${seq}`);
        assert.deepEqual(contentOf(await branch.at({ timeMs: timeMs + 500 })), content, `time of ${seq}`);
        if (i % 10 === 3) assert.deepEqual(contentOf(await branch.at({ label: `at-${i}` })), content);
      }
      assert.deepEqual(
        branch.snapshots().map(({ label }) => label),
        ["at-3", "at-13", "at-23", "at-33"],
      );
    }
  });

  it("before a fork is the parent's", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    const one = vault.commit([put(branch, "k", "1")]);
    vault.commit([{ type: "snapshot", branch: branch.id, label: "good" }]);
    vault.commit([put(branch, "k", "2")]);
    const { branch: child } = vault.fork(branch);
    vault.commit([put(child, "k", "3")]);
    await vault.checkpoint();
    vault.commit([put(child, "k", "4")]);
    assert.deepEqual(contentOf(await child.at({ seq: one.seq })), { k: "1" });
    assert.deepEqual(contentOf(await child.at({ label: "good" })), { k: "1" });
    assert.deepEqual(contentOf(await child.at({ seq: child.parent!.seq })), { k: "2" });
    assert.deepEqual(contentOf(await child.at({ seq: child.head - 1 })), { k: "3" });
  });

  it("of a snapshot in the middle of a commit is what stood there", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({});
    const snapshot = { type: "snapshot", branch: branch.id, label: "between" } as const;
    const { seq } = vault.commit([put(branch, "k", "1"), snapshot, put(branch, "k", "2")]);
    vault.commit([put(branch, "k", "3")]);
    assert.deepEqual(contentOf(await branch.at({ label: "between" })), { k: "1" });
    assert.deepEqual(contentOf(await branch.at({ seq })), { k: "2" });
    await vault.checkpoint();
    assert.deepEqual(contentOf(await branch.at({ label: "between" })), { k: "1" });
    assert.deepEqual(contentOf(await branch.at({ seq })), { k: "2" });
  });

  it("that never was is VAULT_POINT_UNKNOWN", async (t) => {
    const clock = new SimulatedClock();
    const vault = await tempVault(t, { clock });
    const { branch } = vault.create({});
    const last = vault.commit([put(branch, "k", "1")]);
    const points = [{ label: "x" }, { seq: last.seq + 1 }, { seq: 0 }, { seq: 0.5 }, { seq: Number.NaN }];
    for (const point of [...points, { timeMs: clock.now() - 1 }, { timeMs: Number.NaN }]) {
      await assert.rejects(branch.at(point), code("VAULT_POINT_UNKNOWN"), JSON.stringify(point));
    }
    const other = await tempVault(t);
    const view = await other.create({}).branch.at({ seq: 1 });
    assert.throws(() => vault.fork(view), code("VAULT_POINT_UNKNOWN"));
  });

  it("that the retained log no longer reaches is VAULT_POINT_EXPIRED, and snapshots stay", async (t) => {
    const clock = new SimulatedClock();
    const path = tempFolder(t);
    const retained = { clock, path, retainBytes: 0, segmentBytes: 4096 };
    const vault = await tempVault(t, retained);
    const { branch } = vault.create({ name: "a" });
    vault.commit([put(branch, "k", "0"), { type: "snapshot", branch: branch.id, label: "first" }]);
    const early = vault.commit([put(branch, "k", "1")]);
    const earlyMs = clock.now();
    clock.advance(1000);
    for (let i = 0; i < 200; i++) vault.commit([put(branch, "k", `${i}`)]);
    await vault.checkpoint();
    assert.ok(vault.stats().logBytes <= 4096, "old segments are gone");
    const isExpired = code("VAULT_POINT_EXPIRED");
    await assert.rejects(branch.at({ seq: early.seq }), isExpired);
    await assert.rejects(branch.at({ timeMs: earlyMs }), isExpired);
    assert.deepEqual(contentOf(await branch.at({ label: "first" })), { k: "0" });
    assert.deepEqual(contentOf(await branch.at({ seq: branch.head })), { k: "199" });
    const after = vault.commit([put(branch, "k", "new")]);
    assert.deepEqual(contentOf(await branch.at({ seq: after.seq - 1 })), { k: "199" });
    assert.equal((await branch.history()).at(-1)?.label, "first");
  });
});

describe("a restore", () => {
  it("brings a past state back, and can itself be taken back", async (t) => {
    const path = tempFolder(t);
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a", ops: [{ put: "k", value: bytes("good") }] });
      vault.commit([{ type: "snapshot", branch: branch.id, label: "good" }]);
      vault.commit([put(branch, "k", "bad"), put(branch, "l", "bad")]);
      await vault.checkpoint();
      const { seq } = vault.restore(branch.id, await branch.at({ label: "good" }));
      assert.deepEqual(contentOf(branch), { k: "good" });
      vault.restore(branch.id, await branch.at({ label: `before-restore-${seq}` }));
      assert.deepEqual(contentOf(branch), { k: "bad", l: "bad" });
      vault.restore(branch.id, await branch.at({ seq: seq - 2 }));
      assert.deepEqual(contentOf(branch), { k: "good" });
      vault.commit([put(branch, "m", "after")]);
      assert.deepEqual(contentOf(await branch.at({ seq })), { k: "good" });
    }
    const vault = await tempVault(t, { path });
    assert.deepEqual(contentOf(vault.head("a")!), { k: "good", m: "after" });
  });
});

describe("a history", () => {
  it("tells newest first what was done, with keys, labels and notes, across a fork", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    vault.commit([put(branch, "k", "1"), put(branch, "l", "1")], { note: bytes("turn 1") });
    vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }]);
    const { branch: child } = vault.fork(branch, { name: "b" });
    vault.commit([put(branch, "x", "not the child's")]);
    vault.commit([{ type: "write", branch: child.id, ops: [{ delete: "k" }] }]);
    vault.restore(child.id, await child.at({ label: "s" }));
    const told = (await child.history()).map(({ kind, label, keys }) => [kind, label ?? keys.join()].join(" ").trim());
    assert.deepEqual(told, [
      "restore s",
      "snapshot before-restore-7",
      "write k",
      "name b",
      "fork",
      "snapshot s",
      "write l",
      "write k",
      "name a",
      "create",
    ]);
    const [, , , , , , second] = await child.history();
    assert.equal(text(second?.note), "turn 1");
    assert.equal((await child.history({ limit: 3 })).length, 3);
  });
});

describe("a refusal", () => {
  it("leaves everything as it was", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "a" });
    const write = (key: string) => [put(branch, "fine", "v"), put(branch, key, "v")];
    const before = vault.stats();
    for (const key of ["", "x".repeat(513), "é".repeat(257), "lone \ud800"]) {
      assert.throws(() => vault.commit(write(key)), code("VAULT_KEY_INVALID"), JSON.stringify(key.slice(0, 9)));
    }
    for (const label of ["", "x".repeat(257), "\udfff"]) {
      const snapshot = { type: "snapshot", branch: branch.id, label } as const;
      assert.throws(() => vault.commit([put(branch, "fine", "v"), snapshot]), code("VAULT_NAME_INVALID"));
      assert.throws(() => vault.create({ name: label }), code("VAULT_NAME_INVALID"));
    }
    const nowhere = 99 as BranchId; // A number no branch has.
    assert.throws(() => vault.commit([{ type: "drop", branch: nowhere }]), code("VAULT_BRANCH_UNKNOWN"));
    assert.throws(() => vault.commit([{ type: "write", branch: nowhere, ops: [] }]), code("VAULT_BRANCH_UNKNOWN"));
    assert.throws(() => vault.create({ name: "a" }), code("VAULT_NAME_TAKEN"));
    assert.throws(() => vault.fork(branch, { name: "a" }), code("VAULT_NAME_TAKEN"));
    const huge = { put: "k", value: new Uint8Array(64 * 1024 * 1024 + 1) };
    assert.throws(() => vault.create({ ops: [huge] }), code("VAULT_VALUE_TOO_LARGE"));
    assert.deepEqual(vault.stats(), before);
    assert.deepEqual(contentOf(branch), {});
    vault.commit([{ type: "drop", branch: branch.id }]);
    assert.throws(() => vault.fork(branch), code("VAULT_BRANCH_UNKNOWN"));
  });

  it("after close is VAULT_CLOSED", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ ops: [{ put: "k", value: bytes("v") }] });
    await vault.checkpoint();
    await vault.close();
    await vault.close();
    assert.throws(() => vault.commit([put(branch, "k", "w")]), code("VAULT_CLOSED"));
    assert.throws(() => vault.create({}), code("VAULT_CLOSED"));
    assert.throws(() => vault.fork(branch), code("VAULT_CLOSED"));
    assert.throws(() => branch.get("k"), code("VAULT_CLOSED"));
    await assert.rejects(vault.barrier(), code("VAULT_CLOSED"));
    await assert.rejects(vault.checkpoint(), code("VAULT_CLOSED"));
  });
});

describe("a value", () => {
  it("larger than a segment of the log, or than a page, comes back whole", async (t) => {
    const path = tempFolder(t);
    const value = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
    {
      await using vault = await Vault.open(vaultOptions(path));
      const { branch } = vault.create({ name: "a", ops: [{ put: "k", value }] });
      vault.commit([put(branch, "l", "after")]);
    }
    const vault = await tempVault(t, { path });
    assert.deepEqual(vault.head("a")?.get("k"), value);
    assert.equal(text(vault.head("a")?.get("l")), "after");
  });
});

describe("a snapshot that is forgotten", () => {
  it("is no longer listed or found, while its moment is still a point in time; also after a crash", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path });
    const { branch } = vault.create({ name: "a", ops: [{ put: "k", value: bytes("1") }] });
    const { seq } = vault.commit([{ type: "snapshot", branch: branch.id, label: "one" }]);
    vault.commit([put(branch, "k", "2")]);
    const forget = { type: "forget", branch: branch.id, label: "one", seq } as const;
    assert.throws(() => vault.commit([{ ...forget, label: "two" }]), code("VAULT_POINT_UNKNOWN"));
    await vault.commit([forget]).durable;
    for (const isReopened of [false, true]) {
      const each = isReopened ? await reopened(t, vault, path) : vault;
      const again = each.head("a")!;
      assert.deepEqual(again.snapshots(), []);
      await assert.rejects(again.at({ label: "one" }), code("VAULT_POINT_UNKNOWN"));
      assert.equal(text((await again.at({ seq })).get("k")), "1");
      assert.throws(() => each.commit([forget]), code("VAULT_POINT_UNKNOWN"));
    }
  });

  it("is back when the disk was full for the commit that forgot it", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { files });
    const { branch, commit } = vault.create({ ops: [{ put: "k", value: bytes("1") }] });
    await commit.durable;
    const { seq, durable } = vault.commit([{ type: "snapshot", branch: branch.id, label: "one" }]);
    await durable;
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const failed = vault.commit([{ type: "forget", branch: branch.id, label: "one", seq }]);
    assert.deepEqual(branch.snapshots(), []);
    await assert.rejects(failed.durable, code("VAULT_COMMIT_FAILED"));
    files.plan = () => undefined;
    assert.deepEqual(
      branch.snapshots().map(({ label }) => label),
      ["one"],
    );
  });
});

async function reopened(t: TestContext, vault: Vault, path: string): Promise<Vault> {
  await vault.close();
  return tempVault(t, { path });
}
