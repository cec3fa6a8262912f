/** Trust domains: agents of different ones never share a cell, whatever happens to their cells. Nor does unproven code, with anybody. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, eventOf } from "../support/agents.ts";

const PARENT = `
export default { version: 1, state: () => ({ count: 0 }), on: {
  bear: (ctx, options) => ctx.spawn(options),
  add: (ctx, by) => (ctx.state.count += by),
} };
`;

/** Which domains live in which cell; fails where there are two in one. */
async function homes(runtime: Runtime, domainOf: (agent: string) => string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const id of runtime.ids()) {
    await runtime.ref(id).call("add", 0);
    const { cell = assert.fail() } = await runtime.ref(id).info();
    const domain = domainOf(id);
    assert.equal(found.get(cell) ?? domain, domain, `${id} lives with strangers`);
    found.set(cell, domain);
  }
  return found;
}

const byFirstLetter = (agent: string): string => agent[0] ?? "";

describe("agents of different domains", () => {
  it("never share a cell: not at first, not when cells are lost and spares step in, not when cells are replaced", async (t) => {
    const runtime = await withRuntime(t, { cells: 1, spares: 1, agentsPerCell: 2, recycle: { ageMs: 1_000 } });
    for (const domain of ["a", "b", undefined]) {
      for (let no = 0; no < 2; no++)
        await runtime.spawn({ id: `${domain ?? "none"}${no}`, source: COUNTER, domain, intensity: 100 });
    }
    const first = await homes(runtime, byFirstLetter);
    assert.deepEqual(new Set(first.values()), new Set(["a", "b", "n"]));
    for (const { pid } of runtime.cells()) process.kill(pid, "SIGKILL");
    const second = await homes(runtime, byFirstLetter);
    assert.ok([...second.keys()].every((cell) => !first.has(cell)));
    await Promise.all(
      [...second.keys()].map((cell) =>
        eventOf(runtime, ({ type, ...event }) => type === "cell.recycled" && "cell" in event && event.cell === cell),
      ),
    );
    const third = await homes(runtime, byFirstLetter);
    assert.ok([...third.keys()].every((cell) => !second.has(cell)));
    assert.ok(runtime.cells().every(({ residents }) => residents <= 2));
  });

  it("keep apart with their subagents, which have their parent's domain unless their definition names one", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    runtime.define("plain", { source: PARENT });
    runtime.define("elsewhere", { source: PARENT, domain: "b" });
    runtime.define("nowhere", { source: PARENT, domain: "" });
    const parent = await runtime.spawn({ id: "a", source: PARENT, domain: "a" });
    await runtime.spawn({ id: "b", source: PARENT, domain: "b" });
    await runtime.spawn({ id: "n", source: PARENT });
    await parent.call("bear", { id: "same" });
    await parent.call("bear", { id: "plain", definition: "plain" });
    await parent.call("bear", { id: "brought", source: PARENT });
    await parent.call("bear", { id: "elsewhere", definition: "elsewhere" });
    await parent.call("bear", { id: "nowhere", definition: "nowhere" });
    await runtime.ref("a/same").call("bear", { id: "grandchild" });
    const domains: Readonly<Record<string, string>> = {
      "a/elsewhere": "b",
      "a/nowhere": "n",
      "a/brought": "a, hardened",
    };
    const found = await homes(runtime, (agent) => domains[agent] ?? byFirstLetter(agent));
    assert.equal(found.size, 4);
  });

  it("stay what they are: a fork, an agent that wakes in a new runtime, one that is spawned anew in another domain", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const a = await runtime.spawn({ id: "a", source: COUNTER, domain: "a" });
    await runtime.spawn({ id: "b", source: COUNTER, domain: "b" });
    await a.fork({ id: "a-fork" });
    await a.snapshot("early");
    assert.equal((await homes(runtime, byFirstLetter)).size, 2);
    await a.stop();
    await runtime.spawn({ id: "a", source: COUNTER, domain: "b" });
    const moved = (agent: string): string => (agent === "a-fork" ? "a" : "b");
    await homes(runtime, moved);
    // The owner's word stands, also where the agent goes back to a state of before it was given.
    await a.restore({ label: "early" });
    await homes(runtime, moved);
    await a.fork({ id: "b-fork", at: { label: "early" } });
    await homes(runtime, moved);
  });
});

describe("a cell whose domain has left it", () => {
  it("takes nobody else", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const tenant = await runtime.spawn({ id: "tenant", source: COUNTER, domain: "a" });
    const { cell } = await tenant.info();
    await tenant.stop();
    const other = await runtime.spawn({ id: "other", source: COUNTER, domain: "b" });
    const none = await runtime.spawn({ id: "none", source: COUNTER });
    assert.ok(![(await other.info()).cell, (await none.info()).cell].includes(cell));
  });
});

describe("unproven code", () => {
  it("never shares a cell, neither with live agents nor with unproven code of another profile", async (t) => {
    const runtime = await withRuntime(t, { cells: 1 });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    const control = runtime.control("counter");
    const { artifact } = control.code;
    const before = new Set(runtime.cells().map(({ id }) => id));
    await using first = await control.shadow({ artifact });
    await using second = await control.shadow({ artifact, profile: "trusted" });
    assert.ok(first.loaded.version === 1 && second.loaded.version === 1);
    const residents = new Map(runtime.cells().map((cell) => [cell.id, cell.residents]));
    assert.equal(residents.get((await counter.info()).cell ?? ""), 1);
    const trials = [...residents].filter(([id, count]) => !before.has(id) && count > 0);
    assert.deepEqual(
      trials.map(([, count]) => count),
      [1, 1],
    );
    // Nobody who comes later moves in with them.
    const later = await runtime.spawn({ id: "later", source: COUNTER, profile: "hardened" });
    assert.ok(!trials.some(([id]) => id === undefined) && !new Map(trials).has((await later.info()).cell ?? ""));
  });
});
