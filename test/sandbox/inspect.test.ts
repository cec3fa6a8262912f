/** The rules over generated code: each with what it refuses, and with what looks like it and is honest. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "../../runtime/random.ts";
import { FINDINGS_MAX } from "../../sandbox/inspect/finding.ts";
import type { RuleId } from "../../sandbox/inspect/rules.ts";
import { inspectCode } from "../../sandbox/inspect/inspect.ts";
import { adviceOn } from "../../sandbox/missing-globals.ts";

const isMissing = (name: string): boolean => adviceOn(name) !== undefined;

/** `rule name line:column` of everything that is seen. */
function seen(code: string): readonly string[] {
  return inspectCode(code, { isMissing }).map(({ rule, name, line, column }) =>
    [rule, ...(name === "" ? [] : [name]), `${line}:${column}`].join(" "),
  );
}

/** A bundle as compile-build.ts makes it, around a default export. */
const bundle = (modules: string, definition: string): string =>
  `"use strict";globalThis.__planariaDefinition = () => {\n(()=>{${modules}globalThis.__planariaDefinition=${definition};})();\n};\n`;

interface Cases {
  readonly hits: readonly (readonly [code: string, ...seen: readonly string[]])[];
  readonly misses: readonly string[];
}

const TABLE: Readonly<Record<RuleId, Cases>> = {
  eval: {
    hits: [
      ["eval('1')", "eval 1:1"],
      ["let a;\n  (0, eval)('1')", "eval 2:7"],
      ["const run = eval; run('1')", "eval 1:13", "eval 1:19"],
      ["globalThis.eval('1')", "eval 1:1"],
      ["globalThis['ev' + 'al']('1')", "eval 1:1"],
      ["const k = `eval`; globalThis[k]('1')", "eval 1:19"],
      ["globalThis?.eval?.('1')", "eval 1:1"],
      ["const g = globalThis; g.globalThis.eval('1')", "eval 1:23"],
      ["const { eval: run } = globalThis", "eval 1:9"],
      ["let run; ({ eval: run } = globalThis)", "eval 1:13"],
      ["[eval].map((f) => f('1'))", "eval 1:2"],
    ],
    misses: [
      "const tree = { eval: (x) => x }; tree.eval('1 + 1')",
      "function f(eval_) { return eval_('1') }",
      "class Scorer { eval(x) { return x } }",
      "const isThere = typeof eval === 'function'",
      "const text = 'eval(1)'; // eval(1)",
    ],
  },
  "function-constructor": {
    hits: [
      ["new Function('return 1')", "function-constructor 1:5"],
      ["Function('return 1')", "function-constructor 1:1"],
      ["Function.call(null, 'return 1')", "function-constructor 1:1"],
      ["Function.call.bind(Function, null)('x')", "function-constructor 1:20"],
      ["Function['bind'](null, 'x')", "function-constructor 1:1"],
      ["Reflect.construct(Function, ['return 1'])", "function-constructor 1:19"],
      ["const F = Function; new F('return 1')", "function-constructor 1:25"],
      ["new globalThis.Function('x')", "function-constructor 1:5"],
      ["(() => {}).constructor('return 1')", "function-constructor 1:1"],
      ["(function* () {})['constructor']('return 1')", "function-constructor 1:1"],
      ["const f = () => 1; f['const' + 'ructor']('x')", "function-constructor 1:20"],
      ["const AsyncFunction = (async () => {}).constructor; new AsyncFunction('x')", "function-constructor 1:57"],
      ["Object.getPrototypeOf(async function () {}).constructor('x')", "function-constructor 1:1"],
      ["Array.from.constructor(x)", "function-constructor 1:1"],
      ["const { constructor: F } = () => {}; F(x)", "function-constructor 1:9", "function-constructor 1:38"],
      ["x.constructor('return this')", "function-constructor 1:1"],
      ["x.constructor(`return ${y}`)", "function-constructor 1:1"],
      ["x.constructor('return ' + y)", "function-constructor 1:1"],
      ["[].constructor.constructor(y)", "function-constructor 1:1"],
      ["x['constructor']['constructor'](y)", "function-constructor 1:1"],
    ],
    misses: [
      "x instanceof Function || x.constructor === Function",
      "Function.prototype.call.call(f, x)",
      "switch (x) { case Function: f() }",
      "const AsyncFunction = (async () => {}).constructor; f instanceof AsyncFunction",
      "class P { clone() { return new this.constructor('a') } }",
      "class P { twin() { return this.constructor('a') } }",
      "const copy = new error.constructor(error.message)",
      "new error.constructor('it failed')",
      "const name = x.constructor.name",
      "class Function { } new Function('x')",
      "x.constructor(3)",
      "const has = Function.call.bind(Function.prototype[Symbol.hasInstance])",
    ],
  },
  "dynamic-import": {
    hits: [["f(); import(x)", "dynamic-import 1:6"]],
    misses: ["const loader = { import: (x) => x }; loader.import('x')"],
  },
  "import-meta": {
    hits: [["f(import.meta.url)", "import-meta 1:3"]],
    misses: ["function F() { return new.target }", "f(x.meta)"],
  },
  with: {
    hits: [
      ["with (x) { f() }", "with 1:1"],
      ["'use strict'; with (x) { f() }", "with 1:15"],
    ],
    misses: ["const x = list.with(0, 1); f({ with: 1 })"],
  },
  debugger: { hits: [["f();\ndebugger;", "debugger 2:1"]], misses: ["const x = 'debugger'; f({ debugger: 1 })"] },
  "engine-part": {
    hits: [
      ["new WebAssembly.Module(x)", "engine-part WebAssembly 1:5"],
      ["const b = new SharedArrayBuffer(8)", "engine-part SharedArrayBuffer 1:15"],
      ["Atomics.wait(a, 0, 0)", "engine-part Atomics 1:1"],
    ],
    misses: [
      "if (typeof SharedArrayBuffer !== 'undefined' && x instanceof SharedArrayBuffer) f()",
      "const Atomics = []; Atomics.push(1)",
      "globalThis.WebAssembly?.Module",
    ],
  },
  "global-write": {
    hits: [
      ["Date = f", "global-write Date 1:1"],
      ["globalThis.Date = f", "global-write Date 1:1"],
      ["globalThis['Da' + 'te'] = f", "global-write Date 1:1"],
      ["const g = globalThis; g.structuredClone ??= f", "global-write structuredClone 1:23"],
      ["delete globalThis.console", "global-write console 1:8"],
      ["globalThis[name] = f", "global-write 1:1"],
      ["[globalThis.Map] = [f]", "global-write Map 1:2"],
      ["Object.defineProperty(globalThis, 'x', { get() { return f() } })", "global-write globalThis 1:1"],
      ["Object.assign(globalThis, { Date: f })", "global-write globalThis 1:1"],
      ["Reflect.set(globalThis, 'Date', f)", "global-write globalThis 1:1"],
      ["globalThis.__defineGetter__('Date', f)", "global-write globalThis 1:1"],
    ],
    misses: [
      "let Date = 1; Date = 2",
      "const my = { Date: 1 }; my.Date = 2",
      "const now = globalThis.Date",
      "Object.assign({}, globalThis.console)",
    ],
  },
  "builtin-write": {
    hits: [
      ["Array.prototype.last = f", "builtin-write Array.prototype 1:1"],
      ["Array.prototype[Symbol.iterator] = f", "builtin-write Array.prototype 1:1"],
      ["globalThis.Array.prototype[x] = f", "builtin-write Array.prototype 1:1"],
      ["Math.random = () => 0.5", "builtin-write Math 1:1"],
      ["JSON['par' + 'se'] = f", "builtin-write JSON 1:1"],
      ["const { prototype } = Object; prototype.x = 1", "builtin-write Object.prototype 1:31"],
      ["const p = String.prototype; p.trim = f", "builtin-write String.prototype 1:29"],
      ["[].__proto__.x = 1", "builtin-write Array.prototype 1:1"],
      ["({}).constructor.prototype.x = 1", "builtin-write Object.prototype 1:1"],
      ["Object.getPrototypeOf([]).x = 1", "builtin-write Array.prototype 1:1"],
      ["delete Array.prototype.map", "builtin-write Array.prototype 1:8"],
      ["for (Math.PI of x);", "builtin-write Math 1:6"],
      ["({ a: Math.PI } = x)", "builtin-write Math 1:7"],
      ["Object.setPrototypeOf(Array.prototype, null)", "builtin-write Array.prototype 1:1"],
      ["Object.defineProperty(Map.prototype, 'size', x)", "builtin-write Map.prototype 1:1"],
      ["Object.freeze(Object.prototype)", "builtin-write Object.prototype 1:1"],
      ["Error.prepareStackTrace = f", "builtin-write Error 1:1"],
    ],
    misses: [
      "class A {} A.prototype.x = 1; Object.assign(A.prototype, { y: 2 })",
      "function Array() {} Array.prototype.x = 1",
      "const Math2 = { ...Math }; Math2.random = f",
      "const copy = Object.create(Object.prototype); copy.x = 1",
      "const slice = Array.prototype.slice; slice.call(x)",
      "Object.setPrototypeOf(mine, Array.prototype)",
      "Error.stackTraceLimit = 50",
      "Object.freeze(['a'])",
    ],
  },
  "proto-write": {
    hits: [
      ["x.__proto__ = y", "proto-write 1:1"],
      ["x['__pro' + 'to__'] = y", "proto-write 1:1"],
    ],
    misses: [
      "const x = { __proto__: null, a: 1 }",
      "f(x.__proto__)",
      "const x = Object.create(null); x['__proto'] = 1",
    ],
  },
  "no-agent": {
    hits: [
      [bundle("var x_default=7;", "x_default"), "no-agent 2:21"],
      [bundle("", '"agent"'), "no-agent 2:39"],
      [bundle("class A{}", "A"), "no-agent 2:7"],
      [bundle("var x_default=()=>({});", "x_default"), "no-agent 2:21"],
    ],
    misses: [
      bundle("var x_default=agent({on:{}});", "x_default"),
      bundle("var parts={on:{}};", "{...parts}"),
      bundle("var x_default={on:{}};var y=x_default;", "y"),
      bundle("var import_x=require_x();", "import_x.default"),
      "globalThis.f(7)",
    ],
  },
  syntax: {
    hits: [
      ["'use strict';\nvar x = 010;", "syntax 2:9"],
      ["f(", "syntax 1:3"],
    ],
    misses: ["var x = 0o10;"],
  },
  "too-large": { hits: [[" ".repeat(256 * 1024 + 1), "too-large 1:1"]], misses: [" ".repeat(256 * 1024)] },
  "too-many-nodes": {
    hits: [[";".repeat(150_000), "too-many-nodes 1:150000"]],
    misses: [";".repeat(149_999), `f([${"1,".repeat(100_000)}])`],
  },
  "too-deep": {
    hits: [
      [`x = ${"[".repeat(500)}${"]".repeat(500)}`, "too-deep 1:503"],
      [`${"(".repeat(100_000)}1${")".repeat(100_000)}`, "too-deep"],
      ["[".repeat(100_000), "too-deep"],
      [`f(${"!".repeat(100_000)}1)`, "too-deep"],
      [`x = ${"a + ".repeat(50_000)}1`, "too-deep"],
      ["a=>".repeat(80_000), "too-deep"],
    ],
    misses: [
      `x = ${"[".repeat(450)}${"]".repeat(450)}`,
      `x = 'a'${" + 'a'".repeat(1_000)}`,
      `x${".y()".repeat(10_000)}`,
      `/${"(".repeat(100_000)}${")".repeat(100_000)}/`,
      `${"if (a) f(); else ".repeat(800)}f()`,
    ],
  },
  "module-state": {
    hits: [
      ["let hits = 0; function f() { hits++ }", "module-state hits 1:5"],
      ["var last; const f = (x) => { last = x }", "module-state last 1:5"],
      ["const seen = new Map(); const f = (x) => seen.set(x, 1)", "module-state seen 1:7"],
      ["const all = []; class A { add(x) { all.push(x) } }", "module-state all 1:7"],
      ["const memo = {}; const f = (x) => { memo[x] ??= 1; }", "module-state memo 1:7"],
      ["const m = { a: { b: 1 } }; const f = () => { delete m.a.b }", "module-state m 1:7"],
      [bundle("var hits=0;", "agent({on:{f(){hits++}}})"), "module-state hits 2:11"],
    ],
    misses: [
      "let n = 0; n += 1; for (const x of [1]) n += x; const f = () => n",
      "const table = new Map(); for (const x of [1]) table.set(x, x)",
      "function f() { let n = 0; const all = []; return () => { n++; all.push(n) } }",
      "let n = 0; function f(n) { n++ }",
      "const store = open(); const f = () => store.add(1)",
      bundle("", "agent({on:{f(ctx){ctx.state.n++}}})"),
    ],
  },
  "global-state": {
    hits: [
      ["globalThis.hits = 1", "global-state globalThis.hits 1:1"],
      ["globalThis[Symbol.for('x')] ??= {}", "global-state 1:1"],
    ],
    misses: ["const x = globalThis.hits", bundle("", "agent({})")],
  },
  "computed-global": {
    hits: [
      ["new globalThis[name](8)", "computed-global 1:5"],
      ["const g = globalThis; f(g[a + b])", "computed-global 1:25"],
      ["Reflect.get(globalThis, name)", "computed-global 1:1"],
    ],
    misses: ["globalThis['Map']", "const k = 'Map'; globalThis[k]", "const table = {}; table[name]"],
  },
  "missing-global": {
    hits: [
      ["const f = () => setTimeout(g, 5)", "missing-global setTimeout 1:17"],
      ["f(process.env.HOME)", "missing-global process 1:3"],
    ],
    misses: [
      "const setTimeout = f; setTimeout(1)",
      "typeof process === 'object' ? process.env : {}",
      "ctx.host.fetch(x)",
    ],
  },
  "endless-loop": {
    hits: [
      ["f(); for (;;) { g() }", "endless-loop 1:6"],
      ["while (true) { switch (x) { case 1: break } }", "endless-loop 1:1"],
      ["while (!0);", "endless-loop 1:1"],
      ["do { const f = () => { return 1 } } while (1)", "endless-loop 1:1"],
      ["a: for (;;) { for (;;) { continue a } }", "endless-loop 1:4"],
      ["for (;;) { a: { break a } }", "endless-loop 1:1"],
    ],
    misses: [
      "for (;;) { if (x) break }",
      "a: while (true) { for (const x of y) { if (x) break a } }",
      "const f = () => { for (;;) { if (x) return 1 } }",
      "for (;;) { throw x }",
      "async () => { for (;;) { await x } }",
      "function* f() { while (true) yield 1 }",
      "async () => { for (;;) { for await (const x of y) f(x) } }",
      "while (x) f()",
      "for (;;) { switch (x) { case 1: break; default: if (y) throw y } }",
    ],
  },
};

for (const [rule, { hits, misses }] of Object.entries(TABLE)) {
  describe(`the rule ${rule}`, () => {
    for (const [code, ...expected] of hits) {
      it(`sees ${shown(code)}`, () => {
        const found = seen(code);
        // Where no place is expected, it is as deep as the stack went.
        if (expected[0]?.includes(":") === false) assert.match(found.join(), new RegExp(`^${expected[0]} \\d+:\\d+$`));
        else assert.deepEqual(found, expected);
      });
    }
    for (const code of misses) {
      it(`lets ${shown(code)} be`, () => assert.deepEqual(seen(code), []));
    }
  });
}

function shown(code: string): string {
  const line = code.replaceAll("\n", "⏎");
  return line.length > 80 ? `${line.slice(0, 77)}…` : line;
}

describe("what is seen", () => {
  it("is the forbidden first, each kind in the order of the text, and no more than anybody mends at once", () => {
    const sights = inspectCode(`for (;;);\n${"eval(x);\n".repeat(300)}`);
    assert.equal(sights.length, FINDINGS_MAX);
    assert.deepEqual(sights[0], { rule: "eval", line: 2, column: 1, name: "" });
    assert.equal(sights[99]?.line, 101);
    assert.deepEqual(seen("for (;;);\ndebugger;\neval(x)"), ["debugger 2:1", "eval 3:1", "endless-loop 1:1"]);
  });

  it("has no name that is not made of a few letters", () => {
    assert.deepEqual(seen("globalThis['a b'] = 1"), ["global-state 1:1"]);
    assert.deepEqual(seen(`globalThis.${"a".repeat(60)} = 1`), ["global-state 1:1"]);
  });

  it("has a place in the text, whatever the code", () => {
    const seed = Number(process.env["SEED"] ?? 7);
    const random = seededRandom(seed);
    const pick = (count: number): number => random.next32() % count;
    for (let round = 0; round < 500; round += 1) {
      const code = `x = ${expression(4, pick)}`;
      const sights = inspectCode(code, { isMissing });
      const isPlaced = sights.every(({ line, column }) => line === 1 && column >= 1 && column <= code.length);
      assert.ok(isPlaced && sights[0]?.rule !== "syntax", `SEED=${seed}: ${code}`);
    }
  });

  it("is a function of the code alone", () => {
    const code = "let n = 0; function f() { n++; eval(x); globalThis[y] = 1; for (;;); }";
    assert.deepEqual(inspectCode(code), inspectCode(code));
  });
});

/** Some expression, of so many levels. */
function expression(levels: number, pick: (count: number) => number): string {
  const leaves = [
    "eval",
    "Function",
    "globalThis",
    "x",
    "1",
    "'a'",
    "this",
    "[]",
    "{}",
    "/a/g",
    "null",
    "Array.prototype",
  ];
  if (levels === 0) return leaves[pick(leaves.length)] ?? "x";
  const e = (): string => expression(levels - 1, pick);
  const forms: readonly (() => string)[] = [
    () => `(${e()}).constructor`,
    () => `(${e()})[${e()}]`,
    () => `(${e()})(${e()})`,
    () => `(${e()})+(${e()})`,
    () => `({...(${e()}),[${e()}]:${e()}})`,
    () => `[${e()},,...${e()}]`,
    () => `(function*f(a=${e()},{b,...c}){yield ${e()}})`,
    () => `(async(a)=>{for await(const{x:[y=${e()}]}of ${e()})await ${e()}})`,
    () => `(class A extends (${e()}){static{${e()}} #p=${e()};m(){return super.m(${e()})}})`,
    () => `(${e()})?.[${e()}]?.y`,
    () => `(()=>{let x=${e()};[x,globalThis.y]=${e()};l:for(;;){continue l}})`,
    () => `delete (${e()}).z`,
    () => `(()=>{try{${e()}}catch({a}){throw ${e()}}switch(${e()}){case ${e()}:break;default:}})`,
  ];
  return forms[pick(forms.length)]?.() ?? "x";
}
