/**
 * Attempts at a way out: to the constructor of another realm, to a frame of ours, to the door, to the engine's module. Code
 * that finds something answers with it; "contained" means that it found nothing.
 */
import type { Family } from "./snippet.ts";

/** Says what of a host it can reach from an object: a function made by its constructor that sees a process. */
const outside =
  "const outside = (o) => { try { const f = o.constructor.constructor('return typeof process !== \"undefined\" ? process : typeof require !== \"undefined\" ? require : globalThis'); const g = f(); return g === globalThis ? '' : 'another realm'; } catch { return ''; } };";

/** Ways out. */
export const escape: Family = {
  name: "escape",
  snippets: [
    {
      name: "the constructor of ctx",
      code: `${outside} return outside(ctx) || outside(ctx.call) || outside(ctx.log) || outside(ctx.self) || 'contained';`,
      expect: ["contained"],
      why: "an object of another realm gives its Function away",
    },
    {
      name: "the constructor of the argument",
      code: `${outside} return outside(arg) || outside(Object(arg)) || 'contained';`,
      expect: ["contained"],
      why: "arguments are decoded inside",
    },
    {
      name: "the constructor of the state",
      code: `${outside} ctx.state.o = { a: [1] }; return outside(ctx.state.o) || outside(ctx.state.o.a) || outside(ctx.state) || 'contained';`,
      expect: ["contained"],
      why: "values are decoded inside",
    },
    {
      name: "the constructor of an answer",
      code: `${outside} const a = await ctx.call('witness', 'echo', { x: [1] }); return outside(a) || outside(a.x) || 'contained';`,
      expect: ["contained"],
      why: "answers are decoded inside",
    },
    {
      name: "the constructor of a promise of ours",
      code: `${outside} const p = ctx.call('witness', 'add', 0); await p; return outside(p) || (p.constructor === Promise ? 'contained' : 'another Promise');`,
      expect: ["contained"],
      why: "promises are of the realm",
    },
    {
      name: "the constructor of an error of ours",
      code: `${outside} try { ctx.cast(1); } catch (e) { return outside(e) || (e instanceof Error ? 'contained' : 'another Error'); }`,
      expect: ["contained"],
      why: "errors are of the realm",
    },
    {
      name: "the constructor of a refusal",
      code: `${outside} try { await ctx.call('nobody', 'x'); } catch (e) { return outside(e) || (e instanceof Error ? 'contained' : 'another Error'); }`,
      expect: ["contained"],
      why: "refusals from outside are made inside",
    },
    {
      name: "the stack of a refusal",
      code: "try { await ctx.call('nobody', 'x'); } catch (e) { return /node:|file:|\\/(home|root|usr|work|tmp|cell)\\/|isolated-vm|\\.ts:/.test(String(e.stack).replaceAll('agent.js', '')) ? e.stack : 'contained'; }",
      expect: ["contained"],
      why: "no path of the host in any stack",
    },
    {
      name: "the stack of an overflow",
      code: "const f = () => f(); try { f(); } catch (e) { return /node:|file:|isolated-vm|\\/(home|root|usr|work|cell)\\//.test(e.stack) ? e.stack : 'contained'; }",
      expect: ["contained"],
      why: "no frame of the host",
    },
    {
      name: "the stack of an error in a callback of a built-in",
      code: "try { [1].map(() => { throw new Error('x'); }); } catch (e) { return /node:|file:|isolated-vm|\\/(home|root|usr|work|cell)\\//.test(e.stack) ? e.stack : 'contained'; }",
      expect: ["contained"],
      why: "the rails are in the frames; no path is",
    },
    {
      name: "call sites",
      code: "const old = Error.prepareStackTrace; Error.prepareStackTrace = (_e, sites) => sites; const sites = new Error('x').stack; Error.prepareStackTrace = old; return Array.isArray(sites) ? String(sites[0].getThis?.() ?? sites[0].getFunction?.() ?? 'sites') : 'contained';",
      expect: ["contained"],
      why: "call sites hand out functions and receivers",
    },
    {
      name: "call sites by definition",
      code: "try { Object.defineProperty(Error, 'prepareStackTrace', { value: (_e, sites) => sites }); } catch {} return Array.isArray(new Error('x').stack) ? 'sites' : 'contained';",
      expect: ["contained"],
      why: "pinned",
    },
    {
      name: "call sites by a new Error",
      code: "class E extends Error { static prepareStackTrace(_e, sites) { return sites; } } return Array.isArray(new E('x').stack) ? 'sites' : 'contained';",
      expect: ["contained"],
      why: "V8 asks only the realm's own Error",
    },
    {
      name: "call sites of a replaced Error",
      code: "const N = Error; globalThis.Error = class extends N { static prepareStackTrace(_e, s) { return s; } }; return Array.isArray(new N('x').stack) ? 'sites' : 'contained';",
      expect: ["contained"],
      why: "as above",
    },
    {
      name: "captureStackTrace on a proxy",
      code: "const o = {}; Error.captureStackTrace?.(o); return typeof o.stack === 'string' || o.stack === undefined ? 'contained' : 'sites';",
      expect: ["contained"],
      why: "a text or nothing",
    },
    {
      name: "a stack of all frames",
      code: "try { Error.stackTraceLimit = Infinity; } catch {} const f = (n) => (n ? f(n - 1) : new Error('x').stack); return f(100).split('\\n').length < 20 ? 'contained' : 'long';",
      expect: ["contained"],
      why: "pinned to ten",
    },
    {
      name: "arguments.callee.caller",
      code: "const f = new Function('return arguments.callee.caller'); const c = f(); return c === null || c === undefined ? 'contained' : typeof c;",
      expect: ["contained", "RUNTIME_HANDLER_THREW"],
      why: "sloppy code sees its callers, strict ones are hidden",
    },
    {
      name: "Function.prototype.caller",
      code: "const f = new Function('return arguments.callee.caller'); const g = new Function('f', 'return f()'); const c = g(f); return c === g || c === null ? 'contained' : String(c);",
      expect: ["contained"],
      why: "sees sloppy code of its own only",
    },
    {
      name: "a caller in a callback of ours",
      code: "let seen = 'contained'; const probe = new Function('report', 'const c = arguments.callee.caller; report(c)'); const o = {}; Object.defineProperty(o, 'a', { enumerable: true, get: () => { probe((c) => { if (c !== null && !/=>/.test(String(c))) seen = String(c); }); return 1; } }); try { ctx.cast('witness', 'echo', o); } catch {} return seen;",
      expect: ["contained"],
      why: "our code is strict: nobody sees it as a caller",
    },
    {
      name: "a sloppy this",
      code: "const g = new Function('return this')(); return g === globalThis ? 'contained' : 'another global';",
      expect: ["contained"],
      why: "the realm's own",
    },
    {
      name: "eval, direct and not",
      code: "return (0, eval)('globalThis') === globalThis && eval('typeof ctx') === 'object' ? 'contained' : 'odd';",
      expect: ["contained"],
      why: "code in its own realm",
    },
    {
      name: "constructors of generators and async functions",
      code: "const G = Object.getPrototypeOf(function* () {}).constructor; const A = Object.getPrototypeOf(async () => {}).constructor; const AG = Object.getPrototypeOf(async function* () {}).constructor; return G('return globalThis')().next().value === globalThis && (await A('return globalThis')()) === globalThis && (await AG('return globalThis')().next()).value === globalThis ? 'contained' : 'another realm';",
      expect: ["contained"],
      why: "the hidden constructors compile in the same realm",
    },
    {
      name: "import()",
      code: "for (const what of ['node:fs', 'fs', 'file:///etc/passwd', './agent.js', 'isolated-vm', 'data:text/javascript,export default 1']) try { await new Function('w', 'return import(w)')(what); return what; } catch {} return 'contained';",
      expect: ["contained"],
      why: "no loader",
    },
    {
      name: "import() in the source",
      code: "try { const m = await import(String(arg) + 'node:fs'); return Object.keys(m).join(); } catch { return 'contained'; }",
      expect: ["contained", "SANDBOX_COMPILE_FAILED"],
      why: "no loader, and esbuild leaves it alone",
    },
    {
      name: "import.meta",
      code: "try { return String(new Function('return import.meta.url')()); } catch { return 'contained'; }",
      expect: ["contained"],
      why: "a script has none",
    },
    {
      name: "the door",
      code: "return ['__planaria', '__planariaDefinition'].filter((k) => k in globalThis).join() || 'contained';",
      expect: ["contained"],
      why: "taken away before agent code runs",
    },
    {
      name: "names on the global object",
      code: "return Object.getOwnPropertyNames(globalThis).filter((k) => /planaria|ivm|isolate|host|bridge|cell/i.test(k)).join() || 'contained';",
      expect: ["contained"],
      why: "nothing of ours is left there",
    },
    {
      name: "symbols on the global object",
      code: "return Object.getOwnPropertySymbols(globalThis).map(String).filter((s) => s !== 'Symbol(Symbol.toStringTag)').join() || 'contained';",
      expect: ["contained"],
      why: "nothing hidden either",
    },
    {
      name: "frames of ours through a getter in the prelude",
      code: "let seen = ''; Object.defineProperty(Object.prototype, 'version', { configurable: true, get() { seen += new Error('x').stack; return undefined; } }); ctx.log.info('x', {}); return /file:|node:|\\/(home|work|usr|cell)\\//.test(seen) ? seen : 'contained';",
      expect: ["contained"],
      why: "our frames name the prelude and no path",
    },
    {
      name: "a neighbour's state",
      code: "return typeof ctx.state.secret === 'undefined' && !('secret' in globalThis) ? 'contained' : 'seen';",
      expect: ["contained"],
      why: "each agent has a heap of its own",
    },
    {
      name: "a neighbour by its isolate",
      code: "globalThis.secret = ctx.self.id; return globalThis.secret === ctx.self.id ? 'contained' : globalThis.secret;",
      expect: ["contained"],
      why: "globals are not shared",
    },
    {
      name: "speaking for another",
      code: "const a = await ctx.call('witness', 'who', { from: 'root', agent: 'root', self: { id: 'root' } }); return a === 'root' ? a : 'contained';",
      expect: ["contained"],
      why: "who asks is known from the channel, not from what it says",
    },
    {
      name: "changing who one is",
      code: "try { ctx.self.id = 'witness'; } catch {} try { Object.defineProperty(ctx.self, 'id', { value: 'witness' }); } catch {} return ctx.self.id === 'witness' ? 'changed' : 'contained';",
      expect: ["contained"],
      why: "frozen, and nobody outside asks it",
    },
    {
      name: "spread and iterators of ours",
      code: "const seen = []; const it = Object.getPrototypeOf([][Symbol.iterator]()); const next = it.next; it.next = function () { seen.push(this); return next.call(this); }; ctx.log.info('x', { a: 1 }); ctx.cast('witness', 'echo', [1]); it.next = next; return seen.length === 0 ? 'contained' : 'ours are seen';",
      expect: ["contained"],
      why: "our lists are walked by index",
    },
    {
      name: "Function.prototype.toString of ours",
      code: "const t = String(ctx.call) + String([].map) + String(JSON.parse); return /segments|socket|process\\./.test(t) ? t : 'contained';",
      expect: ["contained"],
      why: "sources of the prelude may be read; there is no secret in them",
    },
    {
      name: "code in the rails",
      code: "let got; Object.defineProperty(Array.prototype, 'length', { value: 0, writable: true }); try { [1].map(function () { got = this; }); } catch {} return got === undefined || got === globalThis ? 'contained' : 'a receiver';",
      expect: ["contained", "RUNTIME_HANDLER_THREW"],
      why: "the wrappers hand on nothing of their own",
    },
    {
      name: "rails through their arguments",
      code: "const seen = []; const p = Object.defineProperty([], 0, { get() { seen.push(new Error('x').stack); return 1; } }); [].concat(p); return /file:|\\/(home|work|usr|cell)\\//.test(seen.join()) ? seen.join() : 'contained';",
      expect: ["contained"],
      why: "as above",
    },
    {
      name: "SuppressedError and DisposableStack",
      code: `${outside} const all = []; if (typeof DisposableStack !== 'undefined') { const s = new DisposableStack(); s.defer(() => { throw new Error('a'); }); s.defer(() => { throw new Error('b'); }); try { s.dispose(); } catch (e) { all.push(e, e.error, e.suppressed); } } return all.map(outside).find((x) => x) || 'contained';`,
      expect: ["contained"],
      why: "escaped another library in 2026",
    },
    {
      name: "yield* in an async generator with a thenable",
      code: `${outside} let got; const g = (async function* () { yield* { [Symbol.asyncIterator]: () => ({ next: () => ({ then: (f) => { got = f; f({ done: true, value: 1 }); } }) }) }; })(); await g.next(); return outside(got) || 'contained';`,
      expect: ["contained"],
      why: "escaped another library in 2026",
    },
    {
      name: "ShadowRealm",
      code: "if (typeof ShadowRealm === 'undefined') return 'contained'; try { return new ShadowRealm().evaluate('typeof process') === 'undefined' ? 'contained' : 'process'; } catch { return 'contained'; }",
      expect: ["contained"],
      why: "another realm of the same engine",
    },
    {
      name: "a realm without rails by ShadowRealm",
      code: "if (typeof ShadowRealm === 'undefined') return 'contained'; return new ShadowRealm().evaluate('typeof WebAssembly') === 'undefined' ? 'contained' : 'WebAssembly';",
      expect: ["contained"],
      why: "would have all that was taken away",
    },
  ],
};
