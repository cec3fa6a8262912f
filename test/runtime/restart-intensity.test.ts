/**
 * Restart intensity against its definition. Invariant of the random runs: a restart is allowed exactly when it and those
 * that were charged at most one period before it are no more than `intensity`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { chargeRestart } from "../../runtime/restart-intensity.ts";
import { check } from "../support/random-runs.ts";

const limit = { intensity: 3, periodMs: 5_000 };

/** Charges one restart per instant and returns whether each was allowed. */
function allowedAt(
  instants: readonly number[],
  limit: { readonly intensity: number; readonly periodMs: number },
): boolean[] {
  let restarts: readonly number[] = [];
  return instants.map((atMs) => {
    const verdict = chargeRestart(restarts, atMs, limit);
    restarts = verdict.restarts;
    return verdict.isAllowed;
  });
}

describe("restart intensity", () => {
  test("as many restarts as the intensity are allowed within a period, one more is not", () => {
    assert.deepEqual(allowedAt([0, 1, 2, 3], limit), [true, true, true, false]);
  });

  test("a restart exactly one period ago still counts", () => {
    assert.deepEqual(allowedAt([0, 1, 2, 5_000], limit), [true, true, true, false]);
  });

  test("a restart more than one period ago counts no longer", () => {
    assert.deepEqual(allowedAt([0, 1, 2, 5_000.001], limit), [true, true, true, true]);
  });

  test("restarts in one instant count one by one", () => {
    assert.deepEqual(allowedAt([7, 7, 7, 7], limit), [true, true, true, false]);
  });

  test("an intensity of zero allows no restart", () => {
    assert.deepEqual(allowedAt([0, 100_000], { intensity: 0, periodMs: 1 }), [false, false]);
  });

  test("a refused restart counts against the next one too, as in OTP", () => {
    const { restarts, isAllowed } = chargeRestart([0, 1, 2], 3, limit);
    assert.equal(isAllowed, false);
    assert.deepEqual(restarts, [0, 1, 2, 3]);
  });

  test("what is remembered is what lies within the window, oldest first", () => {
    assert.deepEqual(chargeRestart([0, 4_999, 5_000], 10_000, limit).restarts, [5_000, 10_000]);
  });

  test("the restarts handed in are left as they are", () => {
    const before = Object.freeze([1, 2]);
    chargeRestart(before, 90_000, limit);
    assert.deepEqual(before, [1, 2]);
  });

  test("any series of restarts is judged by counting those of the last period", (t) => {
    const gaps = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(0, 50, 100)), { maxLength: 60 });
    const property = fc.property(gaps, fc.nat(5), fc.constantFrom(1, 50, 100), (gaps, intensity, periodMs) => {
      const instants: number[] = [];
      for (const gap of gaps) instants.push((instants.at(-1) ?? 0) + gap);
      const expected = instants.map((atMs, index) => {
        const counted = instants.slice(0, index + 1).filter((earlier) => atMs - earlier <= periodMs);
        return counted.length <= intensity;
      });
      assert.deepEqual(allowedAt(instants, { intensity, periodMs }), expected);
    });
    check(t, property, 500);
  });
});
