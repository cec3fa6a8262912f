/**
 * The log ratio bound: against its formula and the mixture behind it, and its behaviour when it is looked at after
 * every pair.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  addLogRatio,
  emptyLogRatio,
  LOG_RATIO_PAIRS_MIN,
  logRatioBounds,
} from "../../../evolution/statistics/log-ratio.ts";
import type { LogRatioState } from "../../../evolution/statistics/log-ratio.ts";
import { normalCdf } from "../../../evolution/statistics/special.ts";
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
  share,
} from "./simulation.ts";

const margin = Math.log(1.1);

describe("the log ratio bound", () => {
  it("equals its formula for 100 pairs of -1 and 1, at two limits", () => {
    const state = fed(100, (number) => (number % 2 === 0 ? 1 : -1));
    for (const alpha of [0.05, 0.01]) {
      const a = 2 * alpha;
      const r2 = (-2 * Math.log(a) + Math.log(-2 * Math.log(a) + 1)) / 500;
      const t = 100;
      const spread = t * r2 + 1;
      const h = Math.sqrt(((2 * spread) / (t * t * r2)) * Math.log(1 + Math.sqrt(spread) / (2 * alpha)));
      const { mean, halfWidth, pairs } = logRatioBounds(state, alpha);
      assertSame(halfWidth, h * Math.sqrt(100 / 99));
      assertSame(mean, 0);
      assert.equal(pairs, 100);
    }
  });

  it("its closed form is never short of the mixture it stands for", () => {
    for (let y = 2.1; y < 1e12; y *= 1.3) {
      const z = Math.sqrt(2 * Math.log1p(y / 2));
      assert.ok(2 * normalCdf(z) * Math.exp((z * z) / 2) >= y);
    }
  });

  it("says nothing before 100 pairs", () => {
    const state = fed(LOG_RATIO_PAIRS_MIN - 1, () => 0.2);
    assert.equal(logRatioBounds(state, 0.05).halfWidth, Infinity);
    assert.equal(logRatioBounds(emptyLogRatio(), 0.05).halfWidth, Infinity);
    assert.ok(Number.isFinite(logRatioBounds(addLogRatio(state, 0.3), 0.05).halfWidth));
  });

  it("a shift of all ratios moves the mean alone, a factor stretches the half-width", () => {
    const plain = logRatioBounds(fed(500, Math.sin), 0.05);
    const shifted = logRatioBounds(
      fed(500, (number) => Math.sin(number) + 100),
      0.05,
    );
    const stretched = logRatioBounds(
      fed(500, (number) => 3 * Math.sin(number)),
      0.05,
    );
    assertSame(shifted.mean, plain.mean + 100);
    assertSame(shifted.halfWidth, plain.halfWidth, 10);
    assertSame(stretched.halfWidth, 3 * plain.halfWidth);
  });

  it("has no NaN for equal ratios, extreme ratios and a billion pairs", () => {
    assert.equal(
      logRatioBounds(
        fed(200, () => 0.1),
        0.05,
      ).halfWidth,
      0,
    );
    assert.ok(
      Number.isFinite(
        logRatioBounds(
          fed(200, (number) => (number % 2 === 0 ? 1_500 : -1_500)),
          0.001,
        ).halfWidth,
      ),
    );
    const many: LogRatioState = { pairs: 1e9, mean: 0.05, deviations: 2.5e8 };
    const { halfWidth } = logRatioBounds(addLogRatio(many, -1), 0.01);
    assert.ok(halfWidth > 0 && halfWidth < 1e-3);
  });

  it("survives a journal, and is not changed by what is added", () => {
    const state = Object.freeze(fed(150, Math.cos));
    const restored: LogRatioState = JSON.parse(JSON.stringify(state));
    assert.deepEqual(addLogRatio(restored, 1), addLogRatio(state, 1));
  });

  it("what is not finite, and limits from one half on, are refused", () => {
    for (const y of [Number.NaN, Infinity, -Infinity, 1_501])
      assert.throws(() => addLogRatio(emptyLogRatio(), y), RangeError);
    for (const alpha of [0, 0.5, Number.NaN]) assert.throws(() => logRatioBounds(emptyLogRatio(), alpha), RangeError);
  });
});

describe(`log ratios, looked at after every pair (SEED=${SEED})`, () => {
  const shapes = {
    normal: (draws: Draws) => 0.5 * draws.normal(),
    // One in 20 has 4 times the spread: the same variance in all.
    "heavy-tailed": (draws: Draws) => (0.5 / Math.sqrt(0.95 + 0.05 * 16)) * draws.normal() * (draws.is(0.05) ? 4 : 1),
  };
  for (const [name, noise] of Object.entries(shapes))
    it(`at the margin itself ${name} noise fails in about .01 of the runs of 5,000 and passes in about .05`, (t) => {
      const draws = new Draws(name.length);
      const failed = repeated(300, () => pairsUntil(draws, { noise, mean: margin, alpha: 0.01, isFail: true }));
      const passed = repeated(300, () => pairsUntil(draws, { noise, mean: margin, alpha: 0.05, isFail: false }));
      t.diagnostic(`failed ${percent(failed)}, passed ${percent(passed)}`);
      // Asymptotic: the limits are promised for many pairs, so a quarter more is allowed to what begins at 100.
      assertAlarmsWithin(0.0125, failed);
      assertAlarmsWithin(0.0625, passed);
    });

  for (const [factor, pairs] of [
    [1.2, 327],
    [1.3, 117],
    [1.5, 100],
  ] as const)
    it(`${factor} times slower is found after a median of about ${pairs} pairs`, (t) => {
      const draws = new Draws(pairs);
      const options = { noise: shapes.normal, mean: Math.log(factor), alpha: 0.01, isFail: true };
      const results = repeated(200, () => pairsUntil(draws, options));
      t.diagnostic(`found ${percent(results)}, median ${median(results)}`);
      assert.equal(share(results), 1);
      assertNear(median(results), pairs, 0.25);
    });

  for (const [deviation, pairs] of [
    [0.5, 188],
    [1, 587],
  ] as const)
    it(`an equally fast shadow passes after a median of about ${pairs} pairs where ratios spread by ${deviation}`, (t) => {
      const draws = new Draws(pairs);
      const noise = () => deviation * draws.normal();
      const results = repeated(150, () => pairsUntil(draws, { noise, mean: 0, alpha: 0.05, isFail: false }));
      t.diagnostic(`passed ${percent(results)}, median ${median(results)}`);
      assertNear(median(results), pairs, 0.25);
    });
});

interface Question {
  readonly noise: (draws: Draws) => number;
  readonly mean: number;
  readonly alpha: number;
  readonly isFail: boolean;
}

function pairsUntil(draws: Draws, { noise, mean, alpha, isFail }: Question): number {
  let state = emptyLogRatio();
  return firstStep(5_000, () => {
    state = addLogRatio(state, mean + noise(draws));
    const bounds = logRatioBounds(state, alpha);
    return isFail ? bounds.mean - bounds.halfWidth > margin : bounds.mean + bounds.halfWidth < margin;
  });
}

function fed(pairs: number, y: (number: number) => number): LogRatioState {
  let state = emptyLogRatio();
  for (let number = 1; number <= pairs; number++) state = addLogRatio(state, y(number));
  return state;
}
