/** Two states side by side: complete, exact, and no more read than what differs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { diffLayers } from "../../vault/diff.ts";
import type { Vault } from "../../vault/index.ts";
import type { Branch, Op, View } from "../../vault/index.ts";
import { StateLayer } from "../../vault/layer.ts";
import { applyOps } from "../../vault/tree-apply.ts";
import { MemoryPages, rootOf } from "../support/memory-pages.ts";
import { seed } from "../support/random-runs.ts";
import { bytes, code, contentOf, put, tempVault, text } from "../support/temp-vault.ts";

/** A diff as text. */
function shown(vault: Vault, before: View, after: View) {
  return [...vault.diff(before, after)].map((change) => [change.key, text(change.before), text(change.after)]);
}

/** What the diff must be, from all that both states show. */
function expected(before: View, after: View) {
  const [a, b] = [contentOf(before), contentOf(after)];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted();
  return keys.filter((key) => a[key] !== b[key]).map((key) => [key, a[key], b[key]]);
}

describe("vault.diff", () => {
  it("lists what was put, changed and deleted, in order, and nothing that reads the same", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ ops: ["a", "b", "c", "d"].map((key) => ({ put: key, value: bytes(key) })) });
    const { branch: fork } = vault.fork(branch);
    const ops: Op[] = [{ put: "b", value: bytes("B") }, { delete: "c" }, { put: "d", value: bytes("d") }];
    vault.commit([{ type: "write", branch: fork.id, ops: [...ops, { put: "e", value: bytes("e") }, { delete: "x" }] }]);
    const changes = [
      ["b", "b", "B"],
      ["c", "c", undefined],
      ["e", undefined, "e"],
    ];
    assert.deepEqual(shown(vault, branch, fork), changes);
    assert.deepEqual(
      shown(vault, fork, branch),
      changes.map(([key, before, after]) => [key, after, before]),
    );
    assert.deepEqual(shown(vault, fork, fork), []);
    await vault.checkpoint();
    assert.deepEqual(shown(vault, branch, fork), changes, "the same from pages");
    assert.deepEqual("before" in [...vault.diff(branch, fork)][2]!, false, "absent is absent");
  });

  it("refuses a view of another vault", async (t) => {
    const [one, other] = [await tempVault(t), await tempVault(t)];
    const [a, b] = [one.create({}).branch, other.create({}).branch];
    assert.throws(() => [...one.diff(a, b)], code("VAULT_POINT_UNKNOWN"));
  });

  it("agrees with a full comparison after any work on two branches", async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const change = fc.tuple(fc.constantFrom("one", "two", "checkpoint", "fork"), fc.nat(300), fc.nat(9));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 40 }), async (changes) => {
        const vault = await tempVault(t);
        const start = Array.from({ length: 200 }, (_, i) => ({ put: `k${i}`, value: bytes(`${i}`.repeat(20)) }));
        const branches: Record<string, Branch> = { one: vault.create({ ops: start }).branch };
        branches["two"] = vault.fork(branches["one"]!).branch;
        for (const [what, key, value] of changes) {
          if (what === "checkpoint") await vault.checkpoint();
          else if (what === "fork") branches["two"] = vault.fork(branches["one"]!).branch;
          else if (value === 0)
            vault.commit([{ type: "write", branch: branches[what]!.id, ops: [{ delete: `k${key}` }] }]);
          else vault.commit([put(branches[what]!, `k${key}`, String(value).repeat(30))]);
        }
        assert.deepEqual(shown(vault, branches["one"]!, branches["two"]), expected(branches["one"]!, branches["two"]));
        await vault.close();
      }),
      { seed, numRuns: 15 },
    );
  });

  it("reads pages in proportion to the difference, not to the state", async () => {
    const pages = await MemoryPages.create();
    const entries = Array.from(
      { length: 20_000 },
      (_, i) => [String(i).padStart(6, "0"), bytes("x".repeat(100))] as const,
    );
    const base = rootOf(pages.build(applyOps(pages, undefined, entries, pages.options(4_072, false))));
    const delta = rootOf(
      pages.build(applyOps(pages, undefined, [["010000", bytes("new")]], pages.options(4_072, true))),
    );
    const before = StateLayer.ofRoots({ base, delta: undefined });
    const after = StateLayer.ofRoots({ base, delta });
    pages.reads = 0;
    assert.equal([...diffLayers(pages, before, after)].length, 1);
    assert.ok(pages.reads < 20, `${pages.reads} of ${pages.count} pages were read`);
  });
});
