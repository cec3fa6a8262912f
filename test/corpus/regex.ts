/** Attacks through regular expressions: backtracking, large programs, patterns that run script. */
import { OUT_OF_TIME, type Family } from "./snippet.ts";

/** Regular expressions. */
export const regex: Family = {
  name: "regex",
  snippets: [
    {
      name: "nested quantifiers",
      code: "return /^(a+)+$/.test('a'.repeat(40) + 'b');",
      expect: OUT_OF_TIME,
      why: "exponential backtracking; V8 looks for interrupts in it",
    },
    {
      name: "alternatives that overlap",
      code: "return /^(a|a)*$/.test('a'.repeat(40) + 'b');",
      expect: OUT_OF_TIME,
      why: "the same in another coat",
      isSlow: true,
    },
    {
      name: "a back reference",
      code: "return /^(a*)*\\1$/.test('a'.repeat(40) + 'b');",
      expect: OUT_OF_TIME,
      why: "no linear engine can do it",
      isSlow: true,
    },
    {
      name: "look-behind that backtracks",
      code: "return /(?<=^(a+)+)b/.test('a'.repeat(40) + 'c');",
      expect: [...OUT_OF_TIME, "contained", "RUNTIME_HANDLER_THREW"],
      answer: "any",
      why: "backwards",
      isSlow: true,
    },
    {
      name: "quadratic over a long text",
      code: "return /a*b/.test('a'.repeat(2 ** 20));",
      expect: [...OUT_OF_TIME, "RUNTIME_HANDLER_THREW"],
      why: "polynomial, within the rail",
      isSlow: true,
    },
    {
      name: "replace with a function that loops",
      code: "return 'a'.replace(/a/, () => { for (;;); });",
      expect: OUT_OF_TIME,
      why: "script within the built-in",
      isSlow: true,
    },
    {
      name: "an exec of one's own that never says no",
      code: "const r = /a/g; r.exec = () => Object.assign(['a'], { index: 0 }); return 'a'.replace(r, 'b');",
      expect: ["SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "replace loops as long as exec finds something",
    },
    {
      name: "a lastIndex that stands still",
      code: "const r = /(?:)/g; Object.defineProperty(r, 'lastIndex', { get: () => 0, set: () => {} }); return 'abc'.match(r);",
      expect: ["RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "match never advances",
    },
    {
      name: "Symbol.replace of one's own",
      code: "return 'contained'.replace({ [Symbol.replace]: (s) => s }, 'x');",
      expect: ["contained"],
      why: "the protocol hands the text to script; harmless",
    },
    {
      name: "Symbol.split that loops",
      code: "return 'x'.split({ [Symbol.split]: () => { for (;;); } });",
      expect: OUT_OF_TIME,
      why: "script within the built-in",
      isSlow: true,
    },
    {
      name: "a species of one's own",
      code: "class R extends RegExp { static get [Symbol.species]() { return function () { return { exec: () => null, lastIndex: 0 }; }; } } return 'abc'.split(new R('b')).length > 0 ? 'contained' : '';",
      expect: ["contained", "RUNTIME_HANDLER_THREW"],
      why: "split makes a splitter of the given class",
    },
    {
      name: "large counts",
      code: "return /(?:a{1000}){1000}/.test('a'.repeat(2000)) ? 'found' : 'contained';",
      expect: ["contained", "RUNTIME_HANDLER_THREW", ...OUT_OF_TIME],
      why: "unrolled counts make large programs",
    },
    {
      name: "nested large counts",
      code: "return /((a{100}){100}){100}/.test('a') ? 'found' : 'contained';",
      expect: ["contained", "RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "a million nodes from fifteen letters",
    },
    {
      name: "named groups, many",
      code: "let s = ''; for (let i = 0; i < 20_000; i++) s += `(?<g${i}>a)?`; return 'a'.match(new RegExp(s)) ? 'contained' : '';",
      expect: ["contained", "RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED", ...OUT_OF_TIME],
      why: "a groups object of twenty thousand",
    },
    {
      name: "character classes of all letters, ignoring case",
      code: "let s = ''; for (let i = 0; i < 2000; i++) s += '[\\\\p{L}\\\\p{N}--\\\\p{Lu}]'; return new RegExp(s, 'vi').test('a') ? 'found' : 'contained';",
      expect: ["contained", "RUNTIME_HANDLER_THREW", "SANDBOX_HEAP_EXCEEDED", "SANDBOX_CELL_LOST", ...OUT_OF_TIME],
      why: "set operations over Unicode, in C++",
      isSlow: true,
    },
    {
      name: "catastrophe inside split",
      code: "return ('a'.repeat(40) + 'b').split(/(?:a+)+$/).length;",
      expect: [...OUT_OF_TIME, "RUNTIME_HANDLER_THREW"],
      why: "by way of split",
      isSlow: true,
    },
  ],
};
