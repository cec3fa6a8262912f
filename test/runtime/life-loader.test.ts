/** Whoever is about to load a life waits for the last commit of the one before: every time, however often it is asked. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LifeLoader } from "../../runtime/life-loader.ts";
import type { LoaderParts } from "../../runtime/life-loader.ts";
import type { Commit } from "../../vault/index.ts";

/** A commit that is on its way to the disk. */
function openCommit(): { readonly commit: Commit; readonly settle: PromiseWithResolvers<void> } {
  const settle = Promise.withResolvers<void>();
  const commit = { seq: 1, durable: settle.promise, isDurable: false } as unknown as Commit; // all that waiting for it needs
  return { commit, settle };
}

function loaderAfter(after: Commit | undefined): LifeLoader {
  const parts = { after, now: () => ({ life: undefined }) };
  return new LifeLoader(parts as unknown as LoaderParts); // what waiting needs; nothing is loaded
}

/** What has ended by now, of two starts that wait. */
async function waiting(loader: LifeLoader): Promise<readonly string[]> {
  const over: string[] = [];
  void loader.settled().then(() => over.push("first"));
  void loader.settled().then(() => over.push("second"));
  await new Promise(setImmediate);
  return over;
}

describe("a life", () => {
  it("waits for the last commit before it also where a start that waited was killed", async () => {
    const { commit, settle } = openCommit();
    const loader = loaderAfter(undefined);
    loader.lastCommit = commit;
    const over = await waiting(loader);
    assert.deepEqual(over, [], "both wait");
    settle.resolve();
    await new Promise(setImmediate);
    assert.deepEqual(over, ["first", "second"]);
  });

  it("waits for the last commit of whoever had its name, also for one that is undone in the end", async () => {
    const { commit, settle } = openCommit();
    const over = await waiting(loaderAfter(commit));
    assert.deepEqual(over, []);
    settle.reject(new Error("the disk is full"));
    await new Promise(setImmediate);
    assert.deepEqual(over, ["first", "second"]);
  });

  it("does not wait where there is nothing to wait for", async () => {
    assert.deepEqual(await waiting(loaderAfter(undefined)), ["first", "second"]);
  });
});
