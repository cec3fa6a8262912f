/** The globals of the web that agents have, beside Node's own where Node has them; and those that they do not have. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import vm from "node:vm";
import { decode } from "../../sandbox/codec.ts";
import { compile } from "../../sandbox/compile.ts";
import { mapStack } from "../../sandbox/stack.ts";
import { done, GuestHost, thrown, type TestGuest } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const RUN = `export default { version: 1, state: () => ({}), on: {
  run: (ctx, code) => (globalThis.ctx = ctx, (0, eval)(code)),
  async url(ctx, text) { const u = new URL(text); u.searchParams.append("added", "ü"); return [u.href, u.host, URL.canParse("no"), String(new URLSearchParams({ a: "b c" })), typeof URL, globalThis.URL === URL] },
} }`;
let guest: TestGuest;
before(async () => {
  guest = await (await host.open(RUN)).start({ limits: { replyBytesMax: 1_000_000, logBytesPerTurnMax: 5_000 } });
});
const value = async (code: string): Promise<unknown> =>
  decode(done(await guest.call("run", code)).reply, { bytesMax: 1_000_000 });

/** The same code in Node, whose globals are the model. */
async function inNode(code: string): Promise<unknown> {
  const globals = {
    TextEncoder,
    TextDecoder,
    atob,
    btoa,
    structuredClone,
    Event,
    CustomEvent,
    EventTarget,
    AbortController,
    AbortSignal,
    DOMException,
    queueMicrotask,
  };
  const found: unknown = await vm.runInNewContext(code, globals);
  return JSON.parse(JSON.stringify(found ?? null));
}

const error = (code: string): string => `(() => { try { return ${code} } catch (e) { return e.name } })()`;

/** Code whose value is JSON, and the same in Node. */
const ALIKE: readonly (readonly [what: string, codes: readonly string[]])[] = [
  [
    "TextEncoder",
    [
      "[...new TextEncoder().encode('aü€😀\\ud800x\\udc00')]",
      "[...new TextEncoder().encode()].length + new TextEncoder().encoding",
      "JSON.stringify(new TextEncoder().encodeInto('aü😀b', new Uint8Array(6)))",
      "JSON.stringify(new TextEncoder().encodeInto('ab', new Uint8Array(0)))",
      "[...new TextEncoder().encode(12)]",
    ],
  ],
  [
    "TextDecoder",
    [
      "new TextDecoder().decode(new Uint8Array([97, 195, 188, 226, 130, 172, 240, 159, 152, 128]))",
      "new TextDecoder().decode(new Uint8Array([0xff, 97, 0xc3, 0x28, 0xe2, 0x82, 0xf0, 0x9f, 0x98, 97, 0xed, 0xa0, 0x80]))",
      "new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])) + new TextDecoder('UTF8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])).length",
      "(() => { const d = new TextDecoder(); return [[0xe2], [0x82, 0xac, 0xf0], [0x9f, 0x98], [0x80], []].map((b) => d.decode(new Uint8Array(b), { stream: true })).concat(d.decode()) })()",
      "(() => { const d = new TextDecoder(); return [d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), d.decode(), d.decode(new Uint8Array([97]))] })()",
      "new TextDecoder().decode(new Uint8Array([0, 97, 98, 0]).subarray(1, 3)) + new TextDecoder().decode(new Uint8Array([99]).buffer) + new TextDecoder().decode(new DataView(new Uint8Array([100]).buffer))",
      error("new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))"),
      error("new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xe2]))"),
      error("new TextDecoder('no-such-thing')"),
      error("new TextDecoder().decode('text')"),
      "new TextDecoder().decode() + new TextDecoder('utf-8', { fatal: true }).fatal",
    ],
  ],
  [
    "atob and btoa",
    [
      "['', 'a', 'ab', 'abc', 'abcd', '\\xff\\x00\\xfe'].map((t) => btoa(t))",
      "['', 'YQ==', 'YWI', ' YW\\nJj', 'YWJjZA', '/wD+'].map((t) => atob(t))",
      "['a', 'ab=', 'abc==', 'a$bc', 'ab==c', '=', 'YQ===', 'YQ='].map((t) => { try { return atob(t) } catch (e) { return e.name + (e instanceof DOMException) } })",
      error("btoa('ü€')"),
      "atob(btoa(Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join(''))).length",
    ],
  ],
  [
    "structuredClone",
    [
      "(() => { const a = { n: 1, d: new Date(5), m: new Map([[1, new Set(['x'])]]), r: /a+/gi, l: [1, , 3], b: new Uint8Array([1, 2, 3]).subarray(1), u: undefined, big: 2n }; a.self = a; const c = structuredClone(a); return [c !== a, c.self === c, c.d.getTime(), c.m.get(1).has('x'), String(c.r), c.l.length, 1 in c.l, [...c.b], 'u' in c, typeof c.big] })()",
      "(() => { const e = structuredClone(new RangeError('x', { cause: { a: 1 } })); return [e.name, e.message, e.cause.a] })()",
      "(() => { class A { x = 1; get y() { return 2 } } const c = structuredClone(new A()); return [c.x, c.y === undefined, c.constructor.name] })()",
      "(() => { const b = new ArrayBuffer(4); const c = structuredClone([new Uint8Array(b), new Uint16Array(b, 2, 1), new DataView(b)]); return [c[0].buffer === c[1].buffer, c[1].byteOffset, c[2].byteLength] })()",
      error("structuredClone(() => 1)"),
      error("structuredClone({ a: Symbol('x') })"),
      error("structuredClone({ get a() { throw new RangeError('mine') } })"),
      "structuredClone([1, 'a', null, true])",
    ],
  ],
  [
    "events",
    [
      "(() => { const t = new EventTarget(), seen = []; const f = (e) => seen.push('f' + e.type); t.addEventListener('x', f); t.addEventListener('x', f); t.addEventListener('x', { handleEvent(e) { seen.push(this === e || e.target === t) } }); t.addEventListener('x', () => seen.push('once'), { once: true }); t.dispatchEvent(new Event('x')); t.removeEventListener('x', f); t.dispatchEvent(new Event('x')); return seen })()",
      "(() => { const t = new EventTarget(); t.addEventListener('x', (e) => e.preventDefault()); return [t.dispatchEvent(new Event('x')), t.dispatchEvent(new Event('x', { cancelable: true }))] })()",
      "(() => { const t = new EventTarget(), seen = []; t.addEventListener('x', (e) => { seen.push(1); e.stopImmediatePropagation() }); t.addEventListener('x', () => seen.push(2)); t.dispatchEvent(new Event('x')); return seen })()",
      "(() => { const t = new EventTarget(); let d; t.addEventListener('x', (e) => d = e.detail); t.dispatchEvent(new CustomEvent('x', { detail: { a: 1 } })); return d })()",
      "(() => { const c = new AbortController(), t = new EventTarget(); let n = 0; t.addEventListener('x', () => n++, { signal: c.signal }); t.dispatchEvent(new Event('x')); c.abort(); t.dispatchEvent(new Event('x')); return n })()",
      "(() => { class Bus extends EventTarget {} const b = new Bus(); let n = 0; b.addEventListener('x', () => n++); b.dispatchEvent(new Event('x')); return [n, b instanceof EventTarget] })()",
      error("new EventTarget().dispatchEvent({ type: 'x' })"),
    ],
  ],
  [
    "AbortController",
    [
      "(() => { const c = new AbortController(); let n = 0; c.signal.addEventListener('abort', () => n++); c.signal.onabort = () => n += 10; c.abort(); c.abort(); return [n, c.signal.aborted, c.signal.reason.name, c.signal instanceof EventTarget] })()",
      "(() => { const c = new AbortController(); c.abort('why'); try { c.signal.throwIfAborted() } catch (e) { return e } })()",
      "(() => { const a = new AbortController(), s = AbortSignal.any([a.signal, new AbortController().signal]); let n = 0; s.addEventListener('abort', () => n++); a.abort('r'); return [n, s.aborted, s.reason, AbortSignal.any([s]).aborted, AbortSignal.abort(3).reason] })()",
      error("new AbortSignal()"),
    ],
  ],
  ["DOMException", ["(() => { const e = new DOMException('m', 'N'); return [e.name, e.message, String(e)] })()"]],
];

describe("globals of the web", () => {
  for (const [what, codes] of ALIKE) {
    it(`${what} does as Node's does`, async () => {
      for (const code of codes)
        assert.deepEqual(await value(`JSON.parse(JSON.stringify(${code} ?? null))`), await inNode(code), code);
    });
  }

  it("a listener that throws stops no other one, and is logged", async () => {
    const code =
      "(() => { const t = new EventTarget(); let n = 0; t.addEventListener('x', () => { throw new RangeError('bad') }); t.addEventListener('x', () => n++); t.dispatchEvent(new Event('x')); return n })()";
    const { reply, logs } = done(await guest.call("run", code));
    assert.equal(reply, "1");
    assert.match(logs[0]?.text ?? "", /^Uncaught RangeError: bad\n {4}at /);
    assert.equal(logs[0]?.level, "error");
  });

  it("queueMicrotask runs before the turn goes on, in order; what throws in it is logged and harms nothing", async () => {
    const code =
      "(async () => { const s = []; queueMicrotask(() => s.push(2)); s.push(1); queueMicrotask(() => { throw 7 }); await null; await null; return s })()";
    const { reply, logs } = done(await guest.call("run", code));
    assert.equal(reply, "[1,2]");
    assert.equal(logs[0]?.text, "Uncaught 7");
    assert.equal(await value(error("queueMicrotask(1)")), "TypeError");
  });

  it("say what they are in their names", async () => {
    const code =
      "[TextEncoder, TextDecoder, EventTarget, Event, AbortController, AbortSignal, DOMException, structuredClone, atob, queueMicrotask].map((f) => f.name)";
    assert.deepEqual(await value(code), [
      "TextEncoder",
      "TextDecoder",
      "EventTarget",
      "Event",
      "AbortController",
      "AbortSignal",
      "DOMException",
      "structuredClone",
      "atob",
      "queueMicrotask",
    ]);
    assert.deepEqual(
      await value("[crypto, new TextEncoder(), performance].map((o) => Object.prototype.toString.call(o))"),
      ["[object Crypto]", "[object TextEncoder]", "[object Object]"],
    );
  });

  it("can be replaced by the agent, also before they were made", async () => {
    const fresh = await (await host.open(RUN)).start();
    assert.equal(done(await fresh.call("run", "globalThis.atob = () => 'mine', atob('x')")).reply, '"mine"');
    assert.equal(done(await fresh.call("run", "atob('x')")).reply, '"mine"');
  });

  it("work whatever became of the built-ins", async () => {
    const fresh = await (await host.open(RUN)).start();
    const patch =
      "Map.prototype.set = Array.prototype[Symbol.iterator] = String.fromCharCode = Object.defineProperty = Reflect.apply = Uint8Array.prototype.subarray = () => { throw 1 }; globalThis.Uint8Array = globalThis.Map = globalThis.Error = class {};";
    const code = `${patch} [btoa("a"), new TextDecoder().decode(new TextEncoder().encode("ü")), structuredClone({ a: new Date(3) }).a.getTime(), crypto.randomUUID().length]`;
    assert.equal(done(await fresh.call("run", code)).reply, '["YQ==","ü",3,36]');
  });

  it("do not work on more at once than the rails allow", async () => {
    assert.equal(await value("btoa('x'.repeat(1 << 20)).length"), 1_398_104);
    assert.equal(await value("new TextDecoder().decode(new Uint8Array(1 << 20)).length"), 1 << 20);
  });
});

describe("chance and time through the web's globals", () => {
  const draw =
    "[crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(5))], crypto.getRandomValues(new Uint32Array(1))[0], Math.random()]";

  it("repeat with the turn's seed", async () => {
    const turn = async (seed: number): Promise<string> =>
      done(await guest.turn({ method: "run", text: JSON.stringify(draw), seed })).reply;
    assert.equal(await turn(5), await turn(5));
    assert.notEqual(await turn(5), await turn(6));
    assert.match(await turn(5), /^\["[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",/);
  });

  it("fill what they are given, and refuse what is no list of integers or too long", async () => {
    assert.deepEqual(
      await value(
        "[crypto.getRandomValues(new BigUint64Array(2)).some(Boolean), crypto.getRandomValues(new Int16Array(0)).length, crypto.subtle === undefined]",
      ),
      [true, 0, true],
    );
    assert.equal(await value(error("crypto.getRandomValues(new Float64Array(1))")), "TypeError");
    assert.equal(await value(error("crypto.getRandomValues([1])")), "TypeError");
    assert.equal(await value(error("crypto.getRandomValues(new Uint8Array(65537))")), "QuotaExceededError");
    assert.equal(await value("new Set(Array.from({ length: 100 }, () => crypto.randomUUID())).size"), 100);
  });

  it("performance stands still with the turn's time", async () => {
    const text = JSON.stringify("[performance.now(), performance.timeOrigin, performance.now() === Date.now()]");
    assert.equal(done(await guest.turn({ method: "run", text, nowMs: 5_000 })).reply, "[5000,0,true]");
  });
});

describe("URL", () => {
  it("is there for an agent that names it", async () => {
    const output = done(await guest.call("url", "HTTPS://user@EXAMPLE.com:443/a/../ä?x=1#f"));
    assert.deepEqual(decode(output.reply, { bytesMax: 1000 }), [
      "https://user@example.com/%C3%A4?x=1&added=%C3%BC#f",
      "example.com",
      false,
      "a=b+c",
      "function",
      true,
    ]);
    const fault = thrown(await guest.call("url", "no url"));
    assert.equal(fault.name, "TypeError");
    const frames = mapStack(fault.stack, await compile({ source: RUN, name: "test.agent.ts" }))
      .split("\n")
      .slice(1);
    assert.deepEqual(frames, ["    at Object.url (test.agent.ts:3:36)"]);
    assert.deepEqual(await value("[URL.name, URLSearchParams.name]"), ["URL", "URLSearchParams"]);
  });

  it("does as Node's does", async () => {
    const inputs = [
      "https://a.b/c?d=1#e",
      "http://user:pw@EXAMPLE.com:80/a/../b",
      "https://bücher.de/ä?ö",
      "file:///C:/x/../y",
      "data:text/plain,hi",
      "http://[::1]:3000/",
      "http://0x7f.1/",
      "http://a b/",
      "http://例え.jp",
      "http://faß.de/",
      "https://a.b/%zz?%41#%",
      "http://1.2.3.4.5/",
      "mailto:x@y.z",
    ];
    const show =
      (make: (text: string) => URL) =>
      (text: string): string => {
        try {
          const { href, origin, host, port, pathname, search, hash } = make(text);
          return [href, origin, host, port, pathname, search, hash].join(" ");
        } catch (thrownError) {
          return (thrownError as Error).name;
        }
      };
    const source = `const show = ${show.toString()}; export default { version: 1, state: () => ({}), on: { go: (_, inputs) => inputs.map(show((text) => new URL(text))) } }`;
    const { reply } = done(await (await (await host.open(source)).start()).call("go", inputs));
    assert.deepEqual(decode(reply, { bytesMax: 10_000 }), inputs.map(show((text) => new URL(text))));
  });

  it("costs nothing where nobody names it, or where the agent has one of its own", async () => {
    const size = async (source: string): Promise<number> => (await compile({ source, name: "a.ts" })).code.length;
    assert.ok((await size("export default 1")) < 200);
    assert.ok((await size("const URL = 3; export default [URL, ({}).URL]")) < 200);
    for (const use of ["new URL('a:b')", "typeof URL", "globalThis.URLSearchParams"])
      assert.ok((await size(`export default ${use}`)) > 10_000, use);
  });
});

describe("globals that agents do not have", () => {
  const cases: readonly (readonly [code: string, words: RegExp])[] = [
    ["setTimeout(() => 1, 5)", /^setTimeout is not defined: .*ctx\.after/],
    ["globalThis.setInterval(() => 1)", /^globalThis\.setInterval is not a function: .*ctx\.after/],
    ["setImmediate(1)", /ctx\.after/],
    ["fetch('http://a.b')", /ctx\.host\.fetch/],
    ["process.env.HOME", /no process, arguments or environment/],
    ["Buffer.from('a')", /Uint8Array/],
    ["require('x')", /import … from/],
    ["module.exports = 1", /import … from/],
    ["window.x", /globalThis/],
    ["localStorage.a", /ctx\.state/],
    ["new Worker('x')", /ctx\.spawn/],
    ["new Blob(['a'])", /^Blob is not defined: .*Uint8Array/],
    ["crypto.subtle.digest('SHA-256', new Uint8Array(1))", /reading 'digest'\): .*crypto\.subtle.*npm package/],
    ["new WebAssembly.Module()", /`exec`/],
  ];
  for (const [code, words] of cases) {
    it(`are missed with advice: ${code}`, async () => {
      const fault = thrown(await guest.call("run", code));
      assert.match(fault.message, words);
      assert.ok(fault.stack.startsWith(`${fault.name}: ${fault.message}\n`));
    });
  }

  it("are not there for those who look first", async () => {
    const names = [
      "setTimeout",
      "setInterval",
      "fetch",
      "process",
      "Buffer",
      "require",
      "module",
      "global",
      "self",
      "window",
    ];
    assert.equal(
      await value(`[${names.map((name) => `typeof ${name}`).join()}].every((t) => t === "undefined")`),
      true,
    );
  });

  it("get no advice where the agent only says the same words, or misses a name of its own", async () => {
    for (const code of ["throw new Error('setTimeout is not defined')", "noSuchName()"]) {
      assert.doesNotMatch(thrown(await guest.call("run", code)).message, /:/);
    }
  });

  it("AbortSignal.timeout says what to do", async () => {
    assert.match(thrown(await guest.call("run", "AbortSignal.timeout(5)")).message, /ctx\.after/);
  });
});
