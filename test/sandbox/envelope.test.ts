/** Several texts in one string. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { pack, unpack } from "../../sandbox/envelope.ts";
import { SandboxError } from "../../sandbox/errors.ts";

const malformed = (error: unknown): boolean =>
  error instanceof SandboxError && error.code === "SANDBOX_MESSAGE_MALFORMED";

describe("an envelope", () => {
  it("gives back any texts, lone surrogates and newlines included", () => {
    const texts = fc.array(fc.string({ unit: "binary" }).map((text) => text + "\n\ud800,5"));
    fc.assert(
      fc.property(texts, (segments) => assert.deepEqual(unpack(pack(segments), { segmentsMax: 100 }), segments)),
    );
  });

  it("is what its description says", () => assert.equal(pack(["hello", "", "abc"]), "5,0,3\nhelloabc"));

  it("can stand behind a prefix", () => {
    assert.deepEqual(unpack(`T${pack(["a", "b"])}`, { segmentsMax: 2 }, 1), ["a", "b"]);
  });

  it("does not escape: a megabyte of quotes stays a megabyte", () => {
    assert.equal(pack(['"'.repeat(1_000_000)]).length, 1_000_008);
  });

  const bad = [
    "",
    "5",
    "a\nb",
    "1\n",
    "1\nab",
    ",\n",
    "1,\na",
    ",1\na",
    "01\na",
    "+1\na",
    "1 \na",
    "-1\n",
    "1e0\na",
    "99999999999999999999\na",
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => unpack(text, { segmentsMax: 10 }), malformed));
  }

  it("refuses more segments than agreed, before it has read them", () => {
    assert.throws(() => unpack(pack(["a", "b", "c"]), { segmentsMax: 2 }), malformed);
    assert.throws(() => unpack(`${"0,".repeat(1_000_000)}0\n`, { segmentsMax: 2 }), malformed);
  });

  it("either unpacks to what packs to the same text, or refuses", () => {
    const digits = fc.string({ unit: fc.constantFrom("0", "1", "2", ",", "\n", "a") });
    fc.assert(
      fc.property(digits, (text) => {
        try {
          assert.equal(pack(unpack(text, { segmentsMax: 100 })), text);
        } catch (error) {
          assert.ok(malformed(error), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
