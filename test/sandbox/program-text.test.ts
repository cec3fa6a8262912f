/** What programs on trial answer, as hostile bytes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pack } from "../../sandbox/envelope.ts";
import { CallEnd, parseProgramReply, SandboxError } from "../../sandbox/index.ts";

const EXPECTED = { calls: 2, counters: 3, fuel: 100 };

describe("the reply of a program", () => {
  it("is one end per call and one count per counter", () => {
    const { calls, counts } = parseProgramReply(pack(["R[1]", "7", "F", "100", "1,0,4294967295"]), EXPECTED);
    assert.deepEqual(calls, [
      { end: CallEnd.returned, text: "[1]", fuelUsed: 7 },
      { end: CallEnd.fuel, text: "", fuelUsed: 100 },
    ]);
    assert.deepEqual([...counts], [1, 0, 4_294_967_295]);
  });

  it("of a program without functions has no counts", () => {
    assert.equal(parseProgramReply(pack(["U", "0", ""]), { calls: 1, counters: 0, fuel: 1 }).counts.length, 0);
  });

  for (const [what, text] of [
    ["no list of segments", "hello"],
    ["a call too few", pack(["R1", "1", "1,1,1"])],
    ["a call too many", pack(["R1", "1", "R1", "1", "R1", "1", "1,1,1"])],
    ["an end that there is not", pack(["R1", "1", "Q1", "1", "1,1,1"])],
    ["more fuel than there was", pack(["R1", "1", "R1", "101", "1,1,1"])],
    ["fuel that is no figure", pack(["R1", "1", "R1", "-1", "1,1,1"])],
    ["a count too few", pack(["R1", "1", "R1", "1", "1,1"])],
    ["a count too many", pack(["R1", "1", "R1", "1", "1,1,1,1"])],
    ["a count that is no figure", pack(["R1", "1", "R1", "1", "1,1e9,1"])],
  ] as const) {
    it(`is refused where it has ${what}`, () => {
      assert.throws(
        () => parseProgramReply(text, EXPECTED),
        (error) => error instanceof SandboxError && error.code === "SANDBOX_ENVELOPE_INVALID",
      );
    });
  }
});
