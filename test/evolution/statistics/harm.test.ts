/**
 * The harm test: known values, the martingale in exact sums, and its behaviour when it is looked at after every
 * request.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addHarm, emptyHarm, logHarmEvidence } from "../../../evolution/statistics/harm.ts";
import type { HarmState } from "../../../evolution/statistics/harm.ts";
import { logGamma } from "../../../evolution/statistics/special.ts";
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

describe("the evidence of harm", () => {
  for (const [shadowOnly, championOnly, timesAllowed, expected] of [
    [0, 0, 1, 1],
    [1, 0, 1, 3 / 2],
    [0, 1, 1, 1 / 2],
    [2, 0, 1, 7 / 3],
    [1, 1, 1, 2 / 3],
    [10, 0, 1, 2_047 / 11],
    [1, 0, 2, 5 / 4],
    [0, 1, 2, 1 / 2],
    [1, 0, 1 / 3, 5 / 2],
  ] as const)
    it(`${shadowOnly} against ${championOnly}, ${timesAllowed} times allowed, is ${expected}: the integral by hand`, () => {
      assertSame(logHarmEvidence({ shadowOnly, championOnly }, { timesAllowed }), Math.log(expected));
    });

  for (const timesAllowed of [1, 2, 0.25])
    it(`at the limit of ${timesAllowed} times it is 1 on average after any number of pairs, and below it no more`, () => {
      const limit = timesAllowed / (1 + timesAllowed);
      for (const pairs of [1, 2, 5, 20, 60]) {
        assertSame(expectedEvidence(pairs, limit, timesAllowed), 1, 10);
        assert.ok(expectedEvidence(pairs, limit / 2, timesAllowed) < 1);
      }
    });

  it("each failure of the shadow's adds to it, each of the champion's takes away", () => {
    for (const shadowOnly of [0, 3, 50])
      for (const championOnly of [0, 3, 50]) {
        const here = logHarmEvidence({ shadowOnly, championOnly });
        assert.ok(logHarmEvidence({ shadowOnly: shadowOnly + 1, championOnly }) > here);
        assert.ok(logHarmEvidence({ shadowOnly, championOnly: championOnly + 1 }) < here);
      }
  });

  it("is a number for any counts up to 1e9", () => {
    const counts = [0, 1, 1_000, 123_456_789, 1e9];
    for (const shadowOnly of counts)
      for (const championOnly of counts)
        for (const timesAllowed of [1e-6, 1, 1.1, 1e6])
          assert.ok(Number.isFinite(logHarmEvidence({ shadowOnly, championOnly }, { timesAllowed })));
    // All of them the shadow's: the integral is (1 - 2^-(n+1)) 2^(n+1) / (n+1).
    assertSame(logHarmEvidence({ shadowOnly: 1e9, championOnly: 0 }), (1e9 + 1) * Math.LN2 - Math.log(1e9 + 1));
  });

  it("pairs in which both failed, or none, change nothing", () => {
    const state = addHarm(emptyHarm(), { didShadowFail: true, didChampionFail: true });
    assert.deepEqual(addHarm(state, { didShadowFail: false, didChampionFail: false }), emptyHarm());
    assert.equal(logHarmEvidence(state), 0);
  });

  it("survives a journal: the state is plain data, and is not changed by what is added", () => {
    const before: HarmState = Object.freeze({ shadowOnly: 3, championOnly: 1 });
    const after = addHarm(before, { didShadowFail: true, didChampionFail: false });
    assert.deepEqual(JSON.parse(JSON.stringify(after)), { shadowOnly: 4, championOnly: 1 });
    assert.deepEqual(addHarm(before, { didShadowFail: false, didChampionFail: true }), {
      shadowOnly: 3,
      championOnly: 2,
    });
  });

  it("counts that are none, and factors out of range, are refused", () => {
    for (const shadowOnly of [-1, 1.5, Number.NaN, Infinity]) {
      assert.throws(() => logHarmEvidence({ shadowOnly, championOnly: 0 }), RangeError);
      assert.throws(() => logHarmEvidence({ shadowOnly: 0, championOnly: shadowOnly }), RangeError);
    }
    for (const timesAllowed of [0, -1, Number.NaN, Infinity])
      assert.throws(() => logHarmEvidence(emptyHarm(), { timesAllowed }), RangeError);
  });
});

describe(`harm, looked at after every request (SEED=${SEED})`, () => {
  for (const [champion, shadow, alpha] of [
    [0.01, 0.01, 0.01],
    [0.05, 0.05, 0.05],
  ] as const)
    it(`a harmless shadow at ${champion} is flagged in at most ${alpha} of the runs of 5,000`, (t) => {
      const draws = new Draws(1_000 * champion);
      const results = repeated(1_000, () => requestsUntilHarm(draws, { champion, shadow, alpha }));
      t.diagnostic(`flagged ${percent(results)}`);
      assertAlarmsWithin(alpha, results);
    });

  it("a shadow that has the 2 times as many failures of its own that it may have is flagged in at most .05 of the runs", (t) => {
    const draws = new Draws(2);
    // Alone fail 0.98 s and 0.02 (1 - s): for the factor 2 between them s is .04 / 1.02.
    const harmless = { champion: 0.02, shadow: 0.04 / 1.02, alpha: 0.05, timesAllowed: 2 };
    const results = repeated(500, () => requestsUntilHarm(draws, harmless));
    t.diagnostic(`flagged ${percent(results)}`);
    assertAlarmsWithin(0.05, results);
  });

  for (const [champion, shadow, requests] of [
    [0, 0.02, 436],
    [0, 0.005, 1_742],
    [0.001, 0.01, 1_152],
    [0.01, 0.05, 319],
    [0.01, 0.1, 115],
    [0.05, 0.1, 574],
  ] as const)
    it(`from ${champion} to ${shadow} is found after a median of about ${requests} requests`, (t) => {
      const draws = new Draws(requests);
      const results = repeated(400, () => requestsUntilHarm(draws, { champion, shadow, alpha: 0.01 }));
      t.diagnostic(`found ${percent(results)}, median ${median(results)}`);
      assert.ok(share(results) >= 0.99);
      assertNear(median(results), requests, 0.25);
    });
});

interface Case {
  readonly champion: number;
  readonly shadow: number;
  readonly alpha: number;
  readonly timesAllowed?: number;
}

function requestsUntilHarm(draws: Draws, { champion, shadow, alpha, timesAllowed = 1 }: Case): number {
  const limit = Math.log(1 / alpha);
  let state = emptyHarm();
  return firstStep(5_000, () => {
    const before = state;
    state = addHarm(state, { didShadowFail: draws.is(shadow), didChampionFail: draws.is(champion) });
    return state !== before && logHarmEvidence(state, { timesAllowed }) >= limit;
  });
}

/** The mean of E over all outcomes of `pairs` discordant pairs of which each falls to the shadow with `probability`. */
function expectedEvidence(pairs: number, probability: number, timesAllowed: number): number {
  let sum = 0;
  for (let shadowOnly = 0; shadowOnly <= pairs; shadowOnly++) {
    const championOnly = pairs - shadowOnly;
    const choose = logGamma(pairs + 1) - logGamma(shadowOnly + 1) - logGamma(championOnly + 1);
    const chance = choose + shadowOnly * Math.log(probability) + championOnly * Math.log(1 - probability);
    sum += Math.exp(chance + logHarmEvidence({ shadowOnly, championOnly }, { timesAllowed }));
  }
  return sum;
}
