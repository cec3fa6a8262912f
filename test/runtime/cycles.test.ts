/**
 * Agents that wait for each other in a ring would wait until their time is up: the call that would close the ring is
 * refused at once and names it, whoever of the ring was first.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { ringText, WaitFor } from "../../runtime/wait-for.ts";

/** Calls the next of a list; whoever is the last answers. Errors come back as their code and words. */
const CHAIN = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    async pass(ctx, to: string[]): Promise<unknown> {
      const [next, ...rest] = to;
      if (next === undefined) return "the end";
      try { return await ctx.call(next, "pass", rest); }
      catch (error) { return [error.code, error.message]; }
    },
    /** Waits until the test lets everybody go. */
    async meet(ctx, then: string): Promise<unknown> {
      await ctx.propose("");
      try { return await ctx.call(then, "pass", []); }
      catch (error) { return [error.code, error.message]; }
    },
    async fan(ctx, to: string[][]): Promise<unknown> {
      return Promise.all(to.map(([next, ...rest]) => ctx.call(next ?? "", "pass", rest)));
    },
    async leave(ctx, to: string) { ctx.call(to, "hold"); throw new RangeError("I go"); },
    async hold(ctx) { await ctx.call("last", "meet", ""); },
  },
});
`;

async function spawnChain(runtime: Runtime, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => runtime.spawn({ id, source: CHAIN })));
}

describe("the graph of who waits for whom", () => {
  it("names the ring that a question would close, and forgets questions that ended", () => {
    const waits = new WaitFor();
    const [ab, bc] = [waits.add("a", "b"), waits.add("b", "c")];
    assert.deepEqual(waits.ring("c", "a"), ["c", "a", "b", "c"]);
    assert.deepEqual(waits.ring("c", "c"), ["c", "c"]);
    assert.equal(waits.ring("a", "c"), undefined);
    assert.equal(ringText(["a", "b", "a"]), "a waits for b waits for a");
    bc();
    bc();
    assert.equal(waits.ring("c", "a"), undefined);
    ab();
    assert.equal(waits.size, 0);
  });

  it("counts several questions to one agent", () => {
    const waits = new WaitFor();
    const ends = [waits.add("a", "b"), waits.add("a", "b"), waits.add("a", "c")];
    ends[0]?.();
    assert.deepEqual(waits.ring("b", "a"), ["b", "a", "b"]);
    ends[1]?.();
    assert.equal(waits.ring("b", "a"), undefined);
    assert.deepEqual(waits.ring("c", "a"), ["c", "a", "c"]);
  });

  it("says ring exactly when there is a way back, and names a real one", () => {
    const name = fc.integer({ min: 0, max: 7 }).map(String);
    const step = fc.record({ from: name, to: name, isEnd: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const waits = new WaitFor();
        const open: { readonly from: string; readonly to: string; readonly end: () => void }[] = [];
        for (const { from, to, isEnd } of steps) {
          if (isEnd) open.shift()?.end();
          const ring = waits.ring(from, to);
          assert.equal(ring !== undefined, reaches(open, to, from));
          if (ring === undefined) open.push({ from, to, end: waits.add(from, to) });
          else checkRing(ring, { from, to }, open);
        }
        for (const { end } of open) end();
        assert.equal(waits.size, 0);
      }),
    );
  });
});

type Edges = readonly { readonly from: string; readonly to: string }[];

/** The plain way: repeat until nothing is added. */
function reaches(edges: Edges, start: string, goal: string): boolean {
  const seen = new Set([start]);
  for (let size = 0; size < seen.size;) {
    size = seen.size;
    for (const { from, to } of edges) if (seen.has(from)) seen.add(to);
  }
  return seen.has(goal);
}

function checkRing(ring: readonly string[], asked: Edges[number], edges: Edges): void {
  assert.deepEqual([ring[0], ring[1], ring.at(-1)], [asked.from, asked.to, asked.from]);
  for (let index = 1; index + 1 < ring.length; index++) {
    const [from, to] = [ring[index], ring[index + 1]];
    assert.ok(edges.some((edge) => edge.from === from && edge.to === to));
  }
}

describe("agents that call each other in a ring", () => {
  for (const length of [1, 2, 3, 10]) {
    it(`get an error that names the ring of ${length}`, async (t) => {
      const runtime = await withRuntime(t);
      const ids = Array.from({ length }, (_, index) => `n${index}`);
      await spawnChain(runtime, ids);
      const rest = [...ids.slice(1), "n0"];
      const names = length === 1 ? ["n0", "n0"] : [ids.at(-1) ?? "", ...ids];
      assert.deepEqual(await runtime.ref("n0").call("pass", rest), [
        "RUNTIME_CALL_CYCLE",
        `${ringText(names)}: none of them would ever be answered`,
      ]);
      assert.equal(await runtime.ref("n0").call("pass", []), "the end");
    });
  }

  it("are told also when two callers started them independently of each other", async (t) => {
    const runtime = await withRuntime(t);
    await spawnChain(runtime, ["a", "b"]);
    const gate = closedGate(runtime, 2);
    const ends = Promise.all([runtime.ref("a").call("meet", "b"), runtime.ref("b").call("meet", "a")]);
    await gate.full; // both turns are under way before either asks the other
    gate.open();
    const refused = (await ends).filter((end) => end !== "the end");
    assert.equal(refused.length, 1, "one of the two gives way, the other is answered");
    const [code, message] = refused[0] as readonly [string, string]; // what CHAIN answers
    assert.equal(code, "RUNTIME_CALL_CYCLE");
    assert.match(message, /^(a waits for b waits for a|b waits for a waits for b):/);
  });

  it("is no alarm when ways cross, meet or are used by many at once", async (t) => {
    const runtime = await withRuntime(t);
    const ids = Array.from({ length: 8 }, (_, index) => `n${index}`);
    await spawnChain(runtime, ids);
    // Every way goes upwards, so no ring can close however they mix.
    const ways = Array.from({ length: 200 }, (_, index) => ids.filter((_id, at) => ((index * 37) >> at) % 2 === 1));
    const calls = ways
      .filter(({ length }) => length > 1)
      .map(([first = "", ...rest]) => runtime.ref(first).call("pass", rest, { timeoutMs: 20_000 }));
    assert.deepEqual([...new Set(await Promise.all(calls))], ["the end"]);
    const fan = runtime.ref("n0").call("fan", [["n1", "n3"], ["n2", "n3"], ["n1", "n2"], ["n3"]]);
    assert.deepEqual(await fan, ["the end", "the end", "the end", "the end"]);
  });

  it("is no alarm when the turn that asked ended without waiting, and what it had asked ends too", async (t) => {
    const runtime = await withRuntime(t);
    await spawnChain(runtime, ["a", "b", "last"]);
    const gate = closedGate(runtime, 1);
    // a asks b, which asks the last one, which is held up; then a throws and waits for nobody.
    await assert.rejects(runtime.ref("a").call("leave", "b"), { code: "RUNTIME_HANDLER_THREW" });
    assert.equal(await runtime.ref("b").call("pass", ["a"]), "the end");
    gate.open();
  });
});

/** Turns that call `ctx.propose` wait here until the gate is opened; `full` once that many are there. */
function closedGate(runtime: Runtime, count: number): { readonly full: Promise<void>; readonly open: () => void } {
  const [full, open] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  let waiting = 0;
  runtime.provide("propose", () => {
    waiting += 1;
    if (waiting === count) full.resolve();
    return open.promise;
  });
  return { full: full.promise, open: () => open.resolve('"go on"') };
}
