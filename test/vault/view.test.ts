/**
 * What a view shows beside its values: the keys that were deleted and have not been tidied away yet. And for how long: what a
 * reader has begun with stays.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Branch, Vault } from "../../vault/index.ts";
import { bytes, put, tempVault, text } from "../support/temp-vault.ts";

/** Small segments and no past: pages that nobody holds are collected at once. */
const FORGETFUL = { retainBytes: 0, segmentBytes: 4096 };

/** Writes all of it anew, often enough for its pages to be merged, and collects the old ones. */
async function renew(vault: Vault, branch: Branch): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60; i++) await vault.commit([put(branch, `k${i}`, `${round}${"x".repeat(400)}`)]).durable;
    await vault.checkpoint();
    await vault.maintenance.collect();
  }
}

describe("a view", () => {
  it("lists deleted keys too where that is asked for, so that a reader can bound its work", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ ops: [{ put: "a", value: bytes("1") }] });
    const ops = [{ put: "b", value: bytes("2") }, { delete: "a" }, { delete: "c" }];
    await vault.commit([{ type: "write", branch: branch.id, ops }]).durable;
    const frozen = await branch.at({ seq: branch.head });
    for (const view of [branch, frozen]) {
      const list = (options?: Parameters<typeof branch.entries>[0]) =>
        [...view.entries(options)].map(([key, value]) => `${key} ${text(value ?? undefined)}`);
      assert.deepEqual(list(), ["a undefined", "b 2", "c undefined"]);
      assert.deepEqual(list({ from: "b", to: "c" }), ["b 2"]);
      assert.deepEqual(list({ prefix: "c" }), ["c undefined"]);
    }
  });
});

describe("what a reader has begun with stays, whatever is written and collected meanwhile", () => {
  it("also before its first step", async (t) => {
    const vault = await tempVault(t, FORGETFUL);
    const { branch } = vault.create({ ops: [{ put: "a", value: bytes("1") }] });
    await vault.checkpoint();
    const iterator = branch.range()[Symbol.iterator]();
    await renew(vault, branch);
    assert.deepEqual(iterator.next().value, ["a", bytes("1")]);
  });

  it("as a side of a diff", async (t) => {
    const vault = await tempVault(t, FORGETFUL);
    const { branch } = vault.create({ ops: [{ put: "k7", value: bytes("old") }] });
    await vault.checkpoint();
    const before = await branch.at({ seq: branch.head });
    vault.commit([put(branch, "a", "1"), put(branch, "z", "1")]);
    const changes: string[] = [];
    for (const changed of vault.diff(before, branch)) {
      changes.push(`${changed.key} ${text(changed.after)}`);
      vault.commit([put(branch, "y", "2"), put(branch, "z", "2")]);
      await renew(vault, branch);
    }
    assert.deepEqual(changes, ["a 1", "z 1"]);
  });
});

describe("a range of a live branch", () => {
  for (const isReverse of [false, true]) {
    for (const freezes of [false, true]) {
      const how = `${isReverse ? "backwards" : "forwards"}${freezes ? ", when a checkpoint has come between" : ""}`;
      it(`shows each entry ahead as it is when it is reached, ${how}`, async (t) => {
        const vault = await tempVault(t);
        const { branch } = vault.create({ ops: ["a", "c", "e", "g"].map((key) => ({ put: key, value: bytes("1") })) });
        await vault.checkpoint();
        vault.commit([put(branch, "d", "1"), put(branch, "f", "1")]);
        const seen: string[] = [];
        for (const [key, value] of branch.range({ reverse: isReverse, limit: 6 })) {
          seen.push(`${key}${text(value)}`);
          if (seen.length > 1) continue;
          if (freezes) await vault.checkpoint();
          const ops = ["b", "c", "d", "e"].map((each) => ({ put: each, value: bytes("2") }));
          vault.commit([{ type: "write", branch: branch.id, ops: [...ops, { delete: "f" }] }]);
        }
        assert.deepEqual(seen, isReverse ? ["g1", "e2", "d2", "c2", "b2", "a1"] : ["a1", "b2", "c2", "d2", "e2", "g1"]);
      });
    }
  }
});
