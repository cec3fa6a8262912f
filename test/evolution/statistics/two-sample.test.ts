/**
 * Two arms that saw different requests: the sum of their bounds, and its behaviour when it is looked at after every
 * request.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { logRatioBounds } from "../../../evolution/statistics/log-ratio.ts";
import { addTwoSample, emptyTwoSample, twoSampleBounds } from "../../../evolution/statistics/two-sample.ts";
import type { TwoSampleState } from "../../../evolution/statistics/two-sample.ts";
import {
  assertAlarmsWithin,
  assertNear,
  assertSame,
  Draws,
  firstStep,
  median,
  repeated,
  percent,
  SEED,
} from "./simulation.ts";

const margin = Math.log(1.1);

describe("the bound of two arms", () => {
  it("is the difference of their means, give or take both half-widths at half of alpha", () => {
    const state = fed(1_000, (number) => ({
      isShadows: number % 4 === 0,
      value: Math.sin(number) + Number(number % 4 === 0),
    }));
    const bounds = twoSampleBounds(state, 0.05);
    const [champion, shadow] = [logRatioBounds(state.champion, 0.025), logRatioBounds(state.shadow, 0.025)];
    assertSame(bounds.difference, shadow.mean - champion.mean);
    assertSame(bounds.halfWidth, shadow.halfWidth + champion.halfWidth);
    assert.equal(bounds.requests, 250);
  });

  it("says nothing until both arms have 100 values", () => {
    const oneSided = fed(5_000, () => ({ isShadows: false, value: 1 }));
    assert.equal(twoSampleBounds(oneSided, 0.05).halfWidth, Infinity);
    assert.equal(twoSampleBounds(oneSided, 0.05).requests, 0);
    let state = oneSided;
    for (let number = 0; number < 100; number++) state = addTwoSample(state, { isShadows: true, value: number % 2 });
    assert.ok(Number.isFinite(twoSampleBounds(state, 0.05).halfWidth));
  });

  it("changes its sign, and nothing else, when the arms change places", () => {
    const values = (isShadow: number) => (number: number) => ({
      isShadows: number % 2 === isShadow,
      value: Math.cos(number),
    });
    const one = twoSampleBounds(fed(600, values(0)), 0.05);
    const other = twoSampleBounds(fed(600, values(1)), 0.05);
    assertSame(one.difference, -other.difference);
    assertSame(one.halfWidth, other.halfWidth);
  });

  it("survives a journal", () => {
    const state = fed(300, (number) => ({ isShadows: number % 2 === 0, value: number / 300 }));
    const restored: TwoSampleState = JSON.parse(JSON.stringify(state));
    assert.deepEqual(twoSampleBounds(restored, 0.05), twoSampleBounds(state, 0.05));
  });

  it("values that are not finite, and limits from one half on, are refused", () => {
    for (const isShadows of [true, false])
      assert.throws(() => addTwoSample(emptyTwoSample(), { isShadows, value: Number.NaN }), RangeError);
    for (const alpha of [0, 0.5, Number.NaN]) assert.throws(() => twoSampleBounds(emptyTwoSample(), alpha), RangeError);
  });
});

describe(`two arms, looked at after every request (SEED=${SEED})`, () => {
  for (const shadowShare of [0.5, 0.1])
    it(`at the margin itself, with ${shadowShare * 100} % of the traffic, at most .01 of the runs of 5,000 fail`, (t) => {
      const draws = new Draws(10 * shadowShare);
      const results = repeated(300, () => requestsUntilSlow(draws, margin, shadowShare));
      t.diagnostic(`failed ${percent(results)}`);
      assertAlarmsWithin(0.01, results);
    });

  for (const [factor, shadowShare, requests] of [
    [1.5, 0.5, 289],
    [1.3, 0.5, 789],
    [1.5, 0.2, 520],
    [1.3, 0.2, 1_232],
  ] as const)
    it(`${factor} times slower with ${shadowShare * 100} % of the traffic is found after a median of about ${requests} requests`, (t) => {
      const draws = new Draws(requests);
      const results = repeated(100, () => requestsUntilSlow(draws, Math.log(factor), shadowShare));
      t.diagnostic(`found ${percent(results)}, median ${median(results)}`);
      assertNear(median(results), requests, 0.25);
    });
});

function fed(requests: number, request: (number: number) => { isShadows: boolean; value: number }): TwoSampleState {
  let state = emptyTwoSample();
  for (let number = 1; number <= requests; number++) state = addTwoSample(state, request(number));
  return state;
}

function requestsUntilSlow(draws: Draws, slowdown: number, shadowShare: number): number {
  let state = emptyTwoSample();
  return firstStep(5_000, () => {
    const isShadows = draws.is(shadowShare);
    state = addTwoSample(state, { isShadows, value: (isShadows ? slowdown : 0) + 0.5 * draws.normal() });
    const { difference, halfWidth } = twoSampleBounds(state, 0.01);
    return difference - halfWidth > margin;
  });
}
