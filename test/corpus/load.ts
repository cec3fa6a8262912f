/** Attacks while the module is evaluated: whoever spawns such an agent is told, and nobody else notices. */
import type { Family } from "./snippet.ts";

const LOAD_OUT_OF_TIME = ["SANDBOX_LOAD_FAILED", "SANDBOX_WALL_EXCEEDED", "SANDBOX_CPU_EXCEEDED"] as const;

/** Loading. */
export const load: Family = {
  name: "load",
  snippets: [
    {
      name: "a module that loops",
      place: "module",
      code: "for (;;);",
      expect: LOAD_OUT_OF_TIME,
      why: "loading has a time limit of its own",
      isSlow: true,
    },
    {
      name: "a module that hoards",
      place: "module",
      code: "const all = []; for (;;) all.push(new Array(100_000).fill(1.5));",
      expect: ["SANDBOX_HEAP_EXCEEDED"],
      why: "before anything is a turn",
    },
    {
      name: "a module that throws",
      place: "module",
      code: "throw new Error('no');",
      expect: ["SANDBOX_LOAD_FAILED"],
      why: "no agent",
    },
    {
      name: "a module that throws what cannot be read",
      place: "module",
      code: "throw { get message() { throw 1; }, get name() { throw 2; }, get stack() { throw 3; } };",
      expect: ["SANDBOX_LOAD_FAILED"],
      why: "described without harm",
    },
    {
      name: "a module that throws a proxy that loops",
      place: "module",
      code: "throw new Proxy({}, { get: () => { for (;;); } });",
      expect: LOAD_OUT_OF_TIME,
      why: "reading what is thrown runs script",
      isSlow: true,
    },
    {
      name: "a module that recurses",
      place: "module",
      code: "const f = () => f() + 1; f();",
      expect: ["SANDBOX_LOAD_FAILED"],
      why: "the stack",
    },
    {
      name: "a module that awaits for ever",
      place: "module",
      code: "await new Promise(() => {});",
      expect: ["SANDBOX_COMPILE_FAILED", "SANDBOX_LOAD_FAILED"],
      why: "top-level await is none of a script's",
    },
    {
      name: "a module that floods microtasks",
      place: "module",
      code: "const f = () => Promise.resolve().then(f); f();",
      expect: [...LOAD_OUT_OF_TIME, "SANDBOX_HEAP_EXCEEDED"],
      why: "microtasks of the load",
    },
    {
      name: "a module that rejects",
      place: "module",
      code: "Promise.reject(new Error('stray'));",
      expect: ["contained", "SANDBOX_LOAD_FAILED"],
      why: "a stray rejection while loading",
    },
    {
      name: "a module that imports Node",
      place: "module",
      code: "import fs from 'node:fs'; globalThis.fs = fs;",
      expect: ["SANDBOX_COMPILE_FAILED"],
      why: "refused when it is compiled",
    },
    {
      name: "a module that imports a native addon",
      place: "module",
      code: "import ivm from 'isolated-vm'; globalThis.ivm = ivm;",
      expect: ["SANDBOX_COMPILE_FAILED", "SANDBOX_LOAD_FAILED"],
      why: "refused when it is compiled, or there is nothing that could load it",
    },
    {
      name: "a module that requires",
      place: "module",
      code: "const fs = require('fs'); globalThis.fs = fs;",
      expect: ["SANDBOX_COMPILE_FAILED", "SANDBOX_LOAD_FAILED"],
      why: "there is no such function",
    },
    {
      name: "a module that takes the place of the definition",
      place: "module",
      code: "globalThis.__planariaDefinition = { version: 1, state: () => ({}), on: {} };",
      expect: ["contained", "SANDBOX_LOAD_FAILED"],
      why: "what it exports counts",
    },
    {
      name: "a module that pins the place of the definition",
      place: "module",
      code: "Object.defineProperty(globalThis, '__planariaDefinition', { get: () => { for (;;); }, set: () => {}, configurable: false });",
      expect: [...LOAD_OUT_OF_TIME, "contained"],
      why: "its own loading fails",
      isSlow: true,
    },
    {
      name: "a definition that is a proxy",
      place: "module",
      code: "globalThis.wrap = (d) => new Proxy(d, { get: (t, k) => (k === 'on' ? new Proxy(t.on, { ownKeys: () => { throw new Error('keys'); } }) : t[k]) });",
      expect: ["contained", "SANDBOX_LOAD_FAILED"],
      why: "definitions are read by us",
    },
    {
      name: "a module that patches everything first",
      place: "module",
      code: "for (const P of [Object, Array, String, Map, Set, Promise, Function]) for (const k of Object.getOwnPropertyNames(P.prototype)) try { if (k !== 'constructor') P.prototype[k] = () => { throw new Error('patched'); }; } catch {}",
      expect: ["contained", "SANDBOX_LOAD_FAILED", "RUNTIME_HANDLER_THREW"],
      why: "from the first moment",
    },
  ],
};
