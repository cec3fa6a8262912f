/** Attacks on the stack: recursion of every kind, in script and in native code. */
import { OUT_OF_TIME, type Family } from "./snippet.ts";

const deep = "let deep = []; for (let i = 0; i < 200_000; i++) deep = [deep];";

/** The stack. */
export const stack: Family = {
  name: "stack",
  snippets: [
    {
      name: "recursion",
      code: "const f = () => 1 + f(); return f();",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "the plainest",
    },
    {
      name: "recursion that catches itself",
      code: "let n = 0; const f = () => { try { return f(); } catch { n++; return n < 1e9 ? f() : n; } }; return f();",
      expect: ["RUNTIME_HANDLER_THREW", ...OUT_OF_TIME],
      why: "at the edge again and again",
      isSlow: true,
    },
    {
      name: "recursion with many arguments",
      code: "const f = (...a) => f(...a, ...a, 1); return f();",
      expect: ["RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED"],
      why: "frames that grow",
    },
    {
      name: "recursion through a getter",
      code: "const o = { get a() { return o.a; } }; return o.a;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "accessors",
    },
    {
      name: "recursion through a proxy",
      code: "const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.a;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "traps",
    },
    {
      name: "a proxy as its own prototype",
      code: "const p = new Proxy({}, { getPrototypeOf: () => p }); return p instanceof Map;",
      expect: ["RUNTIME_HANDLER_THREW", ...OUT_OF_TIME],
      why: "a prototype chain without end",
    },
    {
      name: "proxies in a row",
      code: "let p = {}; for (let i = 0; i < 100_000; i++) p = new Proxy(p, {}); return p.a === undefined ? 'contained' : 'found';",
      expect: ["RUNTIME_HANDLER_THREW", "contained"],
      why: "native recursion over the chain",
    },
    {
      name: "bound functions in a row",
      code: "let f = () => 1; for (let i = 0; i < 100_000; i++) f = f.bind(null); return f();",
      expect: ["RUNTIME_HANDLER_THREW"],
      answer: "any",
      why: "native recursion over the chain",
    },
    {
      name: "toString that calls itself",
      code: "const o = { toString: () => '' + o }; return '' + o;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "conversions",
    },
    {
      name: "Symbol.toPrimitive that calls itself",
      code: "const o = { [Symbol.toPrimitive]: () => +o }; return +o;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "conversions",
    },
    {
      name: "a generator that yields itself",
      code: "function* f() { yield* f(); } return [...f()].length;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "delegation",
    },
    {
      name: "a class that makes itself",
      code: "class A { constructor() { this.a = new A(); } } return new A();",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "constructors",
    },
    {
      name: "a class that extends itself for ever",
      code: "let A = class {}; for (let i = 0; i < 20_000; i++) A = class extends A {}; return new A() ? 'contained' : '';",
      expect: ["RUNTIME_HANDLER_THREW", "contained", "SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "a chain of constructors",
    },
    {
      name: "eval in eval",
      code: "const f = () => eval('f()'); return f();",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "the compiler on the stack",
    },
    {
      name: "brackets for the parser",
      code: "return eval('['.repeat(200_000) + ']'.repeat(200_000));",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "recursive descent",
    },
    {
      name: "brackets for JSON.parse",
      code: "return JSON.parse('['.repeat(1_000_000) + ']'.repeat(1_000_000)) ? 'contained' : '';",
      expect: ["RUNTIME_HANDLER_THREW", "contained"],
      isSlow: true,
      why: "an iterative parser makes a deep value",
    },
    {
      name: "brackets for the reviver",
      code: "return JSON.parse('['.repeat(100_000) + ']'.repeat(100_000), (k, v) => v) ? 'contained' : '';",
      expect: ["RUNTIME_HANDLER_THREW", "contained"],
      why: "reviving recurses",
    },
    {
      name: "JSON of a deep value",
      code: `${deep} return JSON.stringify(deep).length;`,
      expect: ["RUNTIME_HANDLER_THREW"],
      answer: "any",
      why: "writing recurses",
    },
    {
      name: "a deep reply",
      code: `${deep} return deep;`,
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "our own walk has a depth limit",
    },
    {
      name: "a deep state",
      code: `${deep} ctx.state.deep = deep; return 'contained';`,
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "the same at the commit",
    },
    {
      name: "a deep message",
      code: `${deep} ctx.cast('witness', 'add', deep);`,
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "the same on its way out",
    },
    {
      name: "a deep log line",
      code: `${deep} ctx.log.info('deep', { deep }); return 'contained';`,
      expect: ["contained"],
      why: "a log line is worth less than the turn",
    },
    {
      name: "groups for the pattern parser",
      code: "return new RegExp('('.repeat(200_000) + ')'.repeat(200_000)).test('');",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "recursive descent in the compiler of patterns",
    },
    {
      name: "an error whose cause is itself",
      code: "const e = new Error('round'); e.cause = e; throw e;",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "whoever walks the causes never ends",
    },
    {
      name: "promises in a row",
      code: "let p = Promise.resolve('contained'); for (let i = 0; i < 100_000; i++) { const q = p; p = { then: (f) => q.then(f) }; } return p;",
      expect: ["contained", "RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "resolving recurses through microtasks, not the stack",
    },
    {
      name: "a flat that is deep",
      code: `${deep} return deep.flat(Infinity).length;`,
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "native recursion",
    },
    {
      name: "a text of a deep array",
      code: `${deep} return String(deep).length;`,
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "join recurses",
    },
  ],
};
