/**
 * Words that kill over and over are set aside and not let in any more, until their agent is revived or has other code.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeError } from "../../runtime/index.ts";
import { CASES_MAX, Poison } from "../../runtime/poison.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";

/** Endless loops end soon. */
const SHORT = { limits: { cpuMs: 40, wallMs: 80 } };
/** Fails at `fail` and `loop` as COUNTER does; its handler for both is mended. */
const MENDED = COUNTER.replace(/fail\(ctx.*/, "fail(ctx, text: string) { ctx.state.last = text; },");

describe("words that kill", () => {
  it("are refused at the door from the third death on, set aside once, and the queue goes on", async (t) => {
    const runtime = await withRuntime(t, SHORT);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (let death = 0; death < 3; death++)
      assert.match(await codeOf(counter.call("loop")), /^SANDBOX_(CPU|WALL)_EXCEEDED$/);
    for (let times = 0; times < 3; times++) {
      assert.equal(await codeOf(counter.call("loop")), "RUNTIME_MESSAGE_QUARANTINED");
    }
    assert.throws(
      () => counter.cast("loop"),
      (error) =>
        error instanceof RuntimeError &&
        error.code === "RUNTIME_MESSAGE_QUARANTINED" &&
        error.details["deaths"] === 3 &&
        error.details["deadLetter"] === runtime.deadLetters().list()[0]?.id,
    );
    assert.equal(runtime.deadLetters().list().length, 1);
    assert.equal(await counter.call("add", 1), 1);
    assert.equal((await counter.info()).status, "up");
  });

  it("that wait in the mailbox already are set aside, and what waits behind them runs", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (let copy = 0; copy < 10; copy++) counter.cast("fail", "poison");
    assert.equal(await counter.call("add", 1), 1);
    assert.equal(runtime.deadLetters().list().length, 10);
    const { restarts, status } = await counter.info();
    assert.deepEqual({ restarts, status }, { restarts: 3, status: "up" });
  });

  it("are let in again by revive(), and by new code", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, quarantineDeaths: 1 });
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail", "poison");
    await told;
    await counter.call("read");
    assert.throws(() => counter.cast("fail", "poison"), { code: "RUNTIME_MESSAGE_QUARANTINED" });
    counter.cast("fail", "other words");
    await counter.revive();
    assert.equal(await codeOf(counter.call("fail", "poison")), "RUNTIME_HANDLER_THREW");
    counter.cast("fail", "poison");
    await counter.call("read");
    assert.throws(() => counter.cast("fail", "poison"), { code: "RUNTIME_MESSAGE_QUARANTINED" });
    const artifact = await compile({ source: MENDED, name: "counter.agent.ts" });
    await runtime.control("counter").swap({ artifact, label: "before-d1" });
    counter.cast("fail", "poison");
    assert.equal(await counter.call("last"), "poison");
  });

  it("are let in again when a replay of them went well", async (t) => {
    const runtime = await withRuntime(t);
    const source = COUNTER.replace(/fail\(ctx.*/, 'fail(ctx) { if (ctx.state.last !== "off") throw new Error(); },');
    const counter = await runtime.spawn({ id: "counter", source, quarantineDeaths: 1 });
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail");
    const event = await told;
    await counter.call("mark", "off");
    assert.throws(() => counter.cast("fail"), { code: "RUNTIME_MESSAGE_QUARANTINED" });
    assert.ok(event.type === "message.set_aside");
    await runtime.deadLetters({ agent: "counter" }).replay(event.id);
    counter.cast("fail");
    assert.equal(await counter.call("last"), "off");
    assert.equal((await counter.info()).restarts, 1);
  });

  it("a cast of another agent that is refused is an event", async (t) => {
    const runtime = await withRuntime(t, SHORT);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, quarantineDeaths: 1 });
    const sender = await runtime.spawn({ id: "sender", source: COUNTER });
    await codeOf(counter.call("loop"));
    const refused = eventOf(runtime, ({ type }) => type === "message.discarded");
    await sender.call("tell", { agent: "counter", method: "loop", arg: undefined });
    const event = await refused;
    assert.ok(event.type === "message.discarded" && event.agent === "sender" && event.method === "cast");
    assert.equal(event.code, "RUNTIME_MESSAGE_QUARANTINED");
  });
});

describe("the record of poisons", () => {
  const reason = { name: "fault", message: "it threw" } as const;
  const limits = { quarantineDeaths: 2, quarantineMs: 1_000 };
  const words = { code: "h", method: "add", text: "1" };

  it("counts the deaths of the window, its edge included, and forgets them after it", () => {
    const poison = new Poison();
    poison.died(words, { ...limits, atMs: 0, reason });
    assert.equal(poison.verdict(words, { ...limits, atMs: 0 }), undefined);
    poison.died(words, { ...limits, atMs: 1_000, reason });
    assert.equal(poison.verdict(words, { ...limits, atMs: 1_000 })?.deathsMs.length, 2);
    assert.equal(poison.verdict(words, { ...limits, atMs: 1_001 }), undefined);
  });

  for (const [what, other] of [
    ["method", { ...words, method: "sub" }],
    ["argument", { ...words, text: "2" }],
    ["code", { ...words, code: "i" }],
  ] as const) {
    it(`holds nothing against another ${what}`, () => {
      const poison = new Poison();
      for (const atMs of [1, 2]) poison.died(words, { ...limits, atMs, reason });
      assert.equal(poison.verdict(other, { ...limits, atMs: 2 }), undefined);
    });
  }

  it("is bounded: the words that killed longest ago are forgotten first", () => {
    const poison = new Poison();
    const all = Array.from({ length: CASES_MAX + 1 }, (_, no) => ({ ...words, text: String(1_000 + no) }));
    for (const each of all) poison.died(each, { ...limits, quarantineDeaths: 1, atMs: 0, reason });
    const left = all.filter((each) => poison.verdict(each, { ...limits, quarantineDeaths: 1, atMs: 0 }) !== undefined);
    assert.deepEqual(left, all.slice(1));
  });
});
