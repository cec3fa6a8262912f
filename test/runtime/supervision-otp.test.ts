/**
 * The supervision core beside the real OTP: a few thousand random events here, as many as one likes with
 * `npm run test:otp`. Where there is no Erlang it is skipped; the fixed cases (`test/otp/fixed-cases.ts`) need none.
 * Set SEED to repeat a failure.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulate } from "../../runtime/supervision/simulate/simulate.ts";
import { firstDifference } from "../otp/compare.ts";
import { compareWithOtp } from "../otp/comparison.ts";
import { fixedCases } from "../otp/fixed-cases.ts";
import { hasErlang, Reference } from "../otp/reference.ts";

const EVENTS_MIN = 5_000;

describe("the supervision core and the real OTP", () => {
  it(
    "do the same on random trees and random failures",
    { skip: hasErlang() ? false : "no Erlang on this machine: nothing to compare with" },
    async (test) => {
      const seed = Number(process.env["SEED"] ?? Date.now() % 0x7fff_ffff);
      test.diagnostic(`SEED=${seed}`);
      await using reference = await Reference.open();
      const { mismatch, events } = await compareWithOtp({ reference, seed, eventsMin: EVENTS_MIN });
      assert.equal(mismatch, undefined, `SEED=${seed}: ${JSON.stringify(mismatch, null, 1)}`);
      assert.ok(events >= EVENTS_MIN);
    },
  );
});

describe("what the real OTP did once", () => {
  for (const { title, case: fixed, trace } of fixedCases()) {
    it(title, () => {
      const ours = simulate(fixed);
      assert.ok("steps" in ours, "this case is not built");
      assert.equal(firstDifference(fixed.kind, trace, ours), undefined);
    });
  }
});
