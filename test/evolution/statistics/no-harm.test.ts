/** The no-harm interval: against its formulas written out, its coverage at all looks, and what a proof costs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addNoHarm, emptyNoHarm, noHarmInterval } from "../../../evolution/statistics/no-harm.ts";
import type { NoHarmState } from "../../../evolution/statistics/no-harm.ts";
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

describe("the no-harm interval", () => {
  it("equals the formulas of the paper, written out over the whole series", () => {
    const draws = new Draws(1);
    for (const alpha of [0.05, 0.01]) {
      const series = Array.from({ length: 200 }, () => [-1, 0, 0.3, 1][Math.floor(draws.uniform() * 4)] ?? 0);
      const state = series.reduce(addNoHarm, emptyNoHarm({ alpha }));
      const expected = writtenOut(series, alpha);
      const actual = noHarmInterval(state, alpha);
      assertSame(actual.low, expected.low);
      assertSame(actual.high, expected.high);
      assertSame(actual.mean, series.reduce((sum, d) => sum + d, 0) / 200);
      assert.equal(actual.pairs, 200);
    }
  });

  it("knows nothing before the first pair", () => {
    assert.deepEqual(noHarmInterval(emptyNoHarm(), 0.05), { low: -1, high: 1, mean: 0, pairs: 0 });
  });

  it("if no pair ever differs, its half-width is 4 ln(2/alpha) / n", () => {
    const state = fed(1_000, () => 0);
    assertSame(noHarmInterval(state, 0.05).high, (4 * Math.log(40)) / 1_000);
    assertSame(noHarmInterval(state, 0.05).low, (-4 * Math.log(40)) / 1_000);
  });

  it("is mirrored when champion and shadow change places", () => {
    const draws = new Draws(2);
    const series = Array.from({ length: 500 }, () => Math.sign(draws.uniform() - 0.6));
    const one = noHarmInterval(series.reduce(addNoHarm, emptyNoHarm()), 0.05);
    const other = noHarmInterval(series.map((d) => -d).reduce(addNoHarm, emptyNoHarm()), 0.05);
    assertSame(one.low, -other.high);
    assertSame(one.high, -other.low);
  });

  it("a smaller alpha gives a wider interval, also where the state was tuned for another", () => {
    const state = fed(2_000, (number) => Number(number % 50 === 0));
    const wide = noHarmInterval(state, 0.001);
    const narrow = noHarmInterval(state, 0.05);
    assert.ok(wide.low < narrow.low && wide.high > narrow.high);
  });

  it("stays within -1 and 1 and has no NaN: always the same extreme, and a billion pairs", () => {
    for (const d of [-1, 0, 1]) {
      const { low, high, mean } = noHarmInterval(
        fed(300, () => d),
        0.05,
      );
      assert.ok(low >= -1 && low <= mean && mean <= high && high <= 1, `${low} ${mean} ${high}`);
    }
    const many: NoHarmState = {
      pairs: 1e9,
      alpha: 0.05,
      differences: 1e6,
      deviations: 2.5e8,
      lambdas: 1e4,
      weighted: 5,
      penalty: 3,
    };
    const { low, high } = noHarmInterval(addNoHarm(many, 1), 0.05);
    assert.ok(low > -1 && low < 0.001 && high > 0.001 && high < 1);
  });

  it("survives a journal: from the text of a state it goes on as from the state", () => {
    const state = fed(50, (number) => Number(number % 7 === 0));
    const restored: NoHarmState = JSON.parse(JSON.stringify(state));
    assert.deepEqual(addNoHarm(restored, -1), addNoHarm(Object.freeze(state), -1));
  });

  it("differences beyond -1 and 1, NaN, and limits that are no probabilities are refused", () => {
    for (const d of [-1.01, 1.01, Number.NaN, Infinity]) assert.throws(() => addNoHarm(emptyNoHarm(), d), RangeError);
    for (const alpha of [0, 1, -1, Number.NaN]) {
      assert.throws(() => noHarmInterval(emptyNoHarm(), alpha), RangeError);
      assert.throws(() => emptyNoHarm({ alpha }), RangeError);
    }
  });
});

describe(`no harm, looked at after every pair (SEED=${SEED})`, () => {
  for (const [champion, shadow] of [
    [0.02, 0.03],
    [0.3, 0.3],
    [0, 0.01],
  ] as const)
    it(`from ${champion} to ${shadow}: all intervals of 20,000 looks hold the mean in at least 95 % of the runs`, (t) => {
      const draws = new Draws(1_000 * shadow);
      const results = repeated(150, () => {
        let state = emptyNoHarm();
        return firstStep(20_000, () => {
          state = addNoHarm(state, Number(draws.is(shadow)) - Number(draws.is(champion)));
          const { low, high } = noHarmInterval(state, 0.05);
          return low > shadow - champion || high < shadow - champion;
        });
      });
      t.diagnostic(`missed in ${percent(results)}`);
      assertAlarmsWithin(0.05, results);
    });

  it("a shadow that is worse by the margin itself passes in at most .025 of the runs", (t) => {
    const draws = new Draws(3);
    const results = repeated(400, () => pairsUntilPass(draws, 0.01, 0.02));
    t.diagnostic(`passed ${percent(results)}`);
    assertAlarmsWithin(0.025, results);
  });

  for (const [champion, shadow, pairs] of [
    [0, 0, 1_476],
    [0.005, 0.005, 1_734],
    [0.03, 0.01, 616],
  ] as const)
    it(`from ${champion} to ${shadow} the proof at a margin of one point takes a median of about ${pairs} pairs`, (t) => {
      const draws = new Draws(4);
      const results = repeated(200, () => pairsUntilPass(draws, champion, shadow));
      t.diagnostic(`passed ${percent(results)}, median ${median(results)}`);
      if (champion === shadow && champion === 0) assert.equal(median(results), pairs);
      assertNear(median(results), pairs, 0.25);
    });
});

function fed(pairs: number, difference: (number: number) => number): NoHarmState {
  let state = emptyNoHarm();
  for (let number = 1; number <= pairs; number++) state = addNoHarm(state, difference(number));
  return state;
}

function pairsUntilPass(draws: Draws, champion: number, shadow: number): number {
  let state = emptyNoHarm();
  return firstStep(10_000, () => {
    state = addNoHarm(state, Number(draws.is(shadow)) - Number(draws.is(champion)));
    return noHarmInterval(state, 0.05).high < 0.01;
  });
}

/** The formulas as they stand in the header of no-harm.ts, with lists instead of running sums. */
function writtenOut(series: readonly number[], alpha: number): { low: number; high: number } {
  const x = series.map((d) => (d + 1) / 2);
  const sum = (list: readonly number[]) => list.reduce((total, each) => total + each, 0);
  const m = (i: number) => (1 / 2 + sum(x.slice(0, i))) / (i + 1);
  const s2 = (i: number) => (1 / 4 + sum(x.slice(0, i).map((each, index) => (each - m(index + 1)) ** 2))) / (i + 1);
  const lambda = x.map((_, index) => {
    const i = index + 1;
    return Math.min(1 / 2, Math.sqrt((2 * Math.log(2 / alpha)) / (s2(i - 1) * i * Math.log(1 + i))));
  });
  const psi = (l: number) => (-Math.log(1 - l) - l) / 4;
  const v = x.map((each, index) => 4 * (each - m(index)) ** 2);
  const bonus = Math.log(2 / alpha) + sum(v.map((each, index) => each * psi(lambda[index] ?? 0)));
  const weighted = sum(x.map((each, index) => each * (lambda[index] ?? 0)));
  const [low, high] = [(weighted - bonus) / sum(lambda), (weighted + bonus) / sum(lambda)];
  return { low: Math.max(-1, 2 * low - 1), high: Math.min(1, 2 * high - 1) };
}
