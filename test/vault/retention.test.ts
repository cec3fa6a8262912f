/** Which snapshots and branches are no longer kept: the decision alone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Vault } from "../../vault/index.ts";
import type { BranchId, RetentionRule, Seq } from "../../vault/index.ts";
import { retentionPlan } from "../../vault/retention.ts";
import type { RetainedBranch, RetentionAction } from "../../vault/retention.ts";
import { code, tempFolder, vaultOptions } from "../support/temp-vault.ts";

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
