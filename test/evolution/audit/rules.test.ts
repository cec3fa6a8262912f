/**
 * The common rules against which the arbiter is compared: what they catch, and what they are known to miss.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arm } from "../../../evolution/audit/rules.ts";
import { mannWhitneyZ, rules } from "../../../evolution/audit/rules.ts";
import { seededRandom } from "../../../runtime/index.ts";

const SEED = Number(process.env["SEED"] ?? 7);

/** What is seen of a version with these rates. */
function arm(given: { readonly errors?: number; readonly cpu?: number; readonly fitness?: number }, seed: number): Arm {
  const random = seededRandom(seed);
  const share = (): number => random.next32() / 0x1_0000_0000;
  const each = <T>(of: () => T): T[] => Array.from({ length: 1_000 }, of);
  return {
    errors: each(() => Number(share() < (given.errors ?? 0))),
    cpuMs: each(() => (given.cpu ?? 1) * (1 + share() / 2)),
    fitness: each(() => Number(share() < (given.fitness ?? 0.75))),
  };
}

describe(`the common rules (seed ${SEED})`, () => {
  const champion = arm({}, SEED);

  test("reject what fails one time in ten, and what is twice as slow", () => {
    for (const [name, rule] of Object.entries(rules)) {
      assert.equal(rule({ champion, candidate: arm({ errors: 0.1 }, SEED + 1) }), false, name);
      assert.equal(rule({ champion, candidate: arm({ cpu: 2 }, SEED + 2) }), false, name);
    }
  });

  test("promote what is better by twenty points", () => {
    for (const [name, rule] of Object.entries(rules)) {
      assert.equal(rule({ champion, candidate: arm({ fitness: 0.95 }, SEED + 3) }), true, name);
    }
  });

  test("a threshold of one point lets half a point of errors pass", () => {
    const candidate = { ...champion, errors: champion.errors.map((_, index) => Number(index % 200 === 0)) };
    assert.equal(rules.threshold({ champion, candidate }), true);
  });

  test("a z-test that is peeked at promotes more equal versions for a gain they do not have than the level it claims", () => {
    let promotedEarly = 0;
    for (let run = 0; run < 200; run++) {
      const arms = { champion: arm({}, SEED + 100 + run), candidate: arm({}, SEED + 900 + run) };
      // Fails for fitness or time are no gains: only the promotions before the last look count.
      const isAtEnd = rules.peeked({ champion: cut(arms.champion), candidate: cut(arms.candidate) });
      if (rules.peeked(arms) && isAtEnd) promotedEarly += 1;
    }
    assert.ok(promotedEarly > 200 * 0.05, `${promotedEarly} of 200`);
  });

  test("nothing seen is nothing proved, and no error", () => {
    const nothing = { errors: [], cpuMs: [], fitness: [] };
    for (const rule of Object.values(rules))
      assert.equal(typeof rule({ champion: nothing, candidate: nothing }), "boolean");
  });
});

function cut({ errors, cpuMs, fitness }: Arm): Arm {
  return { errors: errors.slice(0, 950), cpuMs: cpuMs.slice(0, 950), fitness: fitness.slice(0, 950) };
}

describe("the Mann-Whitney statistic", () => {
  test("is 0 for equal samples and turns its sign with their order", () => {
    assert.equal(mannWhitneyZ([1, 2, 3], [1, 2, 3]), 0);
    assert.equal(mannWhitneyZ([1, 1, 1], [1, 1, 1]), 0);
    assert.equal(mannWhitneyZ([5, 6, 7], [1, 2, 3]), -mannWhitneyZ([1, 2, 3], [5, 6, 7]));
  });

  test("has the value worked out by hand: ranks 4, 5, 6 of 6 without ties", () => {
    // U = 9, mean 4.5, variance 3 * 3 * 7 / 12 = 5.25; continuity takes half.
    assert.ok(Math.abs(mannWhitneyZ([5, 6, 7], [1, 2, 3]) - 4 / Math.sqrt(5.25)) < 1e-12);
  });
});
