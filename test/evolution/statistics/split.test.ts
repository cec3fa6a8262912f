/** The split test: known values, the martingale in exact sums, ramps, and sessions that stick to one side. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addSplitFailure, emptySplit, logSplitEvidence } from "../../../evolution/statistics/split.ts";
import type { SplitState } from "../../../evolution/statistics/split.ts";
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

describe("the evidence of harm on split traffic", () => {
  it("one failure of the shadow's at one half multiplies by 1 + g/2 / 1/2 on average, one of the champion's by 1 - g", () => {
    assert.equal(logSplitEvidence(emptySplit()), 0);
    const shadows = addSplitFailure(emptySplit(), { isShadows: true, shadowShare: 0.5 });
    assertSame(logSplitEvidence(shadows), Math.log((1.1 + 1.3 + 1.6 + 1.9) / 4));
    const champions = addSplitFailure(emptySplit(), { isShadows: false, shadowShare: 0.2 });
    assertSame(logSplitEvidence(champions), Math.log((0.9 + 0.7 + 0.4 + 0.1) / 4));
    const both = addSplitFailure(shadows, { isShadows: false, shadowShare: 0.01 });
    assertSame(logSplitEvidence(both), Math.log((1.1 * 0.9 + 1.3 * 0.7 + 1.6 * 0.4 + 1.9 * 0.1) / 4));
  });

  it("expects to win nothing where the failure is the shadow's with its share, and to lose below, whatever came before", () => {
    const draws = new Draws(1);
    let state = emptySplit();
    for (let number = 0; number < 300; number++) {
      const shadowShare = [0.01, 0.05, 0.2, 0.5, 0.999][number % 5] ?? 0.5;
      const wins = (isShadows: boolean) =>
        Math.exp(logSplitEvidence(addSplitFailure(state, { isShadows, shadowShare })) - logSplitEvidence(state));
      assertSame(shadowShare * wins(true) + (1 - shadowShare) * wins(false), 1);
      assert.ok((shadowShare / 2) * wins(true) + (1 - shadowShare / 2) * wins(false) < 1);
      state = addSplitFailure(state, { isShadows: draws.is(shadowShare), shadowShare });
    }
  });

  it("is a number after a million failures of one side, and for shares next to 0 and 1", () => {
    for (const isShadows of [true, false]) {
      let state = emptySplit();
      for (let number = 0; number < 1_000_000; number++)
        state = addSplitFailure(state, { isShadows, shadowShare: 0.5 });
      assertSame(logSplitEvidence(state), 1e6 * Math.log(isShadows ? 1.9 : 0.9) - Math.log(4), 9);
      for (const shadowShare of [Number.MIN_VALUE * 1e20, 1 - 2 ** -53])
        assert.ok(Number.isFinite(logSplitEvidence(addSplitFailure(emptySplit(), { isShadows, shadowShare }))));
    }
    const many: SplitState = { failures: 1e9, logWealths: [-1e9, -2e9, 3e8, -5e9] };
    assertSame(logSplitEvidence(many), 3e8 - Math.log(4));
  });

  it("survives a journal, and is not changed by what is added", () => {
    const state = Object.freeze(addSplitFailure(emptySplit(), { isShadows: true, shadowShare: 0.2 }));
    const restored: SplitState = JSON.parse(JSON.stringify(state));
    const failure = { isShadows: false, shadowShare: 0.2 };
    assert.deepEqual(addSplitFailure(restored, failure), addSplitFailure(state, failure));
  });

  it("where one side has all of the traffic there is nothing to compare, and that is refused", () => {
    for (const shadowShare of [0, 1, -0.1, 1.1, Number.NaN])
      assert.throws(() => addSplitFailure(emptySplit(), { isShadows: true, shadowShare }), RangeError);
  });
});

describe(`split traffic on the ramp 1, 5, 20, 50 %, looked at after every failure (SEED=${SEED})`, () => {
  for (const errors of [0.01, 0.05])
    it(`a harmless shadow among ${errors * 100} % of errors is rolled back in at most .01 of the runs of 30,000`, (t) => {
      const draws = new Draws(100 * errors);
      const results = repeated(400, () =>
        requestsUntilHarm(draws, { champion: errors, shadow: errors, requestsMax: 30_000 }),
      );
      t.diagnostic(`rolled back ${percent(results)}`);
      assertAlarmsWithin(0.01, results);
    });

  for (const [champion, shadow, requests, fromFive] of [
    [0.01, 0.1, 3_654, 654],
    [0.001, 0.05, 3_944, 821],
    [0.01, 0.05, 17_467, 3_033],
  ] as const)
    it(`from ${champion} to ${shadow} is found after a median of about ${requests} requests, without the first step ${fromFive}`, (t) => {
      const draws = new Draws(requests);
      const options = { champion, shadow, requestsMax: 100_000 };
      const results = repeated(100, () => requestsUntilHarm(draws, options));
      const quick = repeated(100, () => requestsUntilHarm(draws, { ...options, ramp: [0.05, 0.2, 0.5] }));
      t.diagnostic(`median ${median(results)}, without the first step ${median(quick)}`);
      assert.equal(share(results), 1);
      // The requests lie on a staircase: the step in which it is found decides.
      assertNear(median(results), requests, 0.45);
      assertNear(median(quick), fromFive, 0.45);
    });
});

describe(`sessions that stick to one side (SEED=${SEED})`, () => {
  it("each session's first failure counted, a harmless shadow is rolled back in at most .01 of the runs", (t) => {
    const draws = new Draws(9);
    const first = repeated(400, () => failuresUntilHarm(draws, { isFirstOnly: true }));
    const all = repeated(400, () => failuresUntilHarm(draws, { isFirstOnly: false }));
    t.diagnostic(`rolled back ${percent(first)}; were each failure counted, ${percent(all)}`);
    assertAlarmsWithin(0.01, first);
    assert.ok(share(all) > 0.1, "this is why only the first one counts");
  });
});

interface Traffic {
  readonly champion: number;
  readonly shadow: number;
  readonly requestsMax: number;
  readonly ramp?: readonly number[];
}

/** A step of the ramp ends with 200 requests of the shadow's own. */
function requestsUntilHarm(draws: Draws, traffic: Traffic): number {
  const { champion, shadow, requestsMax, ramp = [0.01, 0.05, 0.2, 0.5] } = traffic;
  let state = emptySplit();
  let own = 0;
  return firstStep(requestsMax, () => {
    const shadowShare = ramp[Math.min(Math.floor(own / 200), ramp.length - 1)] ?? 0.5;
    const isShadows = draws.is(shadowShare);
    if (isShadows) own++;
    if (!draws.is(isShadows ? shadow : champion)) return false;
    state = addSplitFailure(state, { isShadows, shadowShare });
    return logSplitEvidence(state) >= Math.log(100);
  });
}

/** 20 of 2,000 sessions or so always fail, whoever serves them; a fifth is the shadow's. 500 failures are looked at. */
function failuresUntilHarm(draws: Draws, { isFirstOnly }: { readonly isFirstOnly: boolean }): number {
  const shadowShare = 0.2;
  const failing = Array.from({ length: 20 }, () => draws.is(shadowShare));
  const seen = new Set<number>();
  let state = emptySplit();
  return firstStep(500, () => {
    const session = Math.floor(draws.uniform() * failing.length);
    if (isFirstOnly && seen.has(session)) return false;
    seen.add(session);
    state = addSplitFailure(state, { isShadows: failing[session] === true, shadowShare });
    return logSplitEvidence(state) >= Math.log(100);
  });
}
