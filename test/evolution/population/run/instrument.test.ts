/** Counters in programs: where they stand, what they stop, and that they change nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { DEFAULT_ENTRY } from "../../../../evolution/population/run/exports.ts";
import type { Instrumented } from "../../../../evolution/population/run/instrument.ts";
import { instrument, PROGRAM_UNITS_MAX } from "../../../../evolution/population/run/instrument.ts";
import { scriptOf } from "../../../../evolution/population/run/script.ts";

interface Gate {
  refill(fuel: number): void;
  left(): number;
  readonly counts: Uint32Array;
  make(): (...args: unknown[]) => unknown;
}

function instrumented(text: string, isDetailed?: boolean): Instrumented {
  const program = instrument(text, isDetailed);
  assert.ok("code" in program, "reason" in program ? program.reason : "");
  return program;
}

/** The script of a program, evaluated here: these programs are ours. */
function gateOf(text: string, entry = "f", isDetailed = false): Gate {
  const context: { __planariaDefinition?: () => Gate } = {};
  runInNewContext(scriptOf(instrumented(text, isDetailed), entry), context);
  const made = context.__planariaDefinition?.();
  assert.ok(made);
  return made;
}

/** What the call gives with so much fuel, and how much it used. */
function callWith(
  { fuel, isDetailed = false }: { readonly fuel: number; readonly isDetailed?: boolean },
  text: string,
  ...args: unknown[]
): readonly [value: unknown, used: number] {
  const gate = gateOf(text, "f", isDetailed);
  gate.refill(fuel);
  const value = gate.make()(...args);
  return [value, fuel - gate.left()];
}

describe("counters", () => {
  for (const [text, value, used] of [
    ["const f = (x) => x + 1", 4, 1],
    ["const f = (x) => ({ x }).x", 3, 1],
    ["const f = (x) => (y => y * x)(2)", 6, 2],
    ["function f(x) { 'use strict'\n return this === undefined }", true, 1],
    ["function f(x) { let n = 0; while (n < x) n++; return n }", 3, 4],
    ["function f(x) { let n = 0; do n++; while (n < x) return n }", 3, 4],
    ["function f(x) { let n = 0; for (;n < x;) for (const a of [1, 2]) n++; return n }", 4, 7],
    ["function f(x) { let n = 0; outer: for (const a in [1, 2, 3]) for (;;) { n++; continue outer } return n }", 3, 7],
    ["function f(x) { if (x) while (x--) g = () => x; else return 0; var g; return g() }", -1, 5],
    ["function f(x) { try { throw x } catch (e) { return e } finally { x = 0 } }", 3, 3],
    ["function f(x) { try { throw x } catch { return 1 } }", 1, 2],
    ["function f(x) { class A { static n = 1; static { A.n += x } get m() { return A.n } } return new A().m }", 4, 3],
    ["function f(x) { return [...(function* () { yield x; yield x })()].length }", 2, 2],
    ["function f(x) { return [3, 1, 2].sort((a, b) => a - b)[0] }", 1, 4],
    ["function f(x) { for (let i = 0; i < x; i++); return x }", 3, 4],
    ["function f(x: number): number { return x as number }", 3, 1],
    ["export function f(x) { return x } export const g = 1; export { g as h }", 3, 1],
    ["function f($f0, $x0, $c0) { return $f0 }", 3, 1],
    ["let \\u0024f0 = 7; function f() { return $f0 }", 7, 1],
    ["function f() { return typeof arguments[0] }", "number", 1],
  ] as const) {
    it(`change nothing about ${text}`, () => {
      for (const isDetailed of [false, true])
        assert.deepEqual(callWith({ fuel: 100, isDetailed }, text, 3), [value, used]);
    });
  }

  it("count how often each place was passed, in the order of the text", () => {
    const gate = gateOf(
      "function f(n) { for (const a of [1, 2, 3]) if (a > n) g(); } const g = () => 0; function never() {}",
    );
    gate.refill(100);
    gate.make()(1);
    assert.deepEqual([...gate.counts], [1, 3, 2, 0]);
  });

  it("stand in every branch where that is asked for, cost nothing there, and say what they count", () => {
    const text = `function f(n: number) {
      if (n > 1) n = n > 2 ? n && 9 : 8; else if (n) { n = 7 } else n++
      switch (n) { case 1: case 9: n--; break; default: { n = 0 } }
      return n || (n => n ? 1 : 2)(n)
    }`;
    const counted = (arg: number): readonly string[] => {
      const { blocks } = instrumented(text, true);
      const gate = gateOf(text, "f", true);
      gate.refill(2); // two functions
      gate.make()(arg);
      assert.ok(gate.left() >= 0);
      return blocks.flatMap(({ start, end }, index) => ((gate.counts[index] ?? 0) > 0 ? [text.slice(start, end)] : []));
    };
    assert.deepEqual(counted(3).slice(1), ["n = n > 2 ? n && 9 : 8;", "n && 9", "9", "n--; break;"]);
    assert.deepEqual(counted(0).slice(2, 3), ["n++"]);
    const [, rest, seven, other, or, arrow, two] = counted(1);
    assert.match(rest ?? "", /^if \(n\) \{ n = 7 \} else n\+\+$/);
    assert.deepEqual(
      [seven, other, or, arrow, two],
      ["{ n = 7 }", "{ n = 0 }", "(n => n ? 1 : 2)(n)", "n => n ? 1 : 2", "2"],
    );
  });

  it("let a default export be called", () => {
    for (const [text, entry] of [
      ["export default (x) => x", DEFAULT_ENTRY],
      ["export default (function (x) { return x })", DEFAULT_ENTRY],
      ["export  default function f(x) { return x }", "f"],
    ] as const) {
      const gate = gateOf(text, entry);
      gate.refill(10);
      assert.equal(gate.make()(5), 5, text);
    }
  });

  it("stop exactly where the fuel is out, and everything that goes on after that", () => {
    const gate = gateOf(
      "let n = 0; function f() { for (;;) { try { for (;;) n++ } catch { n += 1000 } finally { continue } } }",
    );
    gate.refill(50);
    const call = gate.make();
    assert.throws(
      () => call(),
      (thrown) => thrown === "out of fuel",
    );
    assert.ok(gate.left() < 0);
    assert.equal(
      [...gate.counts].reduce((a, b) => a + b),
      50,
    );
  });

  for (const [what, text] of [
    ["no program", "function f( {"],
    ["TypeScript that has to be translated", "enum A { b } function f() {}"],
    ["a program that imports", 'import x from "x"; function f() {}'],
    ["a program that imports later", 'function f() { return import("x") }'],
    ["a program that re-exports", 'export { f } from "x"'],
    ["a return outside of functions", "return 1"],
    ["a text that closes what is around it", "} ; globalThis.x = 1; {"],
    ["a text of many characters", " ".repeat(PROGRAM_UNITS_MAX + 1)],
    ["a text nested deeper than any stack", "(".repeat(100_000)],
  ] as const) {
    it(`are refused to ${what}`, () => {
      const found = instrument(text);
      assert.ok("reason" in found && found.reason.length > 0);
    });
  }
});
