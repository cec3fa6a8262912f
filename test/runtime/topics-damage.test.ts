/**
 * Topics and timers of which pages cannot be read: that costs whoever needs those pages, and nobody else anything.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { VAULT_SETTINGS, Vault, VaultError, systemClock } from "../../vault/index.ts";
import type { Branch, RangeOptions } from "../../vault/index.ts";
import { codeOf } from "../support/agents.ts";
import { LaterLab, tick } from "../support/later-lab.ts";
import type { LabAgent } from "../support/later-lab.ts";
import { MEMBER, tempFolder, values } from "../support/members.ts";
import { flipPages, storedPages } from "../support/page-file.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { tempVault } from "../support/temp-vault.ts";

/** Damages all leaves of a branch in a closed vault. */
async function damageBranch(path: string, name: string): Promise<void> {
  const settings = {
    ...VAULT_SETTINGS,
    path,
    clock: systemClock,
    durability: "disk",
    onEvent: () => undefined,
  } as const;
  const vault = await Vault.open(settings);
  const arena = vault.head(name)?.id;
  await vault.close();
  const pages = join(path, "pages.mdb");
  const leaves = storedPages(pages).filter(({ id, kind }) => id.arena === arena && kind === "leaf");
  assert.ok(leaves.length > 0, `${name} has pages of its own`);
  flipPages(pages, leaves);
}

/** Names long enough that a list of them takes a page of its own; they come behind all others. */
const fillers = Array.from({ length: 24 }, (_, n) => `z-${"z".repeat(100)}-${n}`);

/** Agent `a` did not get what stands in `news`, agent `b` not what stands in `other`; then the branch is damaged. */
async function waiting(t: TestContext, damaged: string): Promise<string> {
  const vault = await tempFolder(t);
  {
    await using runtime = await Runtime.open({ vault });
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    await a.call("listen");
    await b.call("listenTo", ["other", ...fillers]);
    await a.stop();
    await b.stop();
    for (let n = 0; n < 20; n++) await runtime.topic("news").publish("x".repeat(300));
    await runtime.topic("other").publish("for b");
    for (const name of fillers) await runtime.topic(name).publish(name);
  }
  await damageBranch(vault, damaged);
  return vault;
}

function timersOf(lab: LaterLab): Branch {
  const branch = lab.vault.head("~timers");
  assert.ok(branch !== undefined);
  return branch;
}

function textsOf(agent: LabAgent): readonly string[] {
  return agent.handled().map(({ text }) => text);
}

describe("a topic that cannot be read", () => {
  it("keeps no vault from being opened, and no other topic's publications from their subscribers", async (t) => {
    await using runtime = await Runtime.open({ vault: await waiting(t, "~topic:news") });
    const done = runtime.topic("done").subscribe();
    await runtime.ref("a").revive();
    await runtime.ref("b").revive();
    assert.deepEqual(await values(done, 1), [{ seq: 1, value: "for b" }]);
    assert.equal(await codeOf(runtime.topic("news").publish(1)), "VAULT_PAGE_DAMAGED");
    assert.equal(await codeOf(runtime.topic("news").subscribe({ after: 0 }).next()), "VAULT_PAGE_DAMAGED");
    await runtime.topic("news").drop();
    assert.equal(await runtime.topic("news").publish(1), 1, "the way out is to drop it");
  });

  it("is no reason for an agent to end when it is restored", async (t) => {
    const vault = await tempVault(t, { durability: "memory" });
    const lab = new LaterLab(vault, new SimulatedClock());
    const a = lab.agent("a");
    a.subscribe("news");
    a.subscribe("other");
    a.publish("other", 1);
    const branch = lab.vault.head("a");
    assert.ok(branch !== undefined);
    const thrown: unknown[] = [];
    const note = (error: unknown): unknown => thrown.push(error);
    process.on("uncaughtException", note);
    t.after(() => process.off("uncaughtException", note));
    const get = t.mock.method(branch, "get", () => {
      throw new VaultError("VAULT_PAGE_DAMAGED", "a page of a is damaged");
    });
    lab.events.emit({ type: "agent.restored", agent: "a", seq: 1 });
    lab.events.emit({ type: "agent.started", agent: "a", cell: "c", hash: "h", epoch: 1, durationMs: 0 });
    assert.ok(get.mock.callCount() > 0, "it was read");
    get.mock.restore();
    await lab.settle();
    assert.deepEqual(thrown, [], "what a listener of events throws ends the process");
    assert.equal(a.handled().length, 1, "it is delivered once the page is mended");
  });

  it("keeps no agent from being dropped", async (t) => {
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock());
    const a = lab.agent("a");
    a.subscribe("news");
    const range = t.mock.method(a.branch, "range", () => {
      throw new VaultError("VAULT_PAGE_DAMAGED", "a page of a is damaged");
    });
    assert.deepEqual(lab.topics.departure("a"), []);
    assert.equal(range.mock.callCount(), 1);
  });
});

describe("a list of topics that cannot be read", () => {
  it("is made anew as the vault is opened, from all topics there are", async (t) => {
    await using runtime = await Runtime.open({ vault: await waiting(t, "~topics") });
    const done = runtime.topic("done").subscribe();
    const heard = (await values(done, 20 + 1 + fillers.length)) as { readonly value: unknown }[];
    assert.equal(heard.filter(({ value }) => value === "for b").length, 1);
    await runtime.topic("other").publish("again");
    assert.deepEqual(await values(done, 1), [{ seq: 2, value: "again" }]);
  });
});

describe("timers that cannot be read", () => {
  it("are read again, and are all there once they can be", async (t) => {
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock());
    const a = lab.agent("a");
    for (const id of ["t1", "t2", "t3"]) a.after(id, 1_000);
    const range = t.mock.method(timersOf(lab), "range", () => {
      throw new VaultError("VAULT_PAGE_DAMAGED", "a page of timers is damaged");
    });
    lab.clock.advance(1_000);
    assert.ok(range.mock.callCount() > 0, "they were read");
    range.mock.restore();
    lab.clock.advance(60_000);
    await lab.settle();
    assert.deepEqual(textsOf(a), ["t1", "t2", "t3"]);
  });

  it("keep no others from falling due, before and behind them", async (t) => {
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock());
    const a = lab.agent("a");
    for (let n = 1; n <= 9; n++) a.after(`t${n}`, n * 1_000);
    const branch = timersOf(lab);
    const keys = [...branch.range({ prefix: "a:" })].map(([key]) => key);
    const [first, behind] = [keys[3]!, keys[6]!]; // nine were set: t4, t5 and t6 cannot be read
    const range = branch.range.bind(branch);
    const mock = t.mock.method(branch, "range", function* (options: RangeOptions) {
      for (const entry of range(options)) {
        const [key] = entry;
        const keysHurt = { from: first, to: behind };
        if (key >= first && key < behind)
          throw new VaultError("VAULT_PAGE_DAMAGED", "x", { details: { keys: keysHurt } });
        yield entry;
      }
    });
    for (let n = 1; n <= 9; n++) {
      lab.clock.advance(1_000);
      while (a.step("done")) await tick();
    }
    assert.deepEqual(textsOf(a), ["t1", "t2", "t3", "t7", "t8", "t9"]);
    assert.deepEqual(
      a.handled().map(({ atMs }) => (atMs - a.handled()[0]!.atMs) / 1_000),
      [0, 1, 2, 6, 7, 8],
      "each in time",
    );
    mock.mock.restore();
    await lab.settle();
    assert.deepEqual(textsOf(a).slice(6), ["t4", "t5", "t6"]);
  });

  it("of an agent that is gone keep nobody else's from falling due", async (t) => {
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock());
    for (const id of ["gone", "here"]) lab.agent(id).after(`of-${id}`, 1_000);
    const { id } = lab.agent("gone").branch;
    lab.vault.commit([
      { type: "name", name: "gone", branch: undefined, expect: id },
      { type: "drop", branch: id },
    ]);
    const branch = timersOf(lab);
    const range = branch.range.bind(branch);
    t.mock.method(branch, "range", (options: RangeOptions) => {
      if (options.prefix?.includes("gone") === true) throw new VaultError("VAULT_PAGE_DAMAGED", "a page is damaged");
      return range(options);
    });
    lab.clock.advance(1_000);
    await lab.settle();
    assert.deepEqual(textsOf(lab.agent("here")), ["of-here"]);
  });
});

describe("what a turn commits beside its state", () => {
  it("fails that turn where it cannot be put together, and the process goes on", async (t) => {
    const vault = await tempFolder(t);
    {
      await using runtime = await Runtime.open({ vault });
      const a = await runtime.spawn({ id: "a", source: MEMBER });
      await runtime.spawn({ id: "b", source: MEMBER });
      for (let n = 100; n < 160; n++) await a.call("echo", `reply-${n}-${"x".repeat(600)}`, { id: `call-${n}` });
    }
    const pages = join(vault, "pages.mdb");
    const hurt = storedPages(pages).filter(({ bytes }) => bytes.includes("reply-130-"));
    const edges = ["reply-100-", "reply-159-"]; // there other things may lie, that the agent cannot start without
    assert.ok(hurt.length > 0 && hurt.every(({ bytes }) => edges.every((edge) => !bytes.includes(edge))));
    flipPages(pages, hurt);
    await using runtime = await Runtime.open({ vault });
    assert.equal(await codeOf(runtime.ref("a").call("echo", "new", { id: "call-999" })), "VAULT_PAGE_DAMAGED");
    assert.equal(await runtime.ref("b").call("echo", "still here"), "still here");
  });
});
