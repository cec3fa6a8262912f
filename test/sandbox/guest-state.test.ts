/** `ctx.state`: a record over texts, decoded when touched, written when changed. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { decode, encode } from "../../sandbox/codec.ts";
import { done, GuestHost, thrown, type TestGuest } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const AGENTS = new URL("../fixtures/agents/", import.meta.url);
const value = (text: string): unknown => decode(text, { bytesMax: 1_000_000 });

/** An agent whose methods run the given code: `w` may write, `r` is declared `reads: true`. */
async function running(state: Record<string, unknown>, code: string): Promise<TestGuest> {
  const body = `(ctx, arg) => { ${code} }`;
  const source = `let kept; export default { version: 1, state: () => ({}), on: { w: ${body}, r: { reads: true, handle: ${body} }, get: (ctx) => ({ ...ctx.state }) } }`;
  const texts = Object.entries(state).map(([key, item]) => [key, encode(item, { bytesMax: 1_000_000 })] as const);
  return await (await host.open(source)).start({ state: Object.fromEntries(texts) });
}

describe("ctx.state", () => {
  const cases: readonly (readonly [
    title: string,
    code: string,
    reply: unknown,
    ops: readonly (readonly [string, string | undefined])[],
  ])[] = [
    ["a read changes nothing", "return ctx.state.list[1]", 2, []],
    ["an unknown key is undefined", "return ctx.state.nothing", undefined, []],
    ["no key is inherited", "return ctx.state.constructor", undefined, []],
    ["a change inside a value is written", "ctx.state.list.push(3)", undefined, [["list", "[1,2,3]"]]],
    ["an assignment is written", "ctx.state.text = 'b'", undefined, [["text", '"b"']]],
    ["an assignment of the same value is not", "ctx.state.text = 'a'", undefined, []],
    ["a change that is undone is not", "ctx.state.list.push(3); ctx.state.list.pop()", undefined, []],
    ["a new key is written", "ctx.state.fresh = new Set([1])", undefined, [["fresh", '~[["Set",1],1]']]],
    ["undefined is a value", "ctx.state.text = undefined; return 'text' in ctx.state", true, [["text", "~-1"]]],
    ["delete removes a key", "delete ctx.state.text; return 'text' in ctx.state", false, [["text", undefined]]],
    ["delete of nothing is nothing", "return delete ctx.state.nothing", true, []],
    ["a new key that is deleted again is nothing", "ctx.state.x = 1; delete ctx.state.x", undefined, []],
    ["delete and set again is one put", "delete ctx.state.text; ctx.state.text = 'z'", undefined, [["text", '"z"']]],
    ["in knows what is there", "return ['list' in ctx.state, 'nothing' in ctx.state]", [true, false], []],
    [
      "Object.keys lists in sorted order",
      "ctx.state.a = 1; return Object.keys(ctx.state)",
      ["a", "list", "map", "text"],
      [["a", "1"]],
    ],
    ["spread copies", "const { list, text } = { ...ctx.state }; return [list, text]", [[1, 2], "a"], []],
    ["Object.entries works", "return Object.entries(ctx.state).length", 3, []],
    [
      "Object.assign writes",
      "Object.assign(ctx.state, { p: 1, q: 2 })",
      undefined,
      [
        ["p", "1"],
        ["q", "2"],
      ],
    ],
    [
      "defineProperty writes a plain value",
      "Object.defineProperty(ctx.state, 'd', { value: 1, enumerable: true, configurable: true })",
      undefined,
      [["d", "1"]],
    ],
    [
      "the state itself can be the reply",
      "return ctx.state",
      { list: [1, 2], map: new Map([["k", 1]]), text: "a" },
      [],
    ],
    ["a Map changes in place", "ctx.state.map.set('k', 2)", undefined, [["map", '~[["Map",1,2],"k",2]']]],
  ];
  for (const [title, code, reply, ops] of cases) {
    it(title, async () => {
      const guest = await running({ list: [1, 2], text: "a", map: new Map([["k", 1]]) }, code);
      const output = done(await guest.call("w"));
      assert.deepEqual(value(output.reply), reply);
      assert.deepEqual(output.ops, ops);
    });
  }

  const refused: readonly (readonly [title: string, code: string, name: string, message: RegExp])[] = [
    ["an empty key", "ctx.state[''] = 1", "TypeError", /is no key of a state/],
    ["a key of 513 bytes", "ctx.state['x'.repeat(513)] = 1", "TypeError", /is no key of a state/],
    ["a key with half a character", "ctx.state['\\ud800'] = 1", "TypeError", /is no key of a state/],
    ["the key __proto__", "ctx.state['__proto__'] = {}", "TypeError", /is no key of a state/],
    ["a symbol", "ctx.state[Symbol.iterator] = 1", "TypeError", /a string, not a symbol/],
    ["an accessor", "Object.defineProperty(ctx.state, 'x', { get() { return 1 } })", "TypeError", /plain value/],
    ["freezing it", "Object.freeze(ctx.state)", "TypeError", /./],
    ["a prototype", "Object.setPrototypeOf(ctx.state, {})", "TypeError", /./],
    ["a function inside a value", "ctx.state.list.push(() => 1)", "SandboxError", /^state\["list"\]\[2\]: a function/],
    ["an instance of a class", "ctx.state.x = new (class A {})", "SandboxError", /^state\["x"\]: an instance/],
  ];
  for (const [title, code, name, message] of refused) {
    it(`refuses ${title}`, async () => {
      const guest = await running({ list: [1, 2] }, code);
      const fault = thrown(await guest.call("w"));
      assert.equal(fault.name, name);
      assert.match(fault.message, message);
      assert.deepEqual(value(done(await guest.call("get")).reply), { list: [1, 2] });
    });
  }

  it("does not decode a key that nobody touches", async () => {
    // The text would be refused the moment it is decoded.
    const source = `export default { version: 1, state: () => ({}), on: { set: (ctx) => { ctx.state.other = 1 }, bad: (ctx) => ctx.state.broken } }`;
    const guest = await (await host.open(source)).start({ state: { broken: "{not json" } });
    assert.deepEqual(done(await guest.call("set")).ops, [["other", "1"]]);
    assert.equal(thrown(await guest.call("bad")).code, "SANDBOX_MESSAGE_MALFORMED");
  });

  it("is the same object from turn to turn until a turn fails", async () => {
    const guest = await running(
      { list: [1] },
      "if (arg === 'keep') { kept = ctx.state.list; return } if (arg === 'fail') { ctx.state.list.push(2); throw 1 } return kept === ctx.state.list",
    );
    done(await guest.call("w", "keep"));
    assert.equal(value(done(await guest.call("w")).reply), true);
    thrown(await guest.call("w", "fail"));
    assert.equal(value(done(await guest.call("w")).reply), false);
    assert.deepEqual(value(done(await guest.call("get")).reply), { list: [1] });
  });

  it("rolls back sets, deletes and new keys", async () => {
    const guest = await running(
      { a: 1, b: [1], c: "x" },
      "ctx.state.a = 2; ctx.state.b.push(2); delete ctx.state.c; ctx.state.d = 1; throw new Error('no')",
    );
    thrown(await guest.call("w"));
    assert.deepEqual(value(done(await guest.call("get")).reply), { a: 1, b: [1], c: "x" });
  });

  it("refuses a state over its limit in bytes, and keeps the old one", async () => {
    const source = `export default { version: 1, state: () => ({}), on: { set: (ctx, [key, size, char]) => { ctx.state[key] = char.repeat(size) }, keys: (ctx) => Object.keys(ctx.state) } }`;
    const guest = await (await host.open(source)).start({ limits: { stateBytesMax: 1000 } });
    done(await guest.call("set", ["a", 400, "x"]));
    assert.equal(thrown(await guest.call("set", ["b", 700, "x"])).code, "SANDBOX_STATE_TOO_LARGE");
    assert.equal(thrown(await guest.call("set", ["b", 300, "ü"])).code, "SANDBOX_STATE_TOO_LARGE");
    assert.equal(thrown(await guest.call("set", ["b", 5000, "x"])).code, "SANDBOX_STATE_TOO_LARGE");
    done(await guest.call("set", ["b", 290, "ü"]));
    done(await guest.call("set", ["a", 1, "x"]));
    assert.deepEqual(value(done(await guest.call("keys")).reply), ["a", "b"]);
  });
});

describe("a handler declared reads: true", () => {
  it("sees the state and produces no changes", async () => {
    const guest = await running(
      { list: [1, 2], map: new Map([["k", 1]]) },
      "ctx.state.map.set('x', 1); return [ctx.state.list, ctx.state.map.get('x')]",
    );
    const output = done(await guest.call("r"));
    assert.deepEqual(value(output.reply), [[1, 2], 1]);
    assert.deepEqual(output.ops, []);
    assert.deepEqual(value(done(await guest.call("get")).reply), { list: [1, 2], map: new Map([["k", 1]]) });
  });

  const writes = [
    "ctx.state.list = 1",
    "delete ctx.state.list",
    "ctx.state.fresh = 1",
    "ctx.state.list.push(1)",
    "ctx.state.deep.a.b = 2",
    "delete ctx.state.deep.a",
    "ctx.state.deep.a.c = 2",
    "Object.defineProperty(ctx.state, 'x', { value: 1 })",
  ];
  for (const code of writes) {
    it(`may not ${code}`, async () => {
      const guest = await running({ list: [1, 2], deep: { a: { b: 1 } } }, code);
      const fault = thrown(await guest.call("r"));
      assert.equal(fault.name, "TypeError");
      assert.equal(fault.code, "SANDBOX_STATE_READONLY");
      assert.match(fault.message, /declared reads: true/);
    });
  }

  const kept = [
    "ctx.publish('news', 1)",
    "ctx.subscribe('news', 'w')",
    "ctx.unsubscribe('news')",
    "ctx.after(10, 'w')",
    "ctx.cron('* * * * *', 'w')",
    "ctx.cancel('t')",
    "ctx.link('b')",
    "ctx.unlink('b')",
    "ctx.demonitor('m')",
    "ctx.exit()",
    "ctx.checkpoint('here')",
    "return ctx.spawn({ id: 'b' })",
    "return ctx.stop('a/b')",
    "return ctx.kill('a/b')",
    "return ctx.propose('x')",
  ];
  for (const code of kept) {
    it(`may not ${code}: it would be kept of a turn that only reads`, async () => {
      const guest = await running({}, code);
      assert.equal(thrown(await guest.call("r")).code, "SANDBOX_STATE_READONLY");
    });
  }

  it("tells the author of a typed agent the same", async () => {
    const guest = await (await host.open({ module: new URL("notes.agent.ts", AGENTS) })).start();
    assert.equal(thrown(await guest.call("misuse")).code, "SANDBOX_STATE_READONLY");
  });

  it("gets the same frozen object every time, until a turn changes the key", async () => {
    const guest = await running(
      { big: { a: [1] } },
      "if (arg) { ctx.state.big.a.push(2); return } const same = kept === ctx.state.big; kept = ctx.state.big; return [same, kept.a.length]",
    );
    assert.deepEqual(value(done(await guest.call("r")).reply), [false, 1]);
    assert.deepEqual(value(done(await guest.call("r")).reply), [true, 1]);
    done(await guest.call("w", true));
    assert.deepEqual(value(done(await guest.call("r")).reply), [false, 2]);
  });

  it("gets a fresh copy of what cannot be frozen in each turn, the same within one", async () => {
    const guest = await running(
      { when: new Date(5) },
      "const same = [kept === ctx.state.when, ctx.state.when === ctx.state.when]; kept = ctx.state.when; kept.setTime(9); return [...same, ctx.state.when.getTime()]",
    );
    assert.deepEqual(value(done(await guest.call("r")).reply), [false, true, 9]);
    assert.deepEqual(value(done(await guest.call("r")).reply), [false, true, 9]);
    assert.deepEqual(value(done(await guest.call("get")).reply), { when: new Date(5) });
  });
});
