/** History and points in time of a long log: complete, and others have their turn meanwhile. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { bytes, tempVault, text } from "../support/temp-vault.ts";

const COMMITS = 150_000;

it("a history of 150,000 commits is told whole, and neither it nor a point in time keeps the thread", async (t) => {
  const vault = await tempVault(t, { segmentBytes: 32 << 20 });
  const { branch } = vault.create({});
  for (let i = 1; i <= COMMITS; i++) {
    const ops = [{ put: "k", value: bytes(`${i}`) }];
    vault.commit([{ type: "write", branch: branch.id, ops }], { durability: "memory" });
    if (i % 10_000 === 0) await vault.barrier();
  }
  let turns = 0;
  const counting = { next: setImmediate(() => undefined) };
  const count = () => {
    turns++;
    counting.next = setImmediate(count);
  };
  t.after(() => clearImmediate(counting.next));
  count();
  const history = await branch.history();
  assert.equal(history.length, COMMITS + 1);
  assert.deepEqual([history[0]!.seq, history.at(-1)!.kind], [branch.head, "create"]);
  const told = turns;
  assert.ok(told >= 10, `history left ${told} turns to others`);
  const view = await branch.at({ seq: COMMITS - 5 });
  assert.equal(text(view.get("k")), `${COMMITS - 6}`);
  assert.ok(turns - told >= 10, `a point in time left ${turns - told} turns to others`);
});
