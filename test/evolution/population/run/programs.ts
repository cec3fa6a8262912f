/** Programs on trial for the tests: honest ones with what they answer, hostile ones with how they end. */
import type { CallOutcome } from "../../../../evolution/population/program-runner.ts";

/** How calls of a hostile program end: exactly so, or in one of several ways that are all failures. */
export interface Hostile {
  readonly what: string;
  readonly text: string;
  /** Of the call `f(1)`. */
  readonly ends: (outcome: CallOutcome) => boolean;
}

export const fuel = ({ kind }: CallOutcome): boolean => kind === "fuel";
const unfit = ({ kind }: CallOutcome): boolean => kind === "unfit";
const threw = ({ kind }: CallOutcome): boolean => kind === "threw";
const exceeded = ({ kind }: CallOutcome): boolean => kind === "exceeded";
const gives =
  (expected: unknown) =>
  (outcome: CallOutcome): boolean =>
    outcome.kind === "returned" && JSON.stringify(outcome.value) === JSON.stringify(expected);

/** Programs that would never end, and what they do against being stopped. All of them end by fuel. */
export const ENDLESS: readonly Hostile[] = Object.entries({
  "loops for ever": "function f() { for (;;); }",
  "loops without a block": "function f() { while (true) f.n = 1 }",
  "catches the signal": "function f() { for (;;) try { for (;;); } catch { } }",
  "answers from a finally": "function f() { try { for (;;); } finally { return 1 } }",
  "goes on in a finally": "function f() { for (;;) try { for (;;); } finally { continue } }",
  "breaks out of a finally": "function f() { a: try { for (;;); } finally { break a } return 1 }",
  "catches by a pattern": "function f() { try { for (;;); } catch ({ message = 1 }) { return 1 } }",
  "catches in a promise": "function f() { return new Promise(() => { for (;;); }).catch(() => 1) }",
  "catches in a promise by a built-in":
    "async function f() { return await (async () => { for (;;); })().catch(Boolean) }",
  "swallows in an executor and answers": "function f() { new Promise(() => { for (;;); }); return 1 }",
  "swallows in an async function and answers": "function f() { (async () => { for (;;); })(); return 1 }",
  "has endless microtasks": "async function f() { const on = async () => { await null; return on() }; return on() }",
  "queues endless reactions":
    "function f() { return new Promise(() => { const on = () => Promise.resolve().then(on); on() }) }",
  "resolves with thenables for ever": "function f() { const t = { then(r) { r({ then: t.then }) } }; return t }",
  "loops in a getter that is read": "function f() { return { get a() { for (;;); } } }",
  "loops in a proxy": "function f() { return new Proxy({}, { ownKeys() { for (;;); } }) }",
  "loops in a comparator": "function f() { [1, 2].sort(() => { for (;;); }) }",
  "loops in an iterator":
    "function f() { return [...{ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 0 }) }) }].length }",
  "loops in a generator": "function f() { return Array.from((function* () { for (;;) yield 0 })(), () => 0).length }",
  "loops in a thrown error's message": "function f() { throw { get message() { for (;;); } } }",
  "loops at its top": "for (;;); function f() { }",
  "loops in a class": "function f() { new (class { static { for (;;); } })() }",
  "loops in a field": "function f() { new (class { a = (() => { for (;;); })() })() }",
  "loops in a default": "function f(a, b = (() => { for (;;); })()) { }",
  "loops where names look like counters": "let $f0 = 1e9, $x0 = () => 0, $c0 = []; function f() { for (;;) $f0 = 1e9 }",
  "loops where names are spelled like counters": "function f() { let \\u0024f1 = 1; for (;;) $f1 = 1e9 }",
  "loops by way of its own text":
    "function f() { const name = /\\$f\\d+/.exec(f + '')?.[0]; for (;;) globalThis[name] = 1e9 }",
}).map(([what, text]) => ({ what, text, ends: fuel }));

const SPOILS = `
  const spoil = (target, keys) => {
    for (let i = 0; i < keys.length; i++) {
      try { target[keys[i]] = () => 42 } catch {}
      try { define(target, keys[i], { __proto__: null, get: () => () => 42, set() {} }) } catch {}
    }
  };
  const define = Object.defineProperty;
  spoil(JSON, ["parse", "stringify"]);
  spoil(Array.prototype, ["map", "push", "join", "slice", "toJSON", "0", "1", "2", "length", Symbol.iterator]);
  spoil(Object.prototype, ["toJSON", "get", "set", "value", "0", "1", "then2", "end", "text", "waiting", "fuel"]);
  spoil(Map.prototype, ["get", "set", "has", "size"]);
  spoil(Promise.prototype, ["then", "catch", "finally"]);
  spoil(String.prototype, ["slice", "charCodeAt", "indexOf", "split", "toString"]);
  spoil(Number.prototype, ["toString", "valueOf", "toJSON"]);
  spoil(Function.prototype, ["call", "apply", "bind", Symbol.hasInstance]);
  spoil(Object.getPrototypeOf(Uint32Array.prototype), ["length", "fill", "join", Symbol.iterator]);
  spoil(Reflect, ["apply", "construct", "get", "defineProperty"]);
  spoil(Object, ["defineProperty", "keys", "getPrototypeOf", "freeze"]);
  spoil(Error.prototype, ["message", "name", "toString"]);
  spoil(globalThis, ["JSON", "Array", "Map", "Promise", "String", "Number", "Uint32Array", "__planaria", "__planariaDefinition"]);
`;

/** Programs that want more than to be called. */
export const GRASPING: readonly Hostile[] = [
  { what: "recurses for ever", text: "const f = (x) => f(x) + 1", ends: exceeded },
  { what: "recurses in a default", text: "function f(x, y = f(x)) { }", ends: exceeded },
  { what: "makes code from text", text: "function f() { return eval('1') }", ends: threw },
  { what: "makes functions from text", text: "function f() { return Function('return 1')() }", ends: threw },
  {
    what: "finds the maker of functions",
    text: "function f() { return (() => {}).constructor('return 1')() }",
    ends: threw,
  },
  {
    what: "finds that of generators",
    text: "function f() { return (function* () {}).constructor('yield 1')() }",
    ends: threw,
  },
  {
    what: "finds that of async ones",
    text: "function f() { return (async () => {}).constructor('return 1')() }",
    ends: threw,
  },
  {
    what: "looks for the cell",
    text: "function f() { return typeof process + typeof require + typeof WebAssembly + typeof setTimeout }",
    ends: gives("undefinedundefinedundefinedundefined"),
  },
  {
    what: "looks for the door",
    text: "function f() { return Object.getOwnPropertyNames(globalThis).filter((name) => /planaria/i.test(name)) }",
    ends: gives([]),
  },
  { what: "imports", text: "function f() { return import('node:fs') }", ends: unfit },
  { what: "has no such function", text: "const g = 1", ends: unfit },
  { what: "throws at its top", text: "throw new Error('no'); function f() {}", ends: unfit },
  { what: "declares a name twice", text: "let f = 1; let f = 2;", ends: unfit },
  { what: "ends what is around it", text: "}; globalThis.x = 1; {", ends: unfit },
  { what: "returns a function", text: "const f = () => () => 1", ends: threw },
  { what: "returns a cycle", text: "function f() { const a = []; a.push(a); return a }", ends: threw },
  { what: "returns something huge", text: "const f = () => 'x'.repeat(1e6)", ends: threw },
  {
    what: "returns something that grows as it is read",
    text: "function f() { let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return a }",
    ends: threw,
  },
  {
    what: "returns a revoked proxy",
    text: "function f() { const { proxy, revoke } = Proxy.revocable([], {}); revoke(); return proxy }",
    ends: threw,
  },
  { what: "returns a getter that throws", text: "function f() { return { get a() { throw 1 } } }", ends: threw },
  { what: "throws itself", text: "function f() { throw f }", ends: threw },
  { what: "throws nothing", text: "function f() { throw undefined }", ends: threw },
  {
    what: "throws a proxy",
    text: "function f() { throw new Proxy({}, { get() { throw 1 }, has() { throw 1 } }) }",
    ends: threw,
  },
  { what: "throws our signal", text: "function f() { throw 'out of fuel' }", ends: threw },
  {
    what: "throws V8's words",
    text: "function f() { throw new RangeError('Maximum call stack size exceeded') }",
    ends: exceeded,
  },
  { what: "never settles", text: "const f = () => new Promise(() => {})", ends: threw },
  {
    what: "answers twice",
    text: "const f = (x) => ({ then(resolve) { resolve(x); resolve(7); Promise.resolve().then(() => resolve(8)) } })",
    ends: gives(1),
  },
  {
    what: "rejects beside its answer",
    text: "async function f(x) { Promise.reject(new Error('a')); (async () => { throw 1 })(); return x }",
    ends: gives(1),
  },
  { what: "makes a text too long", text: "const f = () => 'x'.repeat(2 ** 29)", ends: threw },
  { what: "spoils what is built in", text: `function f(x) { ${SPOILS} return x }`, ends: gives(1) },
  { what: "spoils it and waits", text: `async function f(x) { ${SPOILS} await null; return x }`, ends: gives(1) },
  {
    what: "speaks for others by toJSON",
    text: "function f(x) { Array.prototype.toJSON = Object.prototype.toJSON = () => 42; return [x] }",
    ends: gives([1]),
  },
  { what: "changes its arguments", text: "function f(x) { arguments[0] = 5; return x }", ends: gives(1) },
];

/** Programs that answer, and leave behind what whoever comes next might find. */
export const LITTERING: readonly Hostile[] = Object.entries({
  "leaves globals":
    "function f(x) { for (const name of ['left', 'f', '$f0', 'seen']) globalThis[name] = 42; return x }",
  "leaves registered symbols": "function f(x) { for (let i = 0; i < 2000; i++) Symbol.for('left' + i); return x }",
  "leaves microtasks":
    "function f(x) { for (let i = 0; i < 99; i++) Promise.resolve().then(() => { globalThis.left = i }).then(() => f(x)); return x }",
  "leaves rejections": "function f(x) { for (let i = 0; i < 30; i++) Promise.reject(new Error('left')); return x }",
  "leaves waiting functions":
    "let go; const gate = new Promise((r) => { go = r }); function f(x) { (async () => { await gate; globalThis.left = go })(); return x }",
  "leaves a heap of garbage":
    "function f(x) { let a = []; for (let i = 0; i < 3e3; i++) a.push(new Array(99).fill(i)); return x }",
  "leaves buffers":
    "function f(x) { globalThis.left = Array.from({ length: 8 }, () => new Uint8Array(1e6).fill(1)); return x }",
  "leaves everything frozen":
    "function f(x) { for (const key of Object.getOwnPropertyNames(globalThis)) { const v = globalThis[key]; if (v && v.prototype) { Object.freeze(v.prototype); Object.freeze(v) } } return x }",
  "leaves nothing":
    "function f(x) { const all = globalThis, { deleteProperty } = Reflect; for (const key of Reflect.ownKeys(all)) deleteProperty(all, key); return x }",
  "leaves a match": "function f(x) { return /(left)/.exec('left')[1] === RegExp.$1 && x }",
  "leaves a formatter of stacks":
    "function f(x) { try { Error.prepareStackTrace = () => 42; Error.stackTraceLimit = 1 } catch {} return typeof new Error().stack === 'string' && x }",
  "leaves iterators spoiled":
    "function f(x) { Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true }); Array.prototype[Symbol.species] = 1; Promise.prototype.then = () => 42; return x }",
}).map(([what, text]) => ({ what, text, ends: gives(1) }));
