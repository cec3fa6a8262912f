/**
 * The escalation ladder: first the decision, then agents whose lives really do not load any more, because what the vault
 * holds of their code or state was changed behind their back while nobody ran.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { PlanariaEvent, Runtime } from "../../runtime/index.ts";
import { readArtifact, readCurrent } from "../../runtime/agent-record.ts";
import { systemClock } from "../../runtime/clock.ts";
import { LOAD_RESTARTS_MAX, nextRung } from "../../runtime/ladder.ts";
import type { Trouble } from "../../runtime/ladder.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { VAULT_SETTINGS, Vault } from "../../vault/index.ts";
import type { Branch, Op } from "../../vault/index.ts";
import { codeOf } from "../support/agents.ts";
import { values } from "../support/members.ts";
import { flipPages, storedPages } from "../support/page-file.ts";
import { tempFolder } from "../support/temp-vault.ts";

describe("the next rung", () => {
  const load: Trouble = {
    failed: "load",
    failures: LOAD_RESTARTS_MAX + 1,
    intensity: 3,
    isClimbing: false,
    taken: [],
    atMs: 1_000,
    quarantineMs: 600,
    hasEarlierCode: true,
    hasEarlierSnapshot: true,
  };
  const code = { rung: "earlier_code", atMs: 900 } as const;
  const snapshot = { rung: "earlier_snapshot", atMs: 950 } as const;
  for (const [what, trouble, expected] of [
    ["a first failure is restarted", { ...load, failures: 1 }, "supervisor"],
    ["so is the last one that may be", { ...load, failures: LOAD_RESTARTS_MAX }, "supervisor"],
    ["then the code before", load, "earlier_code"],
    ["at once where no restart is tolerated", { ...load, failures: 1, intensity: 0 }, "earlier_code"],
    ["then the snapshot before", { ...load, isClimbing: true, taken: [code] }, "earlier_snapshot"],
    ["then it is the supervisor's", { ...load, isClimbing: true, taken: [code, snapshot] }, "supervisor"],
    ["who climbs is not restarted in between", { ...load, failures: 1, isClimbing: true }, "earlier_code"],
    ["without earlier code the snapshot", { ...load, hasEarlierCode: false }, "earlier_snapshot"],
    ["without both nothing", { ...load, hasEarlierCode: false, hasEarlierSnapshot: false }, "supervisor"],
    ["a rung is not taken twice in the window", { ...load, taken: [code] }, "earlier_snapshot"],
    ["whose edge counts", { ...load, taken: [{ ...code, atMs: 400 }] }, "earlier_snapshot"],
    ["and is taken again after it", { ...load, taken: [{ ...code, atMs: 399 }] }, "earlier_code"],
    ["a message may kill a few times", { failed: "message", deaths: 2, deathsMax: 3 }, "supervisor"],
    ["and is then set aside", { failed: "message", deaths: 3, deathsMax: 3 }, "message_set_aside"],
  ] as const satisfies readonly (readonly [string, Trouble, string])[]) {
    it(what, () => assert.equal(nextRung(trouble), expected));
  }
});

/** Says which version it is. Keys of its state are as large as the test wants them. */
function sourceOf(name: string, version = 1): string {
  return `import { agent } from "planaria/agent";
  export default agent({
    version: ${version},
    state: () => ({ count: 0, note: "", heard: [] }),
    migrate: (old) => ({ ...old, count: old.count * 100 }),
    on: {
      add(ctx, by) { return (ctx.state.count += by); },
      keep(ctx, note) { ctx.state.note = note; },
      row(ctx, text) { ctx.table("rows").put("only", text); },
      see: (ctx) => "${name} " + ctx.state.count,
      listen(ctx) { ctx.subscribe("news", "hear", { after: 0 }); },
      hear(ctx, { value }) { ctx.state.heard.push(value); ctx.publish("done", [...ctx.state.heard]); },
      heard: (ctx) => [...ctx.state.heard],
    },
  });`;
}

const EVENTS: readonly PlanariaEvent["type"][] = ["agent.escalated", "agent.exited", "agent.parked", "agent.restarted"];

/** A vault and the runtimes on it, one after the other. */
class Place {
  readonly path: string;
  readonly #t: TestContext;
  runtime: Runtime | undefined;

  constructor(t: TestContext) {
    this.#t = t;
    this.path = join(tempFolder(t), "vault");
  }

  async open(): Promise<Runtime> {
    await this.runtime?.close();
    this.runtime = await withRuntime(this.#t, { vault: this.path, durability: "os", cells: 1 });
    return this.runtime;
  }

  async swap(name: string, version: number, label: string): Promise<void> {
    const artifact = await compile({ source: sourceOf(name, version), name: "a.agent.ts" });
    await this.runtime?.control("a").swap({ artifact, label, profile: "trusted" });
  }

  /** While nobody runs, the branch of the agent is changed. */
  async change(opsOf: (branch: Branch) => readonly Op[]): Promise<void> {
    await this.runtime?.close();
    const quiet = { clock: systemClock, durability: "disk", onEvent: () => undefined } as const;
    await using vault = await Vault.open({ ...VAULT_SETTINGS, ...quiet, path: this.path });
    const branch = vault.head("a");
    assert.ok(branch !== undefined);
    await vault.commit([{ type: "write", branch: branch.id, ops: opsOf(branch) }]).durable;
  }

  /** The code of this hash, by default the current one, does not load any more. */
  async spoil(hash?: string): Promise<void> {
    await this.change((branch) => {
      const spoilt = hash ?? readCurrent(branch)?.hash ?? "";
      const artifact = readArtifact(branch, spoilt);
      const value = Buffer.from(JSON.stringify({ ...artifact, code: '"use strict"; throw new Error("spoilt");' }));
      return [{ put: `a:code:${spoilt}`, value }];
    });
  }

  /** While nobody runs, the pages that match are damaged, of which there are at least so many. */
  hurt(pattern: RegExp, atLeast: number): void {
    const pages = join(this.path, "pages.mdb");
    const hurt = storedPages(pages).filter(({ bytes }) => pattern.test(bytes.toString("latin1")));
    assert.ok(hurt.length >= atLeast, "each state has pages of its own");
    flipPages(pages, hurt);
  }

  /** What happened since the runtime was opened, in short. */
  told(): readonly string[] {
    const all: string[] = [];
    const list = this.runtime?.subscribe(
      ({ event }) => {
        if (EVENTS.includes(event.type)) all.push(event.type === "agent.escalated" ? event.rung : event.type);
      },
      { after: 0 },
    );
    list?.unsubscribe();
    return all;
  }

  escalations(): readonly Extract<PlanariaEvent, { readonly type: "agent.escalated" }>[] {
    const all: Extract<PlanariaEvent, { readonly type: "agent.escalated" }>[] = [];
    const listener = (event: PlanariaEvent): void => void (event.type === "agent.escalated" && all.push(event));
    this.runtime?.subscribe(({ event }) => listener(event), { after: 0 }).unsubscribe();
    return all;
  }
}

/** An agent at `first 5` that was promoted to `second` (of this version of its state), and has counted on. */
async function promoted(t: TestContext, version = 1): Promise<Place> {
  const place = new Place(t);
  const runtime = await place.open();
  const a = await runtime.spawn({ id: "a", source: sourceOf("first") });
  await a.call("add", 5);
  await place.swap("second", version, "before-d1");
  await a.call("add", 2);
  return place;
}

describe("an agent whose life does not load", () => {
  it("goes back to the code before, with every acknowledged turn, and answers who waited", async (t) => {
    const place = await promoted(t);
    await place.spoil();
    const a = (await place.open()).ref("a");
    assert.equal(await a.call("see"), "first 7");
    const restarts = Array.from({ length: LOAD_RESTARTS_MAX + 1 }, () => "agent.exited");
    assert.deepEqual(place.told(), [...restarts, "earlier_code", "agent.restarted"]);
    const [step] = place.escalations();
    assert.match(step?.reason.message ?? "", /spoilt/);
    const history = await a.history();
    assert.ok(history.some(({ kind, label }) => kind === "snapshot" && label === step?.before));
    assert.equal((await a.info()).hash, step?.hash);
    const [report] = place.runtime?.failures() ?? [];
    assert.deepEqual(report?.agents[0]?.rungs, [{ rung: "earlier_code", before: step?.before }]);
  });

  it("goes back also as its program spawns it, which is not refused, and stays there from then on", async (t) => {
    const place = await promoted(t);
    await place.spoil();
    const a = await (await place.open()).spawn({ id: "a", source: sourceOf("first") });
    assert.equal(await a.call("see"), "first 7");
    assert.deepEqual(place.told(), ["earlier_code"]);
    const again = await (await place.open()).spawn({ id: "a", source: sourceOf("first") });
    assert.equal(await again.call("see"), "first 7");
    assert.deepEqual(place.escalations(), []);
  });

  it("code that is new at spawn and does not load is refused as ever, and nothing is undone", async (t) => {
    const place = await promoted(t);
    const runtime = await place.open();
    const broken = runtime.spawn({ id: "a", source: 'throw new Error("broken")' });
    assert.equal(await codeOf(broken), "SANDBOX_LOAD_FAILED");
    assert.equal(await runtime.ref("a").call("see"), "second 7");
    assert.deepEqual(place.escalations(), []);
  });

  it("goes back to the state of before a migration, and the state it leaves has a name", async (t) => {
    const place = await promoted(t, 2);
    await place.spoil();
    const a = (await place.open()).ref("a");
    assert.equal(await a.call("see"), "first 5");
    const [step] = place.escalations();
    assert.equal(step?.to, "before-d1");
    assert.match(step?.before ?? "", /^before-restore-/);
    const left = (await a.history()).find(({ label }) => label === step?.before);
    assert.equal(left?.kind, "snapshot");
    assert.equal(
      await codeOf(a.restore({ label: step?.before ?? "" })),
      "SANDBOX_LOAD_FAILED",
      "it is what did not load",
    );
  });

  it("is not brought what waited for a subscription that the state it goes back to does not have", async (t) => {
    const place = await promoted(t, 2);
    await place.runtime?.ref("a").call("listen");
    await place.spoil();
    const runtime = await place.open();
    const done = runtime.topic("done").subscribe();
    await runtime.topic("news").publish("first news"); // starts it, and is on its way all the while
    const a = runtime.ref("a");
    assert.equal(await a.call("see"), "first 5");
    assert.equal(place.escalations()[0]?.to, "before-d1");
    assert.deepEqual(await a.call("heard"), []);
    await a.call("listen");
    assert.deepEqual(await values(done, 1), [["first news"]], "it subscribes now, and from the first one on");
  });

  it("also where the migration came with new code at spawn", async (t) => {
    const place = new Place(t);
    await (await (await place.open()).spawn({ id: "a", source: sourceOf("first") })).call("add", 5);
    const second = await (await place.open()).spawn({ id: "a", source: sourceOf("second", 2) });
    assert.equal(await second.call("see"), "second 500");
    await place.spoil();
    assert.equal(await (await place.open()).ref("a").call("see"), "first 5");
    assert.match(place.escalations()[0]?.to ?? "", /^before-deploy-/);
  });

  it("goes to the newest snapshot when the code before does not load either", async (t) => {
    const place = await promoted(t);
    await place.runtime?.ref("a").snapshot("good");
    await place.runtime?.ref("a").call("add", 1);
    const { hash: first } = readFirst(place);
    await place.spoil();
    await place.spoil(first);
    const a = (await place.open()).ref("a");
    assert.equal(await a.call("see"), "second 7", "as it was when it was named");
    assert.deepEqual(
      place.told().filter((type) => type !== "agent.exited"),
      ["earlier_code", "earlier_snapshot", "agent.restarted"],
    );
    assert.equal(place.escalations()[1]?.to, "good");
  });

  it("takes the next older snapshot where newer ones are damaged, and says so", async (t) => {
    const place = await damaged(t, /q{500}|w{500}|z{500}/);
    const back = (await place.open()).ref("a");
    assert.equal(await back.call("see"), "first 1");
    const [step] = place.escalations();
    assert.equal(step?.to, "all-k");
    assert.deepEqual(step?.skipped, [
      { label: "all-w", why: "VAULT_PAGE_DAMAGED" },
      { label: "all-q", why: "VAULT_PAGE_DAMAGED" },
    ]);
  });

  it("passes over snapshots whose rows or whose spec cannot be read", async (t) => {
    const place = new Place(t);
    const spawn = async (text: string) => (await place.open()).spawn({ id: "a", source: sourceOf("first"), text });
    const a = await spawn("plain");
    await a.call("add", 1);
    await a.snapshot("whole");
    await a.call("row", "w".repeat(20_000));
    await a.snapshot("rows");
    await a.call("row", "");
    await (await spawn("s".repeat(20_000))).snapshot("spec");
    await spawn("plain");
    await place.spoil();
    place.hurt(/w{500}|s{500}/, 2);
    const back = (await place.open()).ref("a");
    assert.equal(await back.call("see"), "first 1");
    const [step] = place.escalations();
    assert.equal(step?.to, "whole");
    assert.deepEqual(step?.skipped, [
      { label: "spec", why: "VAULT_PAGE_DAMAGED" },
      { label: "rows", why: "VAULT_PAGE_DAMAGED" },
    ]);
  });

  it("is parked when all that there is is damaged, and revive() tries everything again", async (t) => {
    const place = await damaged(t, /k{500}|q{500}|w{500}|z{500}/);
    const a = (await place.open()).ref("a");
    for (let times = 1; times <= 2; times++) {
      assert.equal(await codeOf(a.call("see")), "RUNTIME_INTENSITY_EXCEEDED");
      assert.equal(place.told().filter((type) => type === "agent.parked").length, times);
      if (times === 1) await a.revive();
    }
    assert.deepEqual(place.escalations(), []);
  });

  it("is parked when there is nothing to go back to, after the restarts that are tolerated", async (t) => {
    const place = new Place(t);
    await (await place.open()).spawn({ id: "a", source: sourceOf("first"), intensity: 2 });
    await place.spoil();
    const a = (await place.open()).ref("a");
    assert.equal(await codeOf(a.call("see")), "RUNTIME_INTENSITY_EXCEEDED");
    assert.deepEqual(place.told(), ["agent.exited", "agent.exited", "agent.exited", "agent.parked"]);
  });

  it("a stop that comes while a rung is taken is carried out after it", async (t) => {
    const place = await promoted(t);
    await place.spoil();
    const runtime = await place.open();
    const a = runtime.ref("a");
    const stopped = Promise.withResolvers<void>();
    runtime.subscribe(({ event }) => {
      if (event.type === "agent.exited" && place.told().length > LOAD_RESTARTS_MAX)
        a.stop().then(stopped.resolve, stopped.reject);
    });
    assert.equal(await codeOf(a.call("see")), "RUNTIME_AGENT_DOWN");
    await stopped.promise;
    assert.equal((await a.info()).status, "down");
  });
});

/** An agent with a state of three names and one without, of which the pages that match are damaged. */
async function damaged(t: TestContext, pattern: RegExp): Promise<Place> {
  const place = new Place(t);
  const a = await (await place.open()).spawn({ id: "a", source: sourceOf("first") });
  for (const letter of ["k", "q", "w"]) {
    await a.call("add", 1);
    await a.call("keep", letter.repeat(20_000));
    await a.snapshot(`all-${letter}`);
  }
  await a.call("keep", "z".repeat(20_000));
  await place.runtime?.close();
  place.hurt(pattern, 3);
  return place;
}

/** The code that was current at first. */
function readFirst(place: Place): { readonly hash: string } {
  const before = place.runtime?.control("a").code.current.before;
  assert.ok(before !== undefined);
  return before;
}
