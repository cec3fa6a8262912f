/** Turns from the inside: what a handler does, and what the guest says about it. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { decode } from "../../sandbox/codec.ts";
import { unpackAddress } from "../../sandbox/protocol.ts";
import { done, GuestHost, thrown } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const AGENTS = new URL("../fixtures/agents/", import.meta.url);
const NOTES = { module: new URL("notes.agent.ts", AGENTS) };
const COUNTER = { module: new URL("counter.agent.ts", AGENTS) };
const value = (text: string): unknown => decode(text, { bytesMax: 1_000_000 });
const agent = (body: string): string => `export default { version: 1, ${body} }`;
const withOn = (on: string): string => agent(`state: () => ({ count: 0, list: [1] }), on: { ${on} }`);

describe("loading", () => {
  it("says what the definition declares", async () => {
    const guest = await host.open(NOTES);
    const output = await guest.load();
    assert.equal(output.kind, "loaded");
    assert.deepEqual(output.kind === "loaded" && output.declared, {
      version: 2,
      methods: [
        { name: "add", reads: false },
        { name: "find", reads: true },
        { name: "options", reads: true },
        { name: "misuse", reads: true },
        { name: "relay", reads: false },
        { name: "fail", reads: false },
      ],
      hasMigrate: true,
      hasStop: true,
    });
  });

  const faults: readonly (readonly [why: string, source: string, message: RegExp])[] = [
    ["exports no object", "export default 1", /default export must be an object/],
    ["has no version", "export default { state: () => ({}), on: {} }", /version must be a positive whole number/],
    ["has version 0", "export default { version: 0, state: () => ({}), on: {} }", /version must be a positive/],
    ["has no state function", "export default { version: 1, state: {}, on: {} }", /state must be a function/],
    [
      "has no methods",
      "export default { version: 1, state: () => ({}) }",
      /the record of handlers\) must be an object/,
    ],
    ["has a method that is no function", withOn("add: 1"), /on\.add must be a function or/],
    [
      "has a misspelt part",
      agent("state: () => ({}), on: {}, migrat: 1"),
      /"migrat" is no part of an agent definition/,
    ],
    ["has a misspelt method option", withOn("add: { read: true, handle() {} }"), /on\.add must be a function or/],
    ["has a migrate that is no function", agent("state: () => ({}), on: {}, migrate: 1"), /migrate must be a function/],
  ];
  for (const [why, source, message] of faults) {
    it(`refuses a module that ${why}`, async () => {
      const output = await (await host.open(source)).load();
      assert.equal(output.kind, "fault");
      assert.match(output.kind === "fault" ? output.fault.message : "", message);
      assert.equal(output.kind === "fault" && output.fault.code, "SANDBOX_LOAD_FAILED");
    });
  }

  it("tells what a module threw while it was evaluated, with its stack", async () => {
    const output = await (
      await host.open("function boot() { throw new RangeError('bad day') }\nboot(); export default 1")
    ).load();
    assert.equal(output.kind, "fault");
    if (output.kind !== "fault") return;
    assert.equal(output.fault.name, "RangeError");
    assert.equal(output.fault.message, "bad day");
    assert.match(output.fault.stack, /at boot \(agent\.js:\d+:\d+\)/);
  });

  it("refuses turns before the load and a second load", async () => {
    const guest = await host.open(COUNTER);
    assert.equal((await guest.call("add", 1)).kind, "fault");
    await guest.start();
    assert.equal((await guest.load()).kind, "fault");
  });
});

describe("a turn", () => {
  it("replies and changes only what it touched", async () => {
    const guest = await (await host.open(NOTES)).start();
    const output = done(await guest.call("add", "Hello, world"));
    assert.equal(value(output.reply), 0);
    assert.deepEqual(
      output.ops.map(([key]) => key),
      ["notes", "index"],
    );
    assert.deepEqual(value(output.ops[0]?.[1] ?? ""), ["Hello, world"]);
  });

  it("init puts every key of the new state", async () => {
    const guest = await host.open(NOTES);
    await guest.load();
    const output = done(await guest.turn({ kind: "init" }));
    assert.deepEqual(Object.fromEntries(output.ops), {
      notes: "[]",
      index: '~[["Map"]]',
      options: '{"language":"en"}',
    });
  });

  it("init refuses to overwrite a state", async () => {
    const guest = await (await host.open(COUNTER)).start({ state: { count: "5" } });
    assert.match(thrown(await guest.turn({ kind: "init" })).message, /has a state already/);
    assert.equal(done(await guest.call("add", 1)).reply, "6");
  });

  it("init refuses a state that is no record", async () => {
    const guest = await host.open(agent("state: () => [1], on: {}"));
    await guest.load();
    assert.match(thrown(await guest.turn({ kind: "init" })).message, /state\(\) must return a plain record/);
  });

  it("drops the draft when the handler throws, and lives on", async () => {
    const guest = await (await host.open(NOTES)).start();
    done(await guest.call("add", "first"));
    const fault = thrown(await guest.call("fail"));
    assert.deepEqual(
      { name: fault.name, message: fault.message, code: fault.code },
      {
        name: "TypeError",
        message: "no luck",
        code: undefined,
      },
    );
    assert.match(fault.stack, /agent\.js/);
    assert.deepEqual(value(done(await guest.call("options")).reply), { language: "en" });
    const next = done(await guest.call("add", "second"));
    assert.deepEqual(value(next.ops[0]?.[1] ?? ""), ["first", "second"]);
  });

  it("names the methods it has when it does not know one", async () => {
    const guest = await (await host.open(COUNTER)).start();
    const fault = thrown(await guest.call("ad", 1));
    assert.equal(fault.code, "SANDBOX_METHOD_UNKNOWN");
    assert.match(fault.message, /no method "ad"\. It has: add, read, fail\./);
    for (const name of ["constructor", "__proto__", "toString"]) {
      assert.equal(thrown(await guest.call(name)).code, "SANDBOX_METHOD_UNKNOWN");
    }
  });

  it("refuses an argument that is no encoded value", async () => {
    const guest = await (await host.open(COUNTER)).start();
    assert.equal(thrown(await guest.turn({ method: "add", text: "{" })).code, "SANDBOX_MESSAGE_MALFORMED");
  });

  it("refuses a reply that cannot be written as text, naming where, and keeps the state", async () => {
    const guest = await (
      await host.open(
        withOn("bad(ctx) { ctx.state.count = 9; return { items: [1, { fn() {} }] } }, get: (ctx) => ctx.state.count"),
      )
    ).start();
    const fault = thrown(await guest.call("bad"));
    assert.equal(fault.code, "SANDBOX_VALUE_UNCLONABLE");
    assert.match(fault.message, /^reply\.items\[1\]\.fn: a function/);
    assert.equal(done(await guest.call("get")).reply, "0");
  });

  it("refuses a reply over its limit", async () => {
    const guest = await (await host.open(withOn("big: () => 'x'.repeat(200_000)"))).start();
    assert.equal(thrown(await guest.call("big")).code, "SANDBOX_REPLY_TOO_LARGE");
  });

  const limits: readonly (readonly [option: string, code: string])[] = [
    ["replyBytesMax", "return 'x'.repeat(200_000)"],
    ["messageBytesMax", "return ctx.call('a', 'b', 'x'.repeat(200_000))"],
    ["messageBytesMax", "ctx.cast('a', 'b', ['x'.repeat(99_998)])"],
    ["stateBytesMax", "ctx.state.list = 'x'.repeat(2_000_000)"],
    ["asksPerTurnMax", "return Promise.all([1, 2, 3, 4].map(() => ctx.call('a', 'b')))"],
    ["outboxPerTurnMax", "for (;;) ctx.cast('a', 'b')"],
    ["tableReadsPerTurnMax", "return Promise.all([1, 2, 3, 4, 5, 6].map((n) => ctx.table('t').get('k' + n)))"],
    ["tableBytesPerTurnMax", "for (let i = 0; ; i++) ctx.table('t').put('k' + i, 'x'.repeat(4_000))"],
    ["rowBytesMax", "ctx.table('t').put('k', 'x'.repeat(6_000))"],
    ["stepsPerTurnMax", "return Promise.all([1, 2, 3, 4].map((n) => ctx.step('s' + n, () => n)))"],
  ];
  for (const [option, code] of limits) {
    it(`names limits.${option} where that is what refuses: ${code}`, async () => {
      const guest = await (await host.open(withOn(`go(ctx) { ${code} }`))).start();
      let output = await guest.call("go");
      for (let ask = 1; output.kind === "wait"; ask++)
        output = await guest.answer(ask, { ok: false, code: "X", message: "no" });
      assert.match(thrown(output).message, new RegExp(`\\(limits\\.${option}\\)`));
    });
  }

  it("runs a cast without keeping its reply", async () => {
    const guest = await (await host.open(withOn("go: () => () => 'not a value'"))).start();
    assert.equal(done(await guest.turn({ kind: "cast", method: "go" })).reply, "~-1");
  });

  it("runs the last words, or nothing when there are none", async () => {
    const notes = await (await host.open(NOTES)).start();
    assert.deepEqual(done(await notes.turn({ kind: "stop", text: '"shutdown"' })).ops, [
      ["notes", '["stopped: shutdown"]'],
    ]);
    const counter = await (await host.open(COUNTER)).start();
    assert.deepEqual(done(await counter.turn({ kind: "stop", text: '"shutdown"' })).ops, []);
  });

  it("migrates: puts what changed, deletes what is gone", async () => {
    const state = { notes: '["a"]', old: "1", options: '{"language":"en"}' };
    const guest = await (await host.open(NOTES)).start({ state });
    const { ops } = done(await guest.turn({ kind: "migrate", text: "1" }));
    assert.deepEqual(Object.fromEntries(ops), { notes: '["a (from 1)"]', index: '~[["Map"]]', old: undefined });
    assert.deepEqual(value(done(await guest.call("options")).reply), { language: "en" });
  });

  it("keeps the state as it is when a migration throws or returns no record", async () => {
    const source = agent(
      "state: () => ({}), on: { get: (ctx) => ({ ...ctx.state }) }, migrate(old) { old.a.push(2); if (old.b) throw new Error('no'); }",
    );
    for (const state of [{ a: "[1]", b: "true" }, { a: "[1]" }]) {
      const guest = await (await host.open(source)).start({ state });
      thrown(await guest.turn({ kind: "migrate", text: "1" }));
      assert.deepEqual((value(done(await guest.call("get")).reply) as { a: unknown }).a, [1]);
    }
  });

  it("an agent without migrate keeps its state over versions", async () => {
    const guest = await (await host.open(COUNTER)).start({ state: { count: "5" } });
    assert.deepEqual(done(await guest.turn({ kind: "migrate", text: "1" })).ops, []);
    assert.equal(done(await guest.call("read")).reply, "5");
  });
});

describe("an asynchronous handler", () => {
  const ASYNC = withOn(`
    hop: async (ctx) => { for (let i = 0; i < 100; i++) await null; return (ctx.state.count += 1); },
    never: () => new Promise(() => {}),
    late: async () => { await null; throw new RangeError("late"); },
    ask: async (ctx, to) => { ctx.state.list.push(2); const reply = await ctx.call(to, "m", 1); ctx.state.list.push(reply); return reply; },
    both: async (ctx) => (await Promise.all([ctx.call("a", "m"), ctx.call("b", "m")])).join(),
    floating: (ctx) => { ctx.call("a", "m"); return "returned"; },
    many: async (ctx) => { for (let i = 0; i < 9; i++) ctx.call("a", "m").catch(() => {}); await ctx.call("a", "m"); },
    caught: async (ctx) => { try { await ctx.call("a", "m"); } catch (error) { return [error instanceof Error, error.code, error.message]; } },
    propose: (ctx, source) => ctx.propose(source),
    keep: (ctx) => { globalThis.kept = ctx; },
    leave: (ctx) => { Promise.resolve().then(() => { ctx.state.count = 77; }); return ctx.state.count; },
    get: (ctx) => ctx.state.count,
  `);

  it("may await as often as it likes", async () => {
    const guest = await (await host.open(ASYNC)).start();
    assert.deepEqual(done(await guest.call("hop")).ops, [["count", "1"]]);
  });

  it("fails at once when it awaits what can never settle, and the next turn runs", async () => {
    const guest = await (await host.open(ASYNC)).start();
    const fault = thrown(await guest.call("never"));
    assert.equal(fault.code, "SANDBOX_TURN_STALLED");
    assert.match(fault.message, /can never settle/);
    assert.equal(done(await guest.call("get")).reply, "0");
  });

  it("throws late like early", async () => {
    const guest = await (await host.open(ASYNC)).start();
    assert.equal(thrown(await guest.call("late")).name, "RangeError");
  });

  it("waits for an answer and goes on with it", async () => {
    const guest = await (await host.open(NOTES)).start();
    const output = await guest.call("relay", "bob");
    assert.equal(output.kind, "wait");
    if (output.kind !== "wait") return;
    const [ask] = output.asks;
    assert.equal(ask?.verb, "call");
    assert.deepEqual(unpackAddress(ask?.text ?? ""), { agent: "bob", method: "hello", text: '{"deep":[1,2]}' });
    const end = done(await guest.answer(1, { ok: true, text: '"hi"' }));
    assert.equal(value(end.reply), "bob said hi");
    assert.deepEqual(end.ops, [["notes", '["asked bob"]']]);
  });

  it("takes nothing but answers while it waits", async () => {
    const guest = await (await host.open(ASYNC)).start();
    await guest.call("ask", "bob");
    assert.equal((await guest.turn({ id: 99, method: "get" })).kind, "fault");
    assert.equal((await guest.answer(2, { ok: true, text: "1" })).kind, "fault");
    assert.equal((await guest.load()).kind, "fault");
    assert.equal(done(await guest.answer(1, { ok: true, text: "3" })).reply, "3");
    assert.equal((await guest.answer(1, { ok: true, text: "3" })).kind, "fault");
  });

  it("gets the answers of several asks in any order", async () => {
    const guest = await (await host.open(ASYNC)).start();
    const output = await guest.call("both");
    assert.equal(output.kind === "wait" && output.asks.length, 2);
    const still = await guest.answer(2, { ok: true, text: '"second"' });
    assert.deepEqual(still, { kind: "wait", id: 2, asks: [], reads: [] });
    assert.equal(value(done(await guest.answer(1, { ok: true, text: '"first"' })).reply), "first,second");
  });

  it("sees a refused ask as an Error with a code", async () => {
    const guest = await (await host.open(ASYNC)).start();
    await guest.call("caught");
    const end = done(await guest.answer(1, { ok: false, code: "RUNTIME_AGENT_DOWN", message: "a is down" }));
    assert.deepEqual(value(end.reply), [true, "RUNTIME_AGENT_DOWN", "a is down"]);
  });

  it("fails with the code of an ask that it does not catch, and forgets its changes", async () => {
    const guest = await (await host.open(ASYNC)).start();
    await guest.call("ask", "bob");
    const fault = thrown(await guest.answer(1, { ok: false, code: "RUNTIME_AGENT_DOWN", message: "bob is down" }));
    assert.equal(fault.code, "RUNTIME_AGENT_DOWN");
    await guest.call("ask", "bob");
    assert.deepEqual(done(await guest.answer(1, { ok: true, text: "3" })).ops, [["list", "[1,2,3]"]]);
  });

  it("is not over before a call that nobody awaits is answered", async () => {
    const guest = await (await host.open(ASYNC)).start();
    assert.equal((await guest.call("floating")).kind, "wait");
    assert.equal(value(done(await guest.answer(1, { ok: false, code: "X", message: "x" })).reply), "returned");
  });

  it("may not ask more often than its limit", async () => {
    const guest = await (await host.open(ASYNC)).start();
    const output = await guest.call("many");
    assert.equal(thrown(output).code, "SANDBOX_ASKS_EXCEEDED");
  });

  it("proposes its source as it is", async () => {
    const guest = await (await host.open(ASYNC)).start();
    const output = await guest.call("propose", "export default 1");
    assert.deepEqual(output.kind === "wait" && output.asks, [
      { ask: 1, verb: "propose", step: "", text: "export default 1" },
    ]);
    assert.deepEqual(value(done(await guest.answer(1, { ok: true, text: '{"ruling":"pass"}' })).reply), {
      ruling: "pass",
    });
  });

  it("cannot use its context once the turn is over", async () => {
    const guest = await (await host.open(ASYNC)).start();
    done(await guest.call("keep"));
    const use = (code: string): Promise<unknown> =>
      guest.run(`(() => { try { ${code}; return "no error" } catch (e) { return e.code } })()`);
    for (const code of [
      "kept.state.count",
      "kept.state.count = 5",
      "kept.cast('a', 'm')",
      "Object.keys(kept.state)",
      "'x' in kept.state",
    ]) {
      assert.equal(await use(code), "SANDBOX_REQUEST_INVALID", code);
    }
    // The microtask that outlives its handler throws into nowhere; the turn's own answer still arrives.
    assert.equal(done(await guest.call("leave")).reply, "0");
    assert.equal(done(await guest.call("get")).reply, "0");
  });
});

describe("what leaves a turn", () => {
  const SENDER = withOn(`
    send(ctx, times) { for (let i = 0; i < times; i++) ctx.cast("bob", "hey", i); },
    mark(ctx, label) { ctx.checkpoint(label); },
    bad(ctx) { ctx.cast("bob", "hey", () => 1); },
    log(ctx, text) { ctx.log.info(text, { n: 1 }); console.warn("plain", [1]); },
    chatter(ctx) { for (let i = 0; i < 10_000; i++) ctx.log.debug("x".repeat(100)); return "fine"; },
    odd(ctx) { ctx.log.error({ get a() { throw 1 } }); ctx.log.error("\\ud800"); },
    self: (ctx) => ctx.self,
    taken: ({ log, cast, state }) => { log.info("a"); cast("b", "c"); return state.count; },
  `);

  it("casts and checkpoints stand in the outbox", async () => {
    const guest = await (await host.open(SENDER)).start();
    const { outbox } = done(await guest.call("send", 2));
    assert.deepEqual(
      outbox.map(({ verb, text }) => [verb, unpackAddress(text)]),
      [0, 1].map((n) => ["cast", { agent: "bob", method: "hey", text: `${n}` }]),
    );
    assert.deepEqual(done(await guest.call("mark", "before")).outbox, [{ verb: "checkpoint", text: "before" }]);
  });

  it("refuses more messages than the limit, and arguments that cannot be written", async () => {
    const guest = await (await host.open(SENDER)).start();
    assert.equal(thrown(await guest.call("send", 4)).code, "SANDBOX_OUTBOX_EXCEEDED");
    assert.match(thrown(await guest.call("bad")).message, /^arg: a function/);
    assert.equal(thrown(await guest.call("mark", "x".repeat(600))).code, "SANDBOX_MESSAGE_TOO_LARGE");
    assert.match(thrown(await guest.call("mark", 5)).message, /label must be a string/);
  });

  it("logs, and console does too", async () => {
    const guest = await (await host.open(SENDER)).start();
    const { logs } = done(await guest.call("log", "hi"));
    assert.deepEqual(
      logs.map(({ level, text }) => [level, text]),
      [
        ["info", 'hi {"n":1}'],
        ["warn", "plain [1]"],
      ],
    );
  });

  it("drops log lines over the limit and says so, without failing the turn", async () => {
    const guest = await (await host.open(SENDER)).start();
    const output = done(await guest.call("chatter"));
    assert.equal(value(output.reply), "fine");
    assert.equal(output.logs.length, 5);
    assert.match(output.logs[4]?.text ?? "", /more lines of this turn were dropped/);
  });

  it("logs what cannot be written without failing the turn", async () => {
    const guest = await (await host.open(SENDER)).start();
    const { logs } = done(await guest.call("odd"));
    assert.deepEqual(
      logs.map(({ text }) => text),
      ['{"a":[Getter]}', "\ufffd"],
    );
  });

  it("tells the agent who it is, and lets the context be taken apart", async () => {
    const guest = await (await host.open(SENDER)).start();
    assert.deepEqual(value(done(await guest.call("self")).reply), { id: "me", version: 1 });
    const output = done(await guest.call("taken"));
    assert.equal(output.outbox.length, 1);
    assert.equal(output.logs.length, 1);
  });
});
