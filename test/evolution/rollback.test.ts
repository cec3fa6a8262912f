/** The ways back from a promotion, by hand and by itself, and what the record says of them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Arbiter } from "../../evolution/index.ts";
import type { Stage } from "../../evolution/index.ts";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, codeOf } from "../support/agents.ts";
import { tempFolder } from "../support/temp-vault.ts";

const compiles: Stage = {
  name: "compiles",
  run: async (trial) => {
    trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
    return { verdict: "pass", reason: "it says so" };
  },
};

const other = COUNTER.replace("who: (ctx) =>", "who2: () => 2, who: (ctx) =>");
const another = COUNTER.replace("who: (ctx) =>", "who3: () => 3, who: (ctx) =>");
/** Of another version: its state is not what the version before understands. */
const migrating = other
  .replace("version: 1", "version: 2")
  .replace("stop(ctx", "migrate: (old) => ({ ...(old as object), more: 1 }),\n  stop(ctx");

describe("a roll-back by hand", () => {
  it("on probation takes every acknowledged turn along", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: migrating });
    for (let turn = 0; turn < 7; turn++) await counter.call("add", 1);
    const report = await arbiter.rollback(id, "too clever");
    assert.deepEqual([report.end, report.back], ["rolled_back", { way: "shadow" }]);
    assert.match(report.reason, /^by hand: too clever; the version before took over with every acknowledged turn$/);
    assert.deepEqual([(await counter.info()).hash, await counter.call("read")], [championHash, 7]);
    assert.match(arbiter.explain(id), /probation rolled_back .*by hand: too clever/);
  });

  it("after probation takes the code alone where the state allows it", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, { probationTurns: 2 }, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: other });
    for (let turn = 0; turn < 5; turn++) await counter.call("add", 1);
    assert.equal((await arbiter.probation(id))?.end, "confirmed");
    const report = await arbiter.rollback(id, "after all");
    assert.deepEqual([report.end, report.back?.way], ["rolled_back", "code"]);
    assert.deepEqual([(await counter.info()).hash, await counter.call("read")], [championHash, 5]);
    assert.equal((await arbiter.probation(id))?.end, "rolled_back", "the record says the last thing that happened");
  });

  it("after probation takes the snapshot where the state was migrated, and says what that costs", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 100);
    await using arbiter = await Arbiter.start(runtime, { probationTurns: 2 }, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: migrating });
    for (let turn = 0; turn < 2; turn++) await counter.call("add", 1);
    assert.equal((await arbiter.probation(id))?.end, "confirmed");
    const { back, reason } = await arbiter.rollback(id, "after all");
    assert.deepEqual([back?.way, back?.snapshot], ["snapshot", `before-${id}`]);
    assert.match(reason, /2 turns since the promotion are kept in its history only/);
    assert.deepEqual([(await counter.info()).hash, await counter.call("read")], [championHash, 100]);
  });

  it("is done once where two ask for it, also after probation, and the record says that it was", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, { probationTurns: 2 }, [compiles]);
    const { id, championHash } = await arbiter.propose({ agent: "counter", source: migrating });
    for (let turn = 0; turn < 2; turn++) await counter.call("add", 1);
    assert.equal((await arbiter.probation(id))?.end, "confirmed");
    const restored: string[] = [];
    runtime.subscribe(({ event }) => event.type === "agent.restored" && restored.push(event.agent));
    const [first, second] = await Promise.all([arbiter.rollback(id, "one"), arbiter.rollback(id, "two")]);
    assert.deepEqual([first.end, second, restored.length], ["rolled_back", first, 1]);
    assert.deepEqual([(await arbiter.probation(id))?.end, (await counter.info()).hash], ["rolled_back", championHash]);
  });

  it("is refused where there is nothing to take back, and changes nothing then", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const arbiter = await Arbiter.start(runtime, { quarantineMs: 1 }, [compiles]);
    const rejected = await arbiter.propose({ agent: "counter", source: "export default {" }).catch(() => undefined);
    const first = await arbiter.propose({ agent: "counter", source: other });
    const second = await arbiter.propose({ agent: "counter", source: another });
    const refusals = [
      [rejected?.id ?? "d1", "EVOLUTION_ROLLBACK_REFUSED", /it promoted nothing/],
      [first.id, "EVOLUTION_ROLLBACK_REFUSED", /runs another version by now/],
      ["d99", "EVOLUTION_DECISION_UNKNOWN", /no decision is called d99; there are /],
    ] as const;
    for (const [id, code, message] of refusals)
      await assert.rejects(arbiter.rollback(id, "no"), (error: Error) => {
        assert.equal((error as { code?: string }).code, code);
        return message.test(error.message);
      });
    assert.equal((await counter.info()).hash, second.candidateHash);
    await arbiter.rollback(second.id, "yes");
    assert.equal(await codeOf(arbiter.rollback(second.id, "twice")), "EVOLUTION_ROLLBACK_REFUSED");
    await arbiter.close();
    assert.equal(await codeOf(arbiter.rollback(second.id, "closed")), "EVOLUTION_CLOSED");
  });
});

describe("a roll-back over damaged snapshots", () => {
  it("takes the newest older one that can be read, and says which could not and what is lost", async (t) => {
    const path = tempFolder(t);
    const big = COUNTER.replace('last: "" })', 'last: "", text: "" })').replace(
      "who: (ctx) =>",
      "put(ctx, text: string) { ctx.state.text = text; }, get: (ctx) => ctx.state.text.slice(0, 4), who: (ctx) =>",
    );
    const next = big.replace("version: 1", "version: 2").replace("stop(ctx", "migrate: (old) => old,\n  stop(ctx");
    const options = { vault: path, durability: "disk" } as const;
    let id = "";
    {
      await using runtime = await Runtime.open(options);
      const counter = await runtime.spawn({ id: "counter", source: big });
      await counter.call("put", "safe".repeat(4_000));
      await counter.snapshot("good");
      await counter.call("put", "lost".repeat(4_000));
      await using arbiter = await Arbiter.start(runtime, { probationTurns: 1 }, [compiles]);
      ({ id } = await arbiter.propose({ agent: "counter", source: next }));
      await counter.call("put", "now ".repeat(4_000));
      assert.equal((await arbiter.probation(id))?.end, "confirmed");
    }
    assert.ok(spoil(path, Buffer.from("lost".repeat(100))) > 0);
    await using runtime = await Runtime.open(options);
    const counter = runtime.ref("counter");
    assert.equal(await counter.call("get"), "now ");
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    const { back, reason } = await arbiter.rollback(id, "it was wrong");
    assert.deepEqual(
      [back?.way, back?.snapshot, back?.skipped?.map(({ label }) => label)],
      ["snapshot", "good", [`before-${id}`]],
    );
    assert.match(reason, /"before-d1" could not be taken \(VAULT_.*and all since "good" before it/);
    assert.equal(await counter.call("get"), "safe");
    assert.match(arbiter.explain(id), /"before-d1" could not be read: VAULT_/);
  });
});

/** Overwrites every place in the vault's pages where these bytes stand; how many. */
function spoil(path: string, bytes: Buffer): number {
  let count = 0;
  for (const name of readdirSync(path).filter((each) => each.startsWith("pages"))) {
    const content = readFileSync(join(path, name));
    for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + bytes.length)) {
      content.fill(0x21, at, at + 16);
      count++;
    }
    writeFileSync(join(path, name), content);
  }
  return count;
}
