/** The realm that agent code finds: what is gone, what is pinned, what is deterministic, where the rails stand. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decode } from "../../sandbox/codec.ts";
import { done, GuestHost, type TestGuest } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const SOURCE = `export default { version: 1, state: () => ({}), on: {
  time: (ctx) => [ctx.now(), Date.now(), +new Date(), new Date().toISOString(), new Date(5).getTime(), typeof Date(), new Date(2020, 1) instanceof Date],
  intl: () => { const f = new Intl.DateTimeFormat("en", { timeZone: "UTC" }); return [f.format(), f.formatToParts().length, f.format(new Date(0))] },
  chance: (ctx) => [ctx.random(), Math.random(), Math.random()],
} }`;

let guest: TestGuest;
before(async () => {
  guest = await (await host.open(SOURCE)).start();
});
/** The name of the error that an expression throws, or "none". */
const errorOf = (code: string): Promise<unknown> =>
  guest.run(`(() => { "use strict"; try { ${code}; return "none" } catch (e) { return e.name } })()`);

describe("the realm", () => {
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry", "Temporal"]) {
    it(`has no ${name}`, async () =>
      assert.equal(await guest.run(`typeof globalThis.${name} + ("${name}" in globalThis)`), "undefinedfalse"));
  }

  it("keeps nothing of ours in its globals", async () => {
    const names = await guest.run("Object.getOwnPropertyNames(globalThis).filter((name) => /planaria/i.test(name))");
    assert.deepEqual(names, []);
    for (const name of [
      "require",
      "process",
      "module",
      "global",
      "self",
      "Buffer",
      "fetch",
      "setTimeout",
      "setInterval",
      "setImmediate",
    ]) {
      assert.equal(await guest.run(`typeof ${name}`), "undefined");
    }
  });

  it("has no resizable buffers and no way to take one over", async () => {
    assert.equal(await errorOf("new ArrayBuffer(1, { maxByteLength: 10 })"), "RangeError");
    assert.equal(await errorOf("new (new ArrayBuffer(1).constructor)(1, { maxByteLength: 10 })"), "RangeError");
    assert.equal(
      await guest.run("['resize', 'transfer', 'transferToFixedLength'].some((name) => name in ArrayBuffer.prototype)"),
      false,
    );
    assert.deepEqual(
      await guest.run(
        "[new ArrayBuffer(3).byteLength, new Uint8Array(2).buffer instanceof ArrayBuffer, ArrayBuffer.isView(new Uint8Array(1)), ArrayBuffer.name, new ArrayBuffer(4).slice(1).byteLength]",
      ),
      [3, true, true, "ArrayBuffer", 3],
    );
    assert.equal(
      await guest.run(
        "(class B extends ArrayBuffer {}, new (class B extends ArrayBuffer { get x() { return 1 } })(2).x)",
      ),
      1,
    );
    assert.equal(await errorOf("ArrayBuffer(1)"), "TypeError");
  });

  it("pins what stacks are made with", async () => {
    await guest.run("(Error.prepareStackTrace = () => 'mine', 0)");
    assert.equal(await guest.run("typeof new Error('x').stack + typeof Error.prepareStackTrace"), "stringundefined");
    assert.equal(await errorOf("Error.stackTraceLimit = 1e6"), "TypeError");
    const frames = await guest.run(
      "(() => { const down = (n) => n === 0 ? new Error('x').stack.split('\\n').length : down(n - 1); return down(50) })()",
    );
    assert.equal(frames, 11);
  });
});

describe("what was replaced", () => {
  it("reads as a built-in, and what the agent wrote as it wrote it", async () => {
    const texts = await guest.run(
      "[[].map, Date, ArrayBuffer, BigInt, JSON.parse, Function.prototype.apply, Function.prototype.toString].map(String)",
    );
    const names = ["map", "Date", "ArrayBuffer", "BigInt", "parse", "apply", "toString"];
    assert.deepEqual(
      texts,
      names.map((name) => `function ${name}() { [native code] }`),
    );
    assert.equal(
      await guest.run("String((a) => a + 1) + (() => {}).bind().toString()"),
      "(a) => a + 1function () { [native code] }",
    );
    assert.equal(await errorOf("Function.prototype.toString.call({})"), "TypeError");
    assert.equal(await errorOf("new Function.prototype.toString()"), "TypeError");
  });
});

describe("time and chance", () => {
  it("stand still during a turn, at what the turn was told", async () => {
    const { reply } = done(await guest.turn({ method: "time", nowMs: 86_400_000 }));
    assert.deepEqual(decode(reply, { bytesMax: 1000 }), [
      86_400_000,
      86_400_000,
      86_400_000,
      "1970-01-02T00:00:00.000Z",
      5,
      "string",
      true,
    ]);
    assert.deepEqual(decode(done(await guest.turn({ method: "intl", nowMs: 86_400_000 })).reply, { bytesMax: 1000 }), [
      "1/2/1970",
      5,
      "1/1/1970",
    ]);
  });

  it("are the same again for the same seed, and different for another", async () => {
    const draw = async (seed: number): Promise<string> => done(await guest.turn({ method: "chance", seed })).reply;
    const first = await draw(7);
    assert.equal(await draw(7), first);
    const draws = await Promise.all([0, 1, 2, 3, 0xffff_ffff].map(draw));
    assert.equal(new Set([first, ...draws]).size, 6);
    for (const number of draws.flatMap((text) => decode(text, { bytesMax: 1000 }) as number[])) {
      assert.ok(number >= 0 && number < 1);
    }
  });

  it("sequential seeds give first draws without a pattern", async () => {
    // 64 seeds into 8 bins: chi square with 7 degrees of freedom stays below 24.3 in 99.9 % of honest generators.
    const bins = Array.from({ length: 8 }, () => 0);
    for (let seed = 0; seed < 64; seed++) {
      const [draw] = decode(done(await guest.turn({ method: "chance", seed })).reply, { bytesMax: 1000 }) as number[];
      const bin = Math.floor((draw ?? 0) * 8);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const chi = bins.reduce((sum, count) => sum + (count - 8) ** 2 / 8, 0);
    assert.ok(chi < 24.3, `chi square ${chi}`);
  });

  it("Date looks like itself", async () => {
    assert.deepEqual(
      await guest.run(
        "[Date.name, Date.length, Date.UTC(2020, 0), Date.parse('2020-01-01T00:00:00Z'), new Date(0).constructor === Date, new (class D extends Date { x() { return this.getTime() } })(3).x(), typeof new Date().getTimezoneOffset()]",
      ),
      ["Date", 7, 1577836800000, 1577836800000, true, 3, "number"],
    );
  });
});

describe("guard rails", () => {
  const blocked = [
    "Array.prototype.every.call({ length: 2 ** 53 - 1 }, Boolean)",
    "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)",
    "Array.prototype.join.call({ length: 2 ** 31 })",
    "new Array(2 ** 31).fill(0)",
    "new Array(2 ** 31).sort()",
    "Array.from({ length: 2 ** 31 })",
    "[].concat(new Array(2 ** 23))",
    "'x'.repeat(2 ** 28)",
    "'x'.padEnd(2 ** 28)",
    "'x'.padStart('999999999')",
    "('x'.repeat(2 ** 22) + 'y').split('')",
    "('x'.repeat(2 ** 22) + 'y').indexOf('z')",
    "('x'.repeat(2 ** 22) + 'y').toUpperCase()",
    "'a'.repeat(2 ** 20).replaceAll('a', 'b'.repeat(1000))",
    "'x'.repeat(2 ** 17).normalize('NFKD')",
    "JSON.parse('[' + '1,'.repeat(2 ** 21) + '1]')",
    "BigInt('9'.repeat(2 ** 18))",
    "(1n << 2n ** 20n).toString()",
    "encodeURIComponent('x'.repeat(2 ** 22) + 'y')",
    "String.raw({ raw: { length: 2 ** 53 - 1 } })",
  ];
  for (const code of blocked) {
    it(`stop ${code}`, async () => assert.equal(await errorOf(code), "RangeError"));
  }

  it("let ordinary work pass", async () => {
    const ordinary = `[
      [3, 1, 2].sort().map((x) => x * 2).filter((x) => x > 2).join(), [1, [2, [3]]].flat(Infinity).length, [1].concat([2], 3).length,
      "a-b".split("-").length, "abc".replace(/b/, "x"), "a".repeat(3).padEnd(5, "-"), "é".normalize("NFD").length, "aXbX".replaceAll("X", "y"),
      JSON.parse('{"a":[1]}').a[0], BigInt("12").toString(), String(BigInt.asUintN(8, 257n)), encodeURIComponent("a b"), Array.from("abc").length,
      String.raw\`a\\n\`, Array.from({ length: 3 }, (_, i) => i).at(-1), [1, 2, 3].includes(2), "abc".indexOf("c"), typeof BigInt(3), Object(1n) instanceof BigInt,
    ]`;
    assert.deepEqual(await guest.run(ordinary), [
      "4,6",
      3,
      3,
      2,
      "axc",
      "aaa--",
      2,
      "ayby",
      1,
      "12",
      "1",
      "a%20b",
      3,
      "a\\n",
      2,
      true,
      2,
      "bigint",
      true,
    ]);
  });

  it("keep names and lengths of what they wrap, and its refusals", async () => {
    assert.deepEqual(
      await guest.run(
        "[Array.prototype.map.name, Array.prototype.map.length, ''.split.name, JSON.parse.length, 'prototype' in [].map, BigInt.name]",
      ),
      ["map", 1, "split", 2, false, "BigInt"],
    );
    assert.equal(await errorOf("Array.prototype.map.call(null, Boolean)"), "TypeError");
    assert.equal(await errorOf("new [].map(Boolean)"), "TypeError");
    assert.equal(await errorOf("new BigInt(1)"), "TypeError");
    assert.equal(await errorOf("String.prototype.split.call(null)"), "TypeError");
  });
});
