/** Work in slices: others get their turn, and an abort ends it between two steps. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Slices } from "../../vault/slices.ts";

function spin(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function* steps(count: number, ms: number): Generator<void, string> {
  for (let i = 0; i < count; i++) {
    spin(ms);
    yield;
  }
  return "done";
}

it("long work lets others have their turn, and short work does not wait for them", async () => {
  let turns = 0;
  const count = () => {
    turns++;
    again = setImmediate(count);
  };
  let again = setImmediate(count);
  assert.equal(await new Slices().drive(steps(100, 0)), "done");
  assert.equal(turns, 0, "a few steps fit into one slice");
  assert.equal(await new Slices().drive(steps(40, 0.5)), "done");
  clearImmediate(again);
  assert.ok(turns >= 4, `20 ms of work left ${turns} turns to others`);
});

it("work that is aborted ends between two steps with the reason", async () => {
  const abort = new AbortController();
  const slices = new Slices({ signal: abort.signal });
  assert.equal(slices.pause(), undefined);
  const reason = new Error("closing");
  const running = slices.drive(steps(1_000_000, 0.1));
  setImmediate(() => abort.abort(reason));
  await assert.rejects(running, reason);
  assert.throws(() => slices.pause(), reason);
});
