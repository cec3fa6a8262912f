/** Agents that patch their realm or throw what cannot be described: the guest still answers in the protocol's own words. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { decode } from "../../sandbox/codec.ts";
import { done, GuestHost, thrown, type TestGuest } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const value = (text: string): unknown => decode(text, { bytesMax: 1_000_000 });

/** An agent with one method that runs the code, and methods that show that it still works. */
function open(code: string): Promise<TestGuest> {
  const source = `export default { version: 1, state: () => ({ count: 0, list: [1, { a: "b" }], map: new Map([["k", new Date(5)]]) }), on: {
    async evil(ctx, arg) { ${code} },
    sync(ctx, arg) { ${code} },
    work: async (ctx, by) => { await null; ctx.state.list[2] = by; ctx.log.info("worked", { by }); ctx.cast("a", "b", [by]); return { total: (ctx.state.count += by) }; },
    rich: (ctx) => { ctx.state.map.set("new", 1n); },
    asks: async (ctx) => [await ctx.call("a", "b", 1), ctx.state.count],
    same: { reads: true, handle: (ctx, arg) => arg },
  } }`;
  return host.open(source).then((guest) => guest.start());
}

const patches: readonly (readonly [what: string, code: string])[] = [
  [
    "Array.prototype methods",
    "for (const name of Object.getOwnPropertyNames(Array.prototype)) if (name !== 'constructor' && name !== 'length') { const old = Array.prototype[name]; Array.prototype[name] = function () { throw new Error('patched ' + name) }; if (name === 'push') Array.prototype.push = old }",
  ],
  [
    "array iteration",
    "Array.prototype[Symbol.iterator] = function* () { yield 'evil' }; Object.getPrototypeOf([][Symbol.iterator] ? [].keys() : 0).next = () => { throw 1 }",
  ],
  [
    "Map.prototype.forEach and Set.prototype.forEach",
    "Map.prototype.forEach = Set.prototype.forEach = () => { throw 1 }",
  ],
  [
    "String.prototype",
    "for (const name of ['charCodeAt', 'slice', 'indexOf', 'isWellFormed', 'toWellFormed', 'split', 'startsWith', 'toString']) String.prototype[name] = () => { throw 1 }",
  ],
  ["JSON", "JSON.parse = () => ({ evil: true }); JSON.stringify = () => '{\"evil\":true}'"],
  ["Promise.prototype.then", "Promise.prototype.then = () => { throw 1 }; Promise.prototype.catch = () => { throw 1 }"],
  [
    "the global constructors",
    "globalThis.Promise = globalThis.Array = globalThis.Object = globalThis.Error = globalThis.String = undefined",
  ],
  [
    "Object and Reflect",
    "for (const name of Object.getOwnPropertyNames(Object)) if (name !== 'prototype') try { Object[name] = () => { throw 1 } } catch {} ; Reflect.apply = Reflect.construct = Reflect.ownKeys = () => { throw 1 }",
  ],
  [
    "Function.prototype",
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw 1 }",
  ],
  [
    "Object.prototype.then with a getter",
    "Object.defineProperty(Object.prototype, 'then', { get() { return undefined }, configurable: true })",
  ],
  [
    "Object.prototype.toJSON",
    "Object.prototype.toJSON = () => 'evil'; Array.prototype.toJSON = () => 'evil'; delete Array.prototype.toJSON; delete Object.prototype.toJSON; Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'evil', configurable: true })",
  ],
  [
    "Object.prototype.get and set",
    "Object.prototype.get = () => 'evil'; Object.prototype.set = () => {}; Object.prototype.value = 'evil'; Object.prototype.writable = false",
  ],
  [
    "Symbol.species and Symbol.hasInstance",
    "Object.defineProperty(Array, Symbol.species, { get() { throw 1 } }); Object.defineProperty(Promise, Symbol.species, { get() { throw 1 } })",
  ],
  [
    "Date.prototype and Math",
    "Date.prototype.toISOString = Date.prototype.valueOf = () => { throw 1 }; Math.random = () => { throw 1 }; globalThis.Date = undefined",
  ],
  ["RegExp.prototype.exec", "RegExp.prototype.exec = () => { throw 1 }"],
];

describe("after an agent patched its realm", () => {
  for (const [what, code] of patches) {
    it(`turns, state, asks and values still work: ${what}`, async () => {
      const guest = await open(code);
      done(await guest.call("evil"));
      const output = done(await guest.call("work", 2));
      assert.deepEqual(value(output.reply), { total: 2 });
      const ops = output.ops.map(([key, text]) => [key, value(text ?? "")]);
      assert.deepEqual(Object.fromEntries(ops), { count: 2, list: [1, { a: "b" }, 2] });
      assert.equal(output.outbox.length, 1);
      assert.equal(output.logs.length, 1);
      assert.equal((await guest.call("asks")).kind, "wait");
      assert.deepEqual(value(done(await guest.answer(1, { ok: true, text: '{"x":[1]}' })).reply), [{ x: [1] }, 2]);
      assert.deepEqual(value(done(await guest.call("same", { deep: [null, true, { x: "y" }] })).reply), {
        deep: [null, true, { x: "y" }],
      });
      assert.equal(thrown(await guest.call("nix")).code, "SANDBOX_METHOD_UNKNOWN");
    });
  }

  for (const [what, code] of patches) {
    it(`what devalue writes is right or refused: ${what}`, async () => {
      const guest = await open(code);
      done(await guest.call("evil"));
      const output = await guest.call("rich");
      const map = output.kind === "done" ? output.ops.find(([key]) => key === "map")?.[1] : undefined;
      if (map === undefined) assert.match(thrown(output).message, /./);
      else
        assert.deepEqual(
          value(map),
          new Map<string, unknown>([
            ["k", new Date(5)],
            ["new", 1n],
          ]),
        );
    });
  }

  it("whatever it does to index setters, the guest answers with a text of the protocol", async () => {
    const guest = await open(
      "for (const i of [0, 1, 2, 3]) Object.defineProperty(Array.prototype, i, { set() { throw new Error('setter') }, get() { throw new Error('getter') }, configurable: true })",
    );
    await guest.call("evil");
    const output = await guest.call("work", 1);
    assert.ok(["done", "threw", "fault"].includes(output.kind));
  });

  for (const place of ["Object", "Array"]) {
    it(`setters for every index of ${place}.prototype keep no question, message, write or log line back`, async () => {
      const guest = await open(
        `globalThis.caught = 0; for (let i = 0; i < 300; i++) Object.defineProperty(${place}.prototype, i, { set() { caught++ }, get() { return undefined }, configurable: true });
         ctx.log.info("a line"); ctx.cast("a", "b", 1); ctx.table("t").put("k", 1); ctx.state.count = 5; return ctx.call("a", "b", 1).then((n) => n + caught);`,
      );
      const output = await guest.call("evil");
      assert.equal(output.kind, "wait");
      assert.equal(output.asks.length, 1);
      const { reply, ops, rows, outbox, logs } = done(await guest.answer(1, { ok: true, text: "0" }));
      assert.equal(value(reply), 0);
      assert.deepEqual([ops.length, rows.length, outbox.length, logs.length], [1, 1, 1, 1]);
    });
  }

  it("a then on Object.prototype that throws fails the turn, not the guest", async () => {
    const guest = await open(
      "Object.defineProperty(Object.prototype, 'then', { get() { throw new Error('poison') }, configurable: true }); return { a: 1 }",
    );
    assert.equal(thrown(await guest.call("evil")).message, "poison");
    assert.equal(thrown(await guest.call("sync")).message, "poison");
    assert.equal(value(done(await guest.call("same", 3)).reply), 3);
  });
});

describe("what is thrown", () => {
  const throws: readonly (readonly [what: string, code: string, name: string, message: RegExp])[] = [
    ["a revoked proxy", "const p = Proxy.revocable({}, {}); p.revoke(); throw p.proxy", "Thrown", /no Error/],
    [
      "a revoked callable proxy",
      "const p = Proxy.revocable(function () {}, {}); p.revoke(); throw p.proxy",
      "Thrown",
      /no Error/,
    ],
    ["undefined", "throw undefined", "Thrown", /^undefined$/],
    ["null", "throw null", "Thrown", /^an object that is no Error$/],
    ["a symbol", "throw Symbol('s')", "Thrown", /^Symbol\(s\)$/],
    ["a BigInt", "throw 5n", "Thrown", /^5$/],
    ["a huge text", "throw 'x'.repeat(1_000_000)", "Thrown", /^x{8192}$/],
    [
      "an error with poisoned getters",
      "throw Object.defineProperties(new Error('a'), { message: { get() { throw 1 } }, stack: { get() { throw 2 } }, name: { get() { throw 3 } }, code: { get() { throw 4 } } })",
      "Thrown",
      /no Error/,
    ],
    [
      "an error whose parts are no texts",
      "throw Object.assign(new Error('a'), { message: {}, stack: 5, code: 7, name: [] })",
      "Thrown",
      /no Error/,
    ],
    ["an error with half a character", "throw new Error('a\\ud800')", "Error", /^a\ufffd$/],
    [
      "an error with a huge stack and code",
      "throw Object.assign(new Error('a'), { stack: 's'.repeat(1_000_000), code: 'c'.repeat(10_000) })",
      "Error",
      /^a$/,
    ],
    [
      "a proxy that lies",
      "throw new Proxy(new Error('a'), { get(t, k) { if (k === 'message') throw new Proxy({}, { get() { throw 1 } }); return undefined } })",
      "Thrown",
      /no Error/,
    ],
    ["endless recursion", "(function down() { down() })()", "RangeError", /Maximum call stack/],
    [
      "an object whose text conversion throws",
      "throw { toString() { throw 1 }, [Symbol.toPrimitive]() { throw 2 } }",
      "Thrown",
      /no Error/,
    ],
  ];
  for (const [what, code, name, message] of throws) {
    it(`is described: ${what}`, async () => {
      const guest = await open(`ctx.state.count = 99; ${code}`);
      for (const method of ["sync", "evil"]) {
        const fault = thrown(await guest.call(method));
        assert.equal(fault.name, name);
        assert.match(fault.message, message);
      }
      assert.deepEqual(value(done(await guest.call("work", 1)).reply), { total: 1 });
    });
  }
});

describe("what is returned", () => {
  const faults: readonly (readonly [what: string, code: string, expected: RegExp | string])[] = [
    ["a thenable that throws", "return { then() { throw new RangeError('then') } }", /^then$/],
    [
      "a thenable that rejects with a revoked proxy",
      "return { then(_, no) { const p = Proxy.revocable({}, {}); p.revoke(); no(p.proxy) } }",
      /no Error/,
    ],
    ["a thenable that never settles", "return { then() {} }", "SANDBOX_TURN_STALLED"],
    [
      "an object with an accessor that throws",
      "return { get a() { throw new Error('mine') } }",
      /^reply\.a: reading it throws/,
    ],
    ["a proxy whose traps throw", "return new Proxy({}, { ownKeys() { throw 1 } })", /^reply: reading it throws/],
    ["something that only looks like a Map", "return Object.create(Map.prototype)", /^reply: reading it throws/],
    [
      "a value of a million shared branches",
      "let v = ['x']; for (let i = 0; i < 30; i++) v = [v, v]; return v",
      "SANDBOX_REPLY_TOO_LARGE",
    ],
    ["a cycle", "const v = {}; v.v = v; return v", /refers back/],
    ["an array of four billion holes", "return new Array(2 ** 32 - 1)", "SANDBOX_REPLY_TOO_LARGE"],
    ["an own __proto__", "return JSON.parse('{\"__proto__\":1}')", /"__proto__" is not accepted/],
  ];
  for (const [what, code, expected] of faults) {
    it(`fails the turn: ${what}`, async () => {
      const guest = await open(code);
      const fault = thrown(await guest.call("sync"));
      if (typeof expected === "string") assert.equal(fault.code, expected);
      else assert.match(fault.message, expected);
      assert.deepEqual(value(done(await guest.call("work", 1)).reply), { total: 1 });
    });
  }

  it("a thenable is awaited as a promise would be", async () => {
    const guest = await open("return { then(yes) { yes(5) } }");
    assert.equal(value(done(await guest.call("sync")).reply), 5);
  });

  it("an accessor that says something else the second time cannot smuggle anything but text", async () => {
    const guest = await open("let n = 0; return { get a() { return n++ === 0 ? 1 : () => 1 } }");
    assert.deepEqual(value(done(await guest.call("sync")).reply), {});
  });

  it("the text of an own toJSON is data", async () => {
    const guest = await open("return { toJSON: 'x', list: Object.assign([1], { toJSON: () => 'evil' }) }");
    assert.deepEqual(value(done(await guest.call("sync")).reply), { toJSON: "x", list: [1] });
  });

  it("a rejection that nobody handles is logged by the turn that left it behind", async () => {
    const cases: readonly (readonly [code: string, said: RegExp])[] = [
      [
        "void Promise.reject(new RangeError('lost')); return 1",
        /^Uncaught \(in promise\) RangeError: lost\n {4}at .*agent\.js/,
      ],
      [
        "void (async () => { await null; throw new Error('later') })(); return 1",
        /^Uncaught \(in promise\) Error: later\n/,
      ],
      ["queueMicrotask(() => { throw new Error('task') }); return 1", /^Uncaught (?:\(in promise\) )?Error: task\n/],
      ["void Promise.reject(7); return 1", /^Uncaught \(in promise\) 7$/],
      ["void Promise.reject(new Error('lost')); throw new Error('thrown')", /lost/],
    ];
    for (const [code, said] of cases) {
      const guest = await open(code);
      for (const method of ["sync", "evil"]) {
        const output = await guest.call(method);
        const logs = output.kind === "done" || output.kind === "threw" ? output.logs : [];
        assert.deepEqual(
          logs.map(({ level }) => level),
          ["error"],
          `${method}: ${code}`,
        );
        assert.match(logs[0]?.text ?? "", said);
      }
      assert.deepEqual(done(await guest.call("same", 1)).logs, []);
    }
  });

  it("a rejection that is handled before the entry ends is none, and a module may leave one behind, too", async () => {
    const guest = await open("const p = Promise.reject(new Error('x')); return p.catch(() => 'caught')");
    assert.deepEqual(done(await guest.call("evil")).logs, []);
    const output = await (
      await host.open("void Promise.reject(new Error('top')); export default { version: 1, state: () => ({}), on: {} }")
    ).load();
    assert.match((output.kind === "loaded" && output.logs[0]?.text) || "", /^Uncaught \(in promise\) Error: top/);
  });

  it("a stray rejection is not blamed on the next turn", async () => {
    const guest = await open("Promise.reject(new Error('nobody listens')); return 'answer'");
    assert.equal(value(done(await guest.call("sync")).reply), "answer");
    assert.equal(value(done(await guest.call("evil")).reply), "answer");
    assert.deepEqual(value(done(await guest.call("work", 1)).reply), { total: 1 });
  });
});

describe("the door", () => {
  it("answers texts that no cell sends", async () => {
    const guest = await open("");
    for (const text of ["", "X", "T", "T5\nabc", "T1,2\nx", "L0\n", "A\n", "Q1\nx", "T9999999999999999\n"]) {
      assert.equal((await guest.enter(text))[0], "F", JSON.stringify(text));
    }
    assert.deepEqual(value(done(await guest.call("work", 1)).reply), { total: 1 });
  });

  it("repeats its latest output when it is resumed with nothing in progress", async () => {
    const guest = await open("");
    done(await guest.call("work", 1));
    const again = await guest.enter("R");
    assert.equal(again[0], "D");
    assert.equal(await guest.enter("R"), again);
  });
});
