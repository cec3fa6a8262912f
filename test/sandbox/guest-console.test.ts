/** What `console` and `ctx.log` write: the words, the values, and the place, whatever the agent logs. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { compile } from "../../sandbox/compile.ts";
import { mapLog, mapPosition } from "../../sandbox/stack.ts";
import { done, GuestHost, thrown, type TestGuest } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const RUN = `export default { version: 1, state: () => ({}), on: {
  run(ctx, code) { globalThis.ctx = ctx; return (0, eval)(code), 0; } } }`;

describe("console", () => {
  let guest: TestGuest;
  before(async () => {
    guest = await (await host.open(RUN)).start({ limits: { logBytesPerTurnMax: 20_000 } });
  });
  const said = async (code: string): Promise<string[]> =>
    done(await guest.call("run", code)).logs.map(({ level, text }) => `${level} ${text}`);

  const cases: readonly (readonly [what: string, code: string, lines: readonly string[]])[] = [
    ["texts and values", 'console.log("a", 1, true, null, undefined, 2n, "b")', ["info a 1 true null undefined 2n b"]],
    ["plain data as JSON", 'console.log({ a: [1, "x", { b: null }] })', ['info {"a":[1,"x",{"b":null}]}']],
    [
      "levels",
      "for (const l of ['debug','info','warn','error']) console[l](l)",
      ["debug debug", "info info", "warn warn", "error error"],
    ],
    [
      "formats",
      'console.log("%s has %d of %i, %f%% %o %j %c!", "x", "4", 5.7, 0.5, {a:1}, [2], "color:red", "rest")',
      ['info x has 4 of 5, 0.5% {"a":1} [2] ! rest'],
    ],
    [
      "formats without a value",
      'console.log("%s and %d%", 1); console.log("100%"); console.log("%x", 1)',
      ["info 1 and %d%", "info 100%", "info %x 1"],
    ],
    ["odd numbers", 'console.log("%d %i %d", {}, "x", 3n)', ["info NaN NaN 3n"]],
    [
      "collections",
      "console.log(new Map([['k', 1n]]), new Set([1, 'a']), new Uint8Array(3))",
      ['info Map(1) {"k" => 1n} Set(2) {1,"a"} Uint8Array(3) [0,0,0]'],
    ],
    ["dates", "console.log(new Date(0), new Date(NaN))", ["info 1970-01-01T00:00:00.000Z Invalid Date"]],
    [
      "instances and functions",
      "class Account { id = 7; get x() { throw 1 } }; console.log(new Account(), Account, () => 1, Symbol('s'))",
      ['info Account {"id":7} [Function Account] [Function (anonymous)] Symbol(s)'],
    ],
    [
      "cycles and depth",
      "const a = { b: {} }; a.b.c = a; console.log(a, [[[[[[[[1]]]]]]]])",
      ['info {"b":{"c":[Circular]}} [[[[[[[Array]]]]]]]'],
    ],
    [
      "getters, which are not called",
      "console.log({ get a() { globalThis.called = 1; return 1 } }, globalThis.called)",
      ['info {"a":[Getter]} undefined'],
    ],
    [
      "getters of errors, their own and of their prototypes, which are not called either",
      `const get = () => { globalThis.asked = 1; return "asked" };
       class Odd extends Error { get name() { return get() } get message() { return get() } }
       const all = ["name", "message", "stack", "cause"];
       const own = Object.defineProperties(new Error("x"), Object.fromEntries(all.map((k) => [k, { get }])));
       const bare = new Odd(); delete bare.stack; Object.defineProperty(bare, "stack", { get });
       console.log(own, bare, globalThis.asked)`,
      ["info Error:  Error:  undefined"],
    ],
    [
      "errors with what they say as plain data",
      `class Mine extends Error { }
       Object.defineProperty(Mine.prototype, "name", { value: "Mine" });
       const error = new Mine("said", { cause: 7 }); error.stack = undefined; console.log(error)`,
      ["info Mine: said\n  [cause]: 7"],
    ],
    [
      "proxies that throw",
      "console.log(new Proxy({}, { ownKeys() { throw 1 } }), new Proxy([], { get() { throw 1 } }))",
      ["info [threw] [threw]"],
    ],
    ["a revoked proxy", "const r = Proxy.revocable({}, {}); r.revoke(); console.log(r.proxy)", ["info [threw]"]],
    [
      "objects that lie about their kind",
      "console.log({ toString() { throw 1 }, toJSON() { throw 1 } }, Object.create(Map.prototype))",
      ['info {"toString":[Function toString],"toJSON":[Function toJSON]} [threw]'],
    ],
    [
      "assertions",
      "console.assert(1, 'no'); console.assert(0); console.assert(false, 'sum is', 3)",
      ["error Assertion failed", "error Assertion failed: sum is 3"],
    ],
    ["dir and dirxml", "console.dir({ a: 1 }, { depth: 0 }); console.dirxml(1, 2)", ['info {"a":1}', "info 1 2"]],
    [
      "counts",
      "console.count(); console.count(); console.count('x'); console.countReset(); console.count()",
      ["info default: 1", "info default: 2", "info x: 1", "info default: 1"],
    ],
    [
      "groups",
      "console.group('a'); console.log('b\\nc'); console.group(); console.log('d'); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('e')",
      ["info a", "info   b\n  c", "info     d", "info e"],
    ],
    ["a group that was left open, in the next turn", "console.group('a')", ["info a"]],
    ["no indentation from the turn before", "console.log('b')", ["info b"]],
    [
      "times",
      "console.time('t'); console.timeLog('t', 'x'); console.timeEnd('t'); console.timeEnd('t')",
      ["info t: 0 ms x", "info t: 0 ms", "warn No such label: t"],
    ],
    [
      "tables",
      "console.table([{ a: 1, b: 'x' }, { a: 22 }]); console.table([1]); console.table(5)",
      [
        'info (index) | a  | b  \n--------+----+----\n0       | 1  | "x"\n1       | 22 |    ',
        "info (index) | Values\n--------+-------\n0       | 1     ",
        "info 5",
      ],
    ],
    ["chosen columns", "console.table({ r: { a: 1, b: 2 } }, ['b'])", ["info (index) | b\n--------+--\nr       | 2"]],
    ["nothing", "console.log(); console.clear()", ["info "]],
    [
      "fields",
      "ctx.log.info('paid', { cents: 5 }); ctx.log.warn(new Map()); ctx.log.error('n', undefined)",
      ['info paid {"cents":5}', "warn Map(0) {}", "error n"],
    ],
  ];
  for (const [what, code, lines] of cases) it(`writes ${what}`, async () => assert.deepEqual(await said(code), lines));

  it("writes an error with its stack, its fields and its cause", async () => {
    const [line = ""] = await said(
      "console.error(Object.assign(new TypeError('no', { cause: new Error('why') }), { code: 'E1' }))",
    );
    assert.match(line, /^error TypeError: no\n {4}at [^]* \{"code":"E1"\}\n {2}\[cause\]: Error: why\n {4}at /);
  });

  it("bounds what one argument may say", async () => {
    const [line = ""] = await said("console.log(Array(1e6).fill(7)); console.log({ a: 'x'.repeat(1e6) })");
    assert.match(line, /,7,… 999900 more\]$/);
    const lines = await said(
      "const wide = {}; for (let i = 0; i < 1e4; i++) wide['k' + i] = 'v'.repeat(99); console.log(wide, wide)",
    );
    assert.ok((lines[0]?.length ?? 0) < 9_000);
    const maps = await said("console.log(new Map(Array.from({ length: 1e5 }, (_, i) => [i, i])), 2n ** 100000n)");
    assert.match(maps[0] ?? "", /^info Map\(100000\) \{.*99 => 99,…\} \[BigInt\]$/);
  });

  it("is not moved by what the agent does to built-ins", async () => {
    const fresh = await (await host.open(RUN)).start();
    const patch = `Array.prototype.map = Map.prototype.forEach = JSON.stringify = String.prototype.slice = Object.keys = () => { throw 1 };
      Object.prototype.stack = 1; Object.prototype.get = () => 1; Error.captureStackTrace = () => { throw 1 }; Error[Symbol.hasInstance] = () => true;
      Object.defineProperty(Object.prototype, "value", { get() { throw 1 }, set() {} }); globalThis.Error = class {};`;
    const { logs } = done(
      await fresh.call("run", `${patch} console.log("%s", { a: [1, new Map([[1, 2]])] }); ctx.log.info("b")`),
    );
    assert.deepEqual(
      logs.map(({ text }) => text),
      ['{"a":[1,Map(1) {1 => 2}]}', "b"],
    );
  });
});

describe("the place of a log line", () => {
  const input = {
    source: `const helper = (n: number): void => console.log("n", n);
export default { version: 1, state: () => ({}), on: {
  async go(ctx: any) {
    type Ignored = { a: string };
    console.log("first");
    await null;
    ctx.log.warn("second");
    [1].forEach(console.info);
    helper(3);
    (0, eval)("console.log('nowhere')");
  },
  patched(ctx: any) {
    Object.defineProperty(globalThis, "Error", { value: class Error { static stackTraceLimit = 0; static captureStackTrace() {} } });
    console.log("x"); return String(Error.prepareStackTrace);
  },
  down(ctx: any) { const down = (n: number): void => n === 0 ? console.log("deep") : down(n - 1); down(500); },
  trace() { console.group("g"); console.trace("here", 1); console.error(new RangeError("bad")); },
  stop() { console.log("before"); throw new Error("x"); },
} }`,
    name: "mine.agent.ts",
  };
  const placed = async (method: string): Promise<string[]> => {
    const { logs } = done(
      await (await (await host.open(input)).start({ limits: { logBytesPerTurnMax: 5_000 } })).call(method),
    );
    const artifact = await compile(input);
    return logs.map(({ text, at }) => `${mapLog(text, artifact)} @ ${mapPosition(at, artifact)}`);
  };

  it("is that of the call in the TypeScript that was written", async () => {
    assert.deepEqual(await placed("go"), [
      "first @ mine.agent.ts:5:13",
      "second @ mine.agent.ts:7:13",
      "1 0 [1] @ mine.agent.ts:8:9",
      "n 3 @ mine.agent.ts:1:45",
      "nowhere @ mine.agent.ts:10:9",
    ]);
  });

  it("does not depend on what the agent makes of Error, and shows it no call site", async () => {
    const output = done(await (await (await host.open(input)).start()).call("patched"));
    assert.equal(mapPosition(output.logs[0]?.at ?? "", await compile(input)), "mine.agent.ts:14:13");
    assert.equal(output.reply, '"undefined"');
  });

  it("is found however deep the stack is", async () =>
    assert.deepEqual(await placed("down"), ["deep @ mine.agent.ts:16:72"]));

  it("a trace and a logged error have their frames in TypeScript, and none of ours", async () => {
    const [, trace = "", error = ""] = await placed("trace");
    assert.equal(trace, "  Trace: here 1\n      at Object.trace (mine.agent.ts:17:41) @ mine.agent.ts:17:41");
    assert.equal(error, "  RangeError: bad\n      at Object.trace (mine.agent.ts:17:73) @ mine.agent.ts:17:67");
  });

  it("is told of a turn that threw, too", async () => {
    const output = await (await (await host.open(input)).start()).call("stop");
    assert.equal(thrown(output).message, "x");
    assert.ok(output.kind === "threw");
    assert.deepEqual(
      output.logs.map(({ text }) => text),
      ["before"],
    );
  });
});
