/** Which snapshots and branches are no longer kept: the decision, and what it does to a vault. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { Branch, BranchId, RetentionRule, Seq } from "../../vault/index.ts";
import { retentionPlan } from "../../vault/retention.ts";
import type { RetainedBranch, RetentionAction } from "../../vault/retention.ts";
import { bytes, code, contentOf, eventLog, put, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

const DAY = 86_400_000;
const NOW = 100 * DAY;

function branchOf(
  id: number,
  shape: {
    name?: string;
    head?: number;
    parent?: number;
    createdSeq?: number;
    labels?: readonly [string, number][];
  } = {},
): RetainedBranch {
  const labels = shape.labels ?? [];
  return {
    id: id as BranchId,
    parent: shape.parent === undefined ? undefined : { branch: shape.parent as BranchId },
    createdSeq: (shape.createdSeq ?? 1) as Seq,
    head: (shape.head ?? 1) as Seq,
    names: { size: shape.name === undefined ? 0 : 1 },
    landmarks: labels.map(([label, timeMs], index) => ({ kind: "snapshot", label, timeMs, seq: (index + 1) as Seq })),
  };
}

function plan(branches: readonly RetainedBranch[], rules: readonly RetentionRule[], firstSeq = 0): RetentionAction[] {
  const steps = retentionPlan(branches, { rules, dropsUnnamed: true }, { nowMs: NOW, firstSeq });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return [...step.value];
  }
}

/** Labels that go, of a named branch with these snapshots. */
function gone(labels: readonly [string, number][], ...rules: readonly RetentionRule[]): string[] {
  return plan([branchOf(1, { name: "a", labels })], rules).map((each) =>
    each.type === "forget" ? each.label : "drop",
  );
}

describe("a retention rule", () => {
  const three: readonly [string, number][] = [
    ["auto-1", NOW - 3 * DAY],
    ["auto-2", NOW - 2 * DAY],
    ["auto-3", NOW - DAY],
  ];

  it("by count keeps the newest, by age the younger, by both what either keeps", () => {
    assert.deepEqual(gone(three, { label: "auto-*", count: 2 }), ["auto-1"]);
    assert.deepEqual(gone(three, { label: "auto-*", count: 0 }), ["auto-3", "auto-2", "auto-1"]);
    assert.deepEqual(gone(three, { label: "auto-*", ageMs: 2 * DAY }), ["auto-2", "auto-1"]);
    assert.deepEqual(gone(three, { label: "auto-*", ageMs: 2 * DAY, count: 2 }), ["auto-1"]);
    assert.deepEqual(gone(three, { label: "auto-*", ageMs: 10 * DAY, count: 1 }), []);
  });

  it("leaves alone what no rule names", () => {
    assert.deepEqual(gone(three), []);
    assert.deepEqual(gone(three, { label: "auto", count: 0 }, { label: "auto-", count: 0 }), []);
    assert.deepEqual(gone(three, { label: "auto-2", count: 0 }), ["auto-2"]);
  });

  it("with # means a number, and nothing in it is a pattern but # and a * at the end", () => {
    const labels: readonly [string, number][] = [
      ["before-d12", 0],
      ["before-deploy", 0],
      ["before-d12-x", 0],
      ["a.c", 0],
      ["abc", 0],
    ];
    assert.deepEqual(gone(labels, { label: "before-d#", count: 0 }), ["before-d12"]);
    assert.deepEqual(gone(labels, { label: "before-d#-*", count: 0 }), ["before-d12-x"]);
    assert.deepEqual(gone(labels, { label: "a.c", count: 0 }), ["a.c"]);
  });

  it("decides alone when it is the first that fits", () => {
    const rules = [
      { label: "auto-1", count: 1 },
      { label: "auto-*", count: 1 },
    ];
    assert.deepEqual(gone(three, ...rules), ["auto-2"], "auto-1 has a rule of its own");
  });

  it("counts for each branch by itself", () => {
    const branches = [1, 2].map((id) => branchOf(id, { name: `n${id}`, labels: three }));
    const forgotten = plan(branches, [{ label: "auto-*", count: 2 }]);
    assert.deepEqual(
      forgotten.map(({ branch }) => branch),
      [2, 1],
    );
  });

  it("keeps longer when the clock has jumped back", () => {
    assert.deepEqual(gone([["auto-1", NOW + 5 * DAY]], { label: "auto-*", ageMs: DAY }), []);
  });

  it("that makes no sense is refused when the vault is opened", async (t) => {
    const rules: readonly RetentionRule[] = [
      { label: "", count: 1 },
      { label: "a*b", count: 1 },
      { label: "a**", count: 1 },
      { label: "a" },
      { label: "a", count: -1 },
      { label: "a", count: 1.5 },
      { label: "a", ageMs: Number.NaN },
      { label: "a", count: 1, ageMs: -1 },
    ];
    for (const rule of rules) {
      const retention = { rules: [rule], dropsUnnamed: false };
      await assert.rejects(
        Vault.open(vaultOptions(tempFolder(t), { retention })),
        code("VAULT_RETENTION_INVALID"),
        JSON.stringify(rule),
      );
    }
  });
});

describe("a branch without a name", () => {
  const drop = (id: number) => ({ type: "drop", branch: id });

  it("goes when the retained log has passed it and no snapshot of it is kept", () => {
    assert.deepEqual(plan([branchOf(1, { head: 9 })], [], 10), [drop(1)]);
    assert.deepEqual(plan([branchOf(1, { head: 10 })], [], 10), []);
    assert.deepEqual(plan([branchOf(1, { head: 9, name: "a" })], [], 10), []);
    assert.deepEqual(plan([branchOf(1, { head: 9, labels: [["mine", 0]] })], [], 10), []);
    const all = plan([branchOf(1, { head: 9, labels: [["auto", 0]] })], [{ label: "auto", count: 0 }], 10);
    assert.deepEqual(all, [drop(1)], "a dropped branch need not forget first");
    const left = (timeMs: number) => [branchOf(1, { head: 9, labels: [["auto", timeMs]] })];
    assert.deepEqual(plan(left(0), [{ label: "auto", count: 5, ageMs: DAY }], 10), [drop(1)], "no count keeps it");
    assert.deepEqual(plan(left(NOW), [{ label: "auto", count: 5, ageMs: DAY }], 10), []);
    assert.deepEqual(plan(left(0), [{ label: "auto", count: 5 }], 9), [], "the retained log has not passed it");
  });

  it("stays while a branch that was forked from it within the retained log may be asked for its past", () => {
    const parent = branchOf(1, { head: 5 });
    const child = (createdSeq: number) => branchOf(2, { parent: 1, createdSeq, head: 50, name: "a" });
    assert.deepEqual(plan([parent, child(12)], [], 10), []);
    assert.deepEqual(plan([parent, child(7)], [], 10), [drop(1)]);
  });

  it("stays where the policy says so", () => {
    const steps = retentionPlan([branchOf(1)], { rules: [], dropsUnnamed: false }, { nowMs: NOW, firstSeq: 10 });
    steps.next();
    assert.deepEqual(steps.next().value, []);
  });
});

describe("retention in a vault", () => {
  it("keeps every point of the retained log exact, and says of all others that they expired or are unknown", async (t) => {
    const rules = [{ label: "auto-#", count: 2 }];
    const retention = { rules, dropsUnnamed: true };
    const options = { retention, segmentBytes: 4096, retainBytes: 12 * 1024 };
    const path = tempFolder(t);
    const vault = await Vault.open(vaultOptions(path, options));
    const past: { seq: number; content: Record<string, string> }[] = [];
    const { branch } = vault.create({ name: "a" });
    const checkpoints: number[] = [];
    for (let round = 0; round < 60; round++) {
      const { seq, durable } = vault.commit([put(branch, `k${round % 7}`, `${round}`.repeat(300))]);
      await durable;
      past.push({ seq, content: contentOf(branch) });
      if (round % 10 === 5)
        await vault.commit([{ type: "snapshot", branch: branch.id, label: `auto-${round}` }]).durable;
      if (round === 25) await vault.commit([{ type: "snapshot", branch: branch.id, label: "mine" }]).durable;
      if (round % 6 === 0) await vault.checkpoint();
      if (round % 6 === 0) checkpoints.push(seq);
      if (round % 20 === 19) await vault.maintenance.collect();
    }
    const report = await vault.maintenance.collect();
    assert.ok(report.livePages > 0);
    await vault.close();
    const again = await tempVault(t, { ...options, path });
    const a = again.head("a")!;
    const labels = a.snapshots().map(({ label }) => label);
    assert.deepEqual(labels, ["mine", "auto-45", "auto-55"]);
    for (const label of labels) {
      const round = label === "mine" ? 25 : Number(label.slice(5));
      assert.deepEqual(contentOf(await a.at({ label })), past[round]!.content, label);
    }
    for (const label of ["auto-5", "auto-15", "auto-25", "auto-35"])
      await assert.rejects(a.at({ label }), code("VAULT_POINT_UNKNOWN"));
    const firstSeq = again.maintenance.context.context.folder.firstSeq!;
    const exactFrom = checkpoints.find((seq) => seq >= firstSeq)!;
    assert.ok(firstSeq > 10 && exactFrom < past.at(-1)!.seq - 5, `the log begins at ${firstSeq}`);
    let expired = 0;
    for (const { seq, content } of past) {
      const view = await a.at({ seq }).catch((error: unknown) => void code("VAULT_POINT_EXPIRED")(error));
      if (view !== undefined) assert.deepEqual(contentOf(view), content, `seq ${seq}`);
      else expired++;
      assert.ok(view !== undefined || seq < exactFrom, `seq ${seq} lies within the retained log`);
    }
    assert.ok(expired > 5, "old points are gone");
  });

  it("drops what a roll-back left behind once the log has passed it, and its pages go", async (t) => {
    const { events, onEvent } = eventLog();
    const retention = { rules: [{ label: "before-#", count: 0 }], dropsUnnamed: true };
    const vault = await tempVault(t, { onEvent, retention, segmentBytes: 4096, retainBytes: 0 });
    const ops = Array.from({ length: 200 }, (_, i) => ({ put: `k${i}`, value: bytes("v".repeat(200)) }));
    const { branch: old } = vault.create({ name: "a", ops });
    vault.commit([{ type: "snapshot", branch: old.id, label: "before-1" }]);
    const { branch: next } = vault.fork(old);
    vault.commit([
      { type: "name", name: "a", branch: next.id, expect: old.id },
      { type: "write", branch: next.id, ops: ops.map(({ put: key }) => ({ delete: key })) },
    ]);
    const kept = await vault.maintenance.collect();
    assert.deepEqual([kept.snapshots, kept.branches], [1, 0], "its past is within the retained log");
    for (let i = 0; i < 40; i++) await vault.commit([put(next, "k", `${i}`.repeat(200))]).durable;
    await vault.checkpoint();
    await vault.checkpoint();
    const dropped = await vault.maintenance.collect();
    assert.deepEqual([dropped.branches, vault.branch(old.id)], [1, undefined]);
    const told = events.findLast((event) => event.type === "pages.collected");
    assert.ok(told?.type === "pages.collected" && told.branches === 1);
  });

  it("is decided again for what was done while it was carried out", async (t) => {
    const retention = { rules: [{ label: "auto-#", count: 0 }], dropsUnnamed: true };
    const vault = await tempVault(t, { retention, segmentBytes: 4096, retainBytes: 0 });
    const { branch: busy } = vault.create({ name: "busy" });
    const idle = Array.from({ length: 600 }, () => vault.create({ durability: "memory" }).branch);
    for (let i = 0; i < 40; i++) await vault.commit([put(busy, "k", `${i}`.repeat(200))]).durable;
    await vault.checkpoint();
    await vault.checkpoint();
    const collected = vault.maintenance.collect();
    // The plan is made and partly carried out when callers turn to branches that are about to go.
    for (let i = 0; i < 100_000 && vault.stats().branches > 500; i++) await Promise.resolve();
    const [named, written, forked, marked, gone] = idle.slice(0, 5) as [Branch, Branch, Branch, Branch, Branch];
    vault.commit([{ type: "name", name: "kept", branch: named.id }, put(written, "k", "v")]);
    const { branch: child } = vault.fork(forked, { name: "child" });
    vault.commit([{ type: "snapshot", branch: marked.id, label: "mine" }]);
    vault.commit([{ type: "drop", branch: gone.id }]);
    await collected;
    for (const each of [named, written, forked, marked, child]) assert.ok(vault.branch(each.id), `branch ${each.id}`);
    assert.ok(vault.stats().branches < 20);
  });
});
