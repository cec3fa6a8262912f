/** What counts as new: forms that are equal or are not, and how alike two texts are. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resemblance, sketchOf } from "../../../evolution/mutation/min-hash.ts";
import { formHash } from "../../../evolution/mutation/normal-form.ts";

const base = "function f(a, b) { const c = a + 6; return (x) => x * c - b; }";

describe("the form of a program", () => {
  for (const [title, text] of [
    ["blanks, comments and brackets", "function f(a,b){const c=(a)+6; /* six */ return ((x)=>((x*c)-b));} // f"],
    ["the names of variables", "function f(q, r) { const s = q + 6; return (a) => a * s - r; }"],
    ["who works a constant out", "function f(a, b) { const c = a + 2 * 3; return (x) => x * c - b; }"],
    ["how a number is written", "function f(a, b) { const c = a + 0x6; return (x) => x * c - b; }"],
    [
      "types",
      "function f(a: number, b?: number): (x: number) => number { const c: number = a + 6; return (x) => x * c - b!; }",
    ],
    ["what an edit left behind", "function f(a, b) { ; const c = a + 6; ; return (x) => x * c - b; };"],
  ] as const) {
    it(`does not depend on ${title}`, () => assert.equal(formHash(text), formHash(base)));
  }

  for (const [one, other] of [
    [base, base.replace("6", "7")],
    [base, base.replace("x * c - b", "x * b - c")],
    [base, base.replace("x * c - b", "x * (c - b)")],
    [base, base.replace("function f", "function g")],
    [base, base.replace("const c", "let c")],
    ["f({ a })", "f({ b: a })"],
    ["(a) => ({ a })", "(b) => ({ b })"],
    ["[a]", "[, a]"],
    ["a.b", "a[b]"],
    ["a?.b", "a.b"],
    ["/a/g", "/a/i"],
    ["`a${b}`", "`${b}a`"],
    ["async () => {}", "() => {}"],
    ["if (a) b();", "if (a); else b();"],
    ["x = 0", "x = -0"],
    ["x = 1", 'x = "1"'],
    ["x = 1n", "x = 1"],
    ["class A { static b = 1 }", "class A { b = 1 }"],
    ["for (const a of b) c(a);", "for (const a in b) c(a);"],
  ] as const) {
    it(`tells ${one} from ${other}`, () => {
      assert.notEqual(formHash(one), undefined);
      assert.notEqual(formHash(one), formHash(other));
    });
  }

  it("is equal for { a } and { a: a }, and for a shorthand whose variable has another name", () => {
    assert.equal(formHash("(a) => ({ a })"), formHash("(b) => ({ a: b })"));
    assert.equal(formHash("f({ a })"), formHash("f({ a: a })"));
  });

  it("is none for what is no program", () => assert.equal(formHash("function ("), undefined));

  it("takes constants as they are where working them out has no end", () => {
    const text = `x = ${'"a" + '.repeat(300)}"a"`;
    assert.match(formHash(text) ?? "", /^[0-9a-f]{64}$/);
    assert.equal(formHash("x = 1 / 0"), formHash("x = 1/0"));
  });
});

describe("how alike two texts are", () => {
  const words = (count: number, from = 0): string =>
    Array.from({ length: count }, (_, at) => `w${from + at} = ${at};`).join("\n");
  const alike = (a: string, b: string): number => resemblance(sketchOf(a), sketchOf(b));
  it("is 1 for equal tokens and near 0 for strangers", () => {
    assert.equal(alike(base, `// new\n${base.replaceAll(" ", "  ")}`), 1);
    assert.equal(alike("", ""), 1);
    assert.ok(alike(words(200), words(200, 1_000)) < 0.2);
  });

  it("is about the share of runs in common", () => {
    // 4 tokens in a statement: the same 150 of 200 statements are 150 of 250 together.
    assert.ok(Math.abs(alike(words(200), words(150) + words(50, 5_000)) - 0.6) < 0.2);
    assert.ok(alike(words(200), words(200).replace("w77 ", "w78 ")) > 0.85);
  });

  it("is found in a time that goes with the length of a hostile text", () => {
    for (const piece of ["/*", '"', '\\"', "'\\", "`", "//"]) {
      const from = performance.now();
      sketchOf(piece.repeat(50_000));
      assert.ok(performance.now() - from < 5_000, `${piece} took ${performance.now() - from} ms`);
    }
  });
});
