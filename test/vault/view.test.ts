/** What a view shows beside its values: the keys that were deleted and have not been tidied away yet. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytes, tempVault, text } from "../support/temp-vault.ts";

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
