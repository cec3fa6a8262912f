/** Values as text: what comes back equal, and what is refused with the place where it sits. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { decode, decodeTrusted, encode } from "../../sandbox/codec.ts";
import { SandboxError, type SandboxErrorCode } from "../../sandbox/errors.ts";

const LIMITS = { bytesMax: 1_000_000 };
const there = (value: unknown): unknown => decode(encode(value, LIMITS), LIMITS);
const refusal = (code: SandboxErrorCode, path?: string) => (error: unknown) =>
  error instanceof SandboxError && error.code === code && (path === undefined || error.details["path"] === path);

describe("encode", () => {
  it("writes plain values as JSON and the rest behind a tilde", () => {
    assert.equal(encode({ a: [1, "b", null, true] }, LIMITS), '{"a":[1,"b",null,true]}');
    assert.equal(encode(undefined, LIMITS), "~-1");
    assert.equal(encode({ at: new Date(0) }, LIMITS), '~[{"at":1},["Date","1970-01-01T00:00:00.000Z"]]');
  });

  const refused: readonly (readonly [what: string, value: unknown, path: string])[] = [
    ["a function", { items: [1, 2, 3, { fn: () => 1 }] }, "arg.items[3].fn"],
    ["a symbol", [Symbol("s")], "arg[0]"],
    ["a property named by a symbol", { a: { [Symbol.iterator]: 1 } }, "arg.a"],
    [
      "an instance of a class",
      {
        "a b": new (class A {
          readonly a = 1;
        })(),
      },
      'arg["a b"]',
    ],
    ["an instance of a subclass of Map", [new (class M extends Map {})()], "arg[0]"],
    ["an instance of a subclass of Array", [new (class L extends Array {})()], "arg[0]"],
    ["an Error", { error: new Error("no") }, "arg.error"],
    ["a RegExp", /a/, "arg"],
    ["a boxed number", Object(1), "arg"],
    ["a Promise", { p: Promise.resolve() }, "arg.p"],
    ["a DataView", new DataView(new ArrayBuffer(1)), "arg"],
    ["a view of shared memory", [new Uint8Array(new SharedArrayBuffer(1))], "arg"],
    ["a sparse array", { list: [1, , 3] }, "arg.list[1]"], // oxlint-disable-line no-sparse-arrays -- the hole is the test
    ["something inside a Map", new Map([["key", () => 1]]), 'arg.get("key")'],
    ["a key of a Map", new Map([[() => 1, 1]]), "arg.get(…)"],
    ["something inside a Set", new Set([1, () => 1]), "arg[1]"],
    [
      "a getter that throws",
      {
        a: {
          get b(): number {
            throw new Error("mine");
          },
        },
      },
      "arg.a.b",
    ],
    ["a huge BigInt", [2n ** 60_000n], "arg[0]"],
    ["an own __proto__", JSON.parse('{"a":{"__proto__":1}}'), "arg.a"],
  ];
  for (const [what, value, path] of refused) {
    it(`refuses ${what} and says where`, () => {
      assert.throws(() => encode(value, { ...LIMITS, root: "arg" }), refusal("SANDBOX_VALUE_UNCLONABLE", path));
    });
  }

  it("refuses a cycle at the place where it closes", () => {
    const value = { a: { list: [] as unknown[] } };
    value.a.list.push(value.a);
    assert.throws(() => encode(value, LIMITS), refusal("SANDBOX_VALUE_UNCLONABLE", "value.a.list[0]"));
  });

  it("takes 64 levels and refuses 65", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    assert.deepEqual(there(nested(64)), nested(64));
    assert.throws(() => encode(nested(65), LIMITS), refusal("SANDBOX_VALUE_UNCLONABLE"));
  });

  it("counts bytes, not characters", () => {
    assert.equal(encode("ü".repeat(4), { bytesMax: 10 }).length, 6);
    assert.throws(() => encode("ü".repeat(4), { bytesMax: 9 }), refusal("SANDBOX_MESSAGE_TOO_LARGE"));
    assert.throws(() => encode("😀😀", { bytesMax: 9 }), refusal("SANDBOX_MESSAGE_TOO_LARGE"));
    assert.equal(encode("😀😀", { bytesMax: 10 }), '"😀😀"');
  });

  it("refuses a small value that expands to a huge text without expanding it", () => {
    let value: unknown = "x";
    for (let level = 0; level < 40; level++) value = [value, value];
    assert.throws(() => encode(value, LIMITS), refusal("SANDBOX_MESSAGE_TOO_LARGE"));
    const holes: unknown[] = [];
    holes.length = 2 ** 32 - 1;
    assert.throws(() => encode(holes, LIMITS), refusal("SANDBOX_MESSAGE_TOO_LARGE"));
  });

  it("sends only the bytes that a view shows", () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    assert.deepEqual(there(bytes), new Uint8Array([2, 3]));
    assert.ok(encode(new Uint8Array(100_000).subarray(0, 1), LIMITS).length < 100);
  });

  it("takes a Buffer as the bytes that it is", () => {
    assert.deepEqual(there({ b: Buffer.from("abc") }), { b: new Uint8Array([97, 98, 99]) });
  });
});

/** Everything that the codec takes. */
const values = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(null, undefined, NaN, -0, Infinity, -Infinity, "~", "~-1", "toJSON"),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.float64Array(),
    fc.bigInt64Array(),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes).buffer),
  ),
  value: fc.oneof(
    { depthSize: "small" },
    tie("leaf"),
    fc.array(tie("value")),
    fc.dictionary(
      fc.string({ unit: "binary" }).filter((key) => key !== "__proto__"),
      tie("value"),
      { noNullPrototype: true },
    ),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
    fc.array(tie("value")).map((items) => new Set(items)),
  ),
})).value;

describe("decode", () => {
  it("gives back whatever encode took", () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = encode(value, LIMITS);
        assert.deepStrictEqual(decode(text, LIMITS), value);
        assert.deepStrictEqual(decodeTrusted(text), value);
        assert.ok(text.isWellFormed());
        // A value that did not change has the same text, so an untouched key is never written.
        assert.equal(encode(decode(text, LIMITS), LIMITS), text);
      }),
      { numRuns: 1000 },
    );
  });

  it("writes plain JSON values as JSON does", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        fc.pre(!JSON.stringify(value).includes("__proto__") && !Object.is(value, -0));
        const text = encode(value, LIMITS);
        if (!text.startsWith("~")) assert.equal(text, JSON.stringify(value));
        assert.deepEqual(decode(text, LIMITS), value);
      }),
    );
  });

  const hostile: readonly (readonly [what: string, text: string])[] = [
    ["nothing", ""],
    ["no JSON", "{"],
    ["a tilde alone", "~"],
    ["no list behind a tilde", '~{"a":1}'],
    ["a hole", "~-2"],
    ["a hole in a list", "~[[-2]]"],
    ["65 levels", "[".repeat(65) + "]".repeat(65)],
    ["a million levels", "[".repeat(100_000)],
    ["levels behind a string with escaped quotes", `["\\\\\\"",${"[".repeat(65)}${"]".repeat(66)}`],
    ["an own __proto__", '{"a":[{"__proto__":{"polluted":1}}]}'],
    ["an own __proto__ in disguise", '{"\\u005f_pr\\u006fto__":1}'],
    ["an own __proto__ behind a tilde", '~[{"__proto__":1},2]'],
    ["a null record with __proto__", '~[["null","__proto__",1],2]'],
    ["a list that refers to itself", "~[[0]]"],
    ["a Map that holds itself", '~[["Map",0,0]]'],
    [
      "a chain of a hundred thousand references",
      `~[${Array.from({ length: 100_000 }, (_, index) => `[${index + 1}]`).join()},1]`,
    ],
    [
      "shared branches that expand to a billion items",
      `~[${Array.from({ length: 30 }, (_, index) => `[${index + 1},${index + 1}]`).join()},"x"]`,
    ],
    ["a sparse array of four billion", "~[[-7,4294967295]]"],
    ["a RegExp", '~[["RegExp","(a+)+$"]]'],
    ["a URL", '~[["URL","http://a"]]'],
    ["a boxed value", '~[["Object",1],1]'],
    ["an unknown tag", '~[["Evil",1],1]'],
    ["a tag from a prototype", '~[["constructor",1],1]'],
    ["a BigInt that is none", '~[["BigInt","0x10"]]'],
    ["a BigInt of a million digits", `~[["BigInt","${"9".repeat(100_000)}"]]`],
    ["a Date of a thousand letters", `~[["Date","${"1".repeat(1000)}"]]`],
    ["a view beyond its buffer", '~[["Uint8Array",1,0,4000000000],["ArrayBuffer","AAAA"]]'],
    ["a view on no buffer", '~[["Uint8Array",1],4000000000]'],
    ["a buffer that is no base64", '~[["ArrayBuffer","*"]]'],
    ["a reference out of the list", "~[[99]]"],
    ["a fractional reference", "~[[0.5]]"],
    ["a reference that is a text", '~[["Set","size"]]'],
  ];
  for (const [what, text] of hostile) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decode(text, LIMITS), refusal("SANDBOX_MESSAGE_MALFORMED"));
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    });
  }

  it("refuses a text over its limit before it looks at it", () => {
    assert.throws(() => decode(`"${"x".repeat(100)}"`, { bytesMax: 50 }), refusal("SANDBOX_MESSAGE_MALFORMED"));
    assert.throws(() => decode(`"${"ü".repeat(30)}"`, { bytesMax: 50 }), refusal("SANDBOX_MESSAGE_MALFORMED"));
  });

  it("many views of one buffer cannot stand for more bytes than the limit", () => {
    const views = Array.from({ length: 1000 }, () => '["Uint8Array",1]').join();
    const text = `~[[${Array.from({ length: 1000 }, (_, i) => i + 2).join()}],["ArrayBuffer","${"A".repeat(4000)}"],${views}]`;
    assert.throws(() => decode(text, LIMITS), refusal("SANDBOX_MESSAGE_MALFORMED"));
  });

  it("takes __proto__ and brackets as text", () => {
    for (const value of ["__proto__", ["[[[[", { a: "__proto__" }], "[".repeat(1000), '\\"'.repeat(100)]) {
      assert.deepEqual(there(value), value);
    }
  });

  it("answers any text that looks like its own with a value or a refusal, and never pollutes", () => {
    const token = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ",",
      ":",
      '"',
      "~",
      "-1",
      "0",
      "1",
      "2",
      "-7",
      '"Map"',
      '"Set"',
      '"Date"',
      '"BigInt"',
      '"ArrayBuffer"',
      '"Uint8Array"',
      '"__proto__"',
      "null",
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), fc.boolean(), (tokens, isRich) => {
        try {
          decode(`${isRich ? "~" : ""}${tokens.join("")}`, { bytesMax: 10_000 });
        } catch (error) {
          assert.ok(refusal("SANDBOX_MESSAGE_MALFORMED")(error), String(error));
        }
        assert.deepEqual(Object.keys(Object.prototype), []);
      }),
      { numRuns: 5000 },
    );
  });
});
