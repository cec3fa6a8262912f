/**
 * What a collection may not touch, each reason by itself: a page written after the capture, a state that only the rows of the
 * store have, one that only the memory has.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Branch, Vault } from "../../vault/index.ts";
import { captureForCollect } from "../../vault/collect-capture.ts";
import { sweep } from "../../vault/collect-sweep.ts";
import { PageSet } from "../../vault/page-set.ts";
import { reachablePages } from "../../vault/reachable.ts";
import { Slices } from "../../vault/slices.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { FaultyFiles, bytes, code, contentOf, tempVault } from "../support/temp-vault.ts";

function rows(count: number, letter: string) {
  return Array.from({ length: count }, (_, i) => ({
    put: `k${String(i).padStart(4, "0")}`,
    value: bytes(letter.repeat(300)),
  }));
}

function write(vault: Vault, branch: Branch, letter: string): void {
  vault.commit([{ type: "write", branch: branch.id, ops: rows(300, letter) }]);
}

function storedIds(vault: Vault) {
  return vault.maintenance.context.parts.store.pageIds({ from: { arena: 0, no: 0 }, limit: 10_000 });
}

async function capture(vault: Vault) {
  const { context } = vault.maintenance;
  const captured = await context.checkpoints.exclusively(() => captureForCollect(context, new Slices()));
  await captured.settled;
  return captured;
}

it("pages that are written after the capture stay, in old branches and in new ones", async (t) => {
  const vault = await tempVault(t);
  const { branch } = vault.create({ ops: rows(300, "a") });
  await vault.checkpoint();
  const before = storedIds(vault);
  const captured = await capture(vault);
  write(vault, branch, "b");
  vault.create({ ops: rows(300, "c") });
  await vault.checkpoint();
  const written = storedIds(vault).slice(before.length);
  assert.deepEqual(new Set(written.map(({ arena }) => arena)), new Set([1, 2]));
  // As if nothing at all were reachable.
  await sweep(vault.maintenance.context, { capture: captured, live: new PageSet() }, new Slices());
  assert.deepEqual(storedIds(vault), written);
});

it("what the rows of the store reach stays until a checkpoint has changed them", async (t) => {
  const vault = await tempVault(t);
  const { branch } = vault.create({ ops: rows(300, "a") });
  await vault.checkpoint();
  await vault.commit([{ type: "drop", branch: branch.id }]).durable;
  const { store } = vault.maintenance.context.parts;
  const live = async () => (await reachablePages(store, (await capture(vault)).roots, new Slices())).pages.count;
  assert.equal(await live(), storedIds(vault).length);
  await vault.checkpoint();
  assert.equal(await live(), 0);
});

it("what only the memory reaches stays: pages of a checkpoint whose rows did not fit on the disk", async (t) => {
  const files = new FaultyFiles();
  const steps = { isFilling: false };
  const onStep = (step: string) => {
    if (steps.isFilling && step === "store.commit.done") files.bytesLeft = 0;
  };
  const clock = new SimulatedClock();
  const vault = await tempVault(t, { files, onStep, clock });
  const { branch } = vault.create({ ops: rows(300, "a") });
  vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }]);
  write(vault, branch, "b");
  clock.advance(60_000); // a branch of this age gets a base of its own, which shares nothing with the snapshot
  steps.isFilling = true;
  await assert.rejects(vault.checkpoint(), code("VAULT_COMMIT_FAILED"));
  steps.isFilling = false;
  files.bytesLeft = undefined;
  assert.ok(storedIds(vault).length > 10, "its pages were written");
  const { context } = vault.maintenance;
  const captured = await capture(vault);
  const { pages } = await reachablePages(context.parts.store, captured.roots, new Slices());
  await sweep(context, { capture: captured, live: pages }, new Slices());
  for (const [view, letter] of [
    [branch, "b"],
    [await branch.at({ label: "s" }), "a"],
  ] as const) {
    const content = Object.values(contentOf(view));
    assert.deepEqual([content.length, content[7]], [300, letter.repeat(300)]);
  }
});
