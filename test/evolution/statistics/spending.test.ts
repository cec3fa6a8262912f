/** What each trial may spend of alpha. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trialAlpha } from "../../../evolution/statistics/spending.ts";
import { assertSame } from "./simulation.ts";

describe("the error limit of a trial", () => {
  it("is alpha itself in normal mode", () => {
    for (const trial of [1, 2, 1_000]) assert.equal(trialAlpha(0.05, trial, "normal"), 0.05);
  });

  it("falls with the square of the trial's number in strict mode", () => {
    assertSame(trialAlpha(0.05, 1, "strict"), 0.030_396_355_092_701_33, 15);
    assertSame(trialAlpha(0.05, 10, "strict"), trialAlpha(0.05, 1, "strict") / 100, 15);
  });

  it("all trials in strict mode together spend alpha, and never more", () => {
    let spent = 0;
    for (let trial = 1; trial <= 100_000; trial++) spent += trialAlpha(0.05, trial, "strict");
    // What is left after n trials is about 6 alpha / (pi^2 n).
    assert.ok(spent < 0.05 && spent > 0.05 - 4e-7, String(spent));
  });

  it("trials that are not counted from 1, and limits that are no probabilities, are refused", () => {
    for (const trial of [0, -1, 1.5, Number.NaN, Infinity])
      for (const mode of ["strict", "normal"] as const) assert.throws(() => trialAlpha(0.05, trial, mode), RangeError);
    for (const alpha of [0, 1, Number.NaN]) assert.throws(() => trialAlpha(alpha, 1, "normal"), RangeError);
  });
});
