/** Reading programs: places that fit the text, types that are blanked, texts that would bring a reader down. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import {
  PROGRAM_UNITS_MAX,
  isStatement,
  isValue,
  readProgram,
  textOf,
  withoutTypes,
} from "../../../evolution/mutation/program.ts";
import { declarationsOf, namesAt } from "../../../evolution/mutation/scope.ts";

const typed = `import type { A } from "./a.ts";
interface Options<T> { readonly size: T }
export function area<T extends number>(this: void, sizes: readonly T[], { size }: Options<number> = { size: 1 }): number {
  let sum: number = 0 as number;
  for (const each of sizes as T[]) sum += (each satisfies number)! * size;
  return new Map<string, number>([["ü", sum]]).get("ü")!;
}
`;

describe("a program with types", () => {
  it("has every node where it stands in the text", () => {
    const program = readProgram(typed);
    assert.ok(program !== undefined);
    assert.equal(program.code.length, typed.length);
    for (const { node } of program.sites) {
      if (node.type === "Identifier") assert.equal(textOf(program, node), node.name);
      if (node.type === "Literal" && typeof node.value === "number")
        assert.equal(textOf(program, node), String(node.value));
    }
    const [fn] = program.sites.filter(({ node }) => node.type === "FunctionDeclaration");
    assert.match(fn === undefined ? "" : textOf(program, fn.node), /^function area<T extends number>\([^]*\}$/);
  });

  for (const [text, code] of [
    ["let a: number = 1;", "let a         = 1;"],
    ["f<number>(1)", "f        (1)"],
    ["f<number>\n(1)", "f        \n(1)"],
    ["f<T>/**/(1)", "f   /**/(1)"],
    ["new Set<string>()", "new Set        ()"],
    ["if (a < b && c > (d)) e();", "if (a < b && c > (d)) e();"],
    ["const f = (x) => (x < 2);", "const f = (x) => (x < 2);"],
    [
      "let \u{1D4B3}: string = '\u{1F600}'; let y: number = 2;",
      "let \u{1D4B3}         = '\u{1F600}'; let y         = 2;",
    ],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => assert.equal(withoutTypes(text), code));
  }
});

describe("a text that is no program", () => {
  for (const text of ["const = 1", "enum A { B }", "let a: = 2", "namespace N { export const a = 1 }", "}{", "<a/>"]) {
    it(`is refused: ${text}`, () => assert.equal(readProgram(text), undefined));
  }

  it("is one that is too long, too deep or has too many nodes", () => {
    assert.equal(readProgram(" ".repeat(PROGRAM_UNITS_MAX + 1)), undefined);
    assert.ok(readProgram(" ".repeat(PROGRAM_UNITS_MAX)) !== undefined);
    assert.equal(readProgram(`${"[".repeat(600)}${"]".repeat(600)}`), undefined);
    assert.equal(readProgram("a;".repeat(100_000)), undefined);
  });

  it("leaves the reader as it was", () => {
    for (const hostile of [
      "(".repeat(20_000),
      `let a: 1 = ${"(".repeat(30_000)}`,
      `let a: ${"[".repeat(60_000)}`,
      "!".repeat(100_000),
      `let a: 1 = ${"{".repeat(9_000)}`,
    ]) {
      assert.equal(readProgram(hostile), undefined);
      assert.equal(withoutTypes("let a: 1 = 1"), "let a    = 1");
    }
  });
});

it("reading types prints nothing", async () => {
  const from = new URL("../../../evolution/mutation/program.ts", import.meta.url).href;
  const script = `import { withoutTypes } from "${from}"; console.log(withoutTypes("let a: 1 = 1"));`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  assert.deepEqual([stdout, stderr], ["let a    = 1\n", ""]);
});

describe("places", () => {
  const valuesOf = (text: string): readonly string[] => {
    const program = readProgram(text);
    assert.ok(program !== undefined, text);
    return program.sites.filter((site) => isValue(site)).map(({ node }) => textOf(program, node));
  };
  for (const [text, values] of [
    ["x = a.b[c]", ["x = a.b[c]", "a.b[c]", "a.b", "a", "c"]],
    ["const { a, b: [c] = d } = e;", ["d", "e"]],
    [
      "f({ a, b: c, [d]: 1, e() {}, get g() { return 2; } });",
      [
        "f({ a, b: c, [d]: 1, e() {}, get g() { return 2; } })",
        "f",
        "{ a, b: c, [d]: 1, e() {}, get g() { return 2; } }",
        "a",
        "c",
        "1",
        "2",
      ],
    ],
    ["function f(a = 1, ...b) { return new.target; }", ["1"]],
    ["class A extends B { c = d; e() { return f; } }", ["d", "f"]],
    ["import a from 'b'; export * from 'c'; export { a as d };", []],
    ["l: for (const i of n) { continue l; }", ["n"]],
    ["t`a${b}`; typeof c; delete d.e;", ["t`a${b}`", "t", "b", "typeof c", "delete d.e", "d"]],
    ["a?.b.c; i++; [j, k] = [k, j];", ["a?.b.c", "a?.b", "a", "i++", "[j, k] = [k, j]", "[k, j]", "k", "j"]],
    ["'use strict'; 'x' + y;", ["'x' + y", "'x'", "y"]],
  ] as const) {
    it(`of values in ${text}`, () => assert.deepEqual(valuesOf(text), values));
  }

  it("of statements are those in a list", () => {
    const program = readProgram("'use strict'; f(); if (a) b(); else { c(); } switch (d) { case 1: e(); }");
    assert.ok(program !== undefined);
    const statements = program.sites.filter((site) => isStatement(site)).map(({ node }) => textOf(program, node));
    assert.deepEqual(statements, ["f();", "if (a) b(); else { c(); }", "c();", "switch (d) { case 1: e(); }"]);
  });
});

describe("names in sight", () => {
  const namesAtMark = (text: string): readonly string[] => {
    const program = readProgram(text);
    assert.ok(program !== undefined, text);
    const site = program.sites.find(({ node }) => node.type === "Identifier" && node.name === "HERE");
    assert.ok(site !== undefined);
    return namesAt(site, declarationsOf(program));
  };
  for (const [text, names] of [
    [
      "const a = 1; function f(b, { c: d, e = 2 }, [g], ...h) { let i; HERE; }",
      ["i", "b", "d", "e", "g", "h", "a", "f"],
    ],
    ["function f() { if (a) { var b; let c; } HERE; }", ["b", "f"]],
    ["for (const i of x) { HERE; } for (const j of y) {}", ["i"]],
    ["try {} catch ({ message }) { HERE; }", ["message"]],
    ["const f = function g(a) { HERE; };", ["g", "a", "f"]],
    ["import a, { b as c } from 'd'; import * as e from 'f'; class G {} HERE;", ["a", "c", "e", "G"]],
    ["const f = class K { m() { HERE; } };", ["K", "f"]],
    ["a.b = c; HERE;", []],
  ] as const) {
    it(`: ${text}`, () => assert.deepEqual(namesAtMark(text), names));
  }
});
